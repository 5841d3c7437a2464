/** Names of encoders that cross folders: classes have queues of their own, codecs stand in ladders. */

/** Classes of encoders, the preferred one first. `x264` is every encoder in software. */
export const ENCODER_CLASSES = ['nvenc', 'qsv', 'vaapi', 'x264'] as const;

/** A class of encoders: the jobs of one queue. */
export type EncoderClass = (typeof ENCODER_CLASSES)[number];

/** Video codecs of a ladder. */
export const VIDEO_CODECS = ['h264', 'hevc', 'av1'] as const;

/** One video codec. */
export type VideoCodec = (typeof VIDEO_CODECS)[number];
