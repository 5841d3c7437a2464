/**
 * ffmpeg's command line, pure: one input (the contribution feed on stdin), decoded once, split to
 * the ladder, and one output per track. Flags and their reasons were measured with ffmpeg 5.1
 * (media-facts B.2, B.4). Starting the process is ffmpeg.ts's part.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import type { AudioRung, Ladder, VideoRung } from '../../infra/kernel/wire.ts';
import { type EncoderChoice, videoEncoderArguments } from './encoder.ts';
import { GPUS } from './encoderTable.ts';
import { filterGraph, label } from './filterGraph.ts';
import type { StartPoint } from './startPoint.ts';

/** A command line in the pieces that fluent-ffmpeg takes. */
export type FfmpegArguments = {
  /** Global and input options, before `-i`. */
  readonly input: readonly string[];
  readonly filter: string;
  readonly outputs: readonly {
    readonly track: string;
    readonly options: readonly string[];
    readonly target: string;
  }[];
};

/** What a command line is made of. */
export type FfmpegJob = {
  readonly encoder: EncoderChoice;
  readonly ladder: Ladder;
  readonly grid: Grid;
  readonly start: StartPoint;
  /** Where a track's bytes go, as an ffmpeg URL. */
  readonly targetOf: (track: string) => string;
};

/**
 * `low_delay` and one decoder thread take frames off the delay (a frame-threaded
 * decoder holds a frame per further thread); probing is off since the feed's header says it all.
 * `reinit_filter 0`: a source that changes its size, as WebRTC senders do, must not restart the
 * filter graph, since `fps` and `aresample` would start again at T0; `scale` and `pad` follow the
 * new size by themselves (seen with ffmpeg 5.1).
 * `-fflags nobuffer` is not among them: ffmpeg 5.1 then discards what it read while probing, the
 * join's keyframe with it, and a streamer that sends no periodic keyframes would never decode.
 */
const GLOBAL = [
  ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'level+warning'],
  ...['-filter_complex_threads', '1', '-copyts'],
];
const INPUT = [
  ...['-flags', 'low_delay', '-threads', '1'],
  ...['-reinit_filter', '0'],
  ...['-analyzeduration', '0', '-probesize', '32', '-fpsprobesize', '0', '-f', 'matroska'],
];

/**
 * One-sample fragments at once, absolute `tfdt` (`frag_discont`; without it time starts at 0), no
 * edit list, no metadata of the source: the header depends on encoder and ladder alone, so every
 * worker writes the same bytes.
 */
const CONTAINER = [
  ...['-map_metadata', '-1', '-flush_packets', '1', '-muxdelay', '0', '-muxpreload', '0'],
  ...['-f', 'mp4', '-movflags', 'cmaf+frag_every_frame+frag_discont+skip_trailer'],
];

/** The command line of one encoder run. */
export function ffmpegArguments(job: FfmpegJob): FfmpegArguments {
  const { ladder, targetOf } = job;
  return {
    input: [...GLOBAL, ...hardware(job.encoder), ...INPUT],
    filter: filterGraph(job),
    outputs: [
      ...ladder.video.map((rung) => ({
        track: rung.name,
        options: videoOutput(job, rung),
        target: targetOf(rung.name),
      })),
      ...ladder.audio.map((rung) => ({
        track: rung.name,
        options: audioOutput(rung),
        target: targetOf(rung.name),
      })),
    ],
  };
}

/** Opens the GPU and lets it decode. */
function hardware(encoder: EncoderChoice): readonly string[] {
  return encoder.class === 'x264'
    ? []
    : [...GPUS[encoder.class].device(encoder.device), ...GPUS[encoder.class].decode];
}

function videoOutput({ encoder, grid }: FfmpegJob, rung: VideoRung): string[] {
  return [
    ...['-map', `[${label(rung)}]`],
    ...videoEncoderArguments(encoder, rung, grid),
    ...['-video_track_timescale', '90000'],
    ...CONTAINER,
  ];
}

function audioOutput(rung: AudioRung): string[] {
  return [
    ...['-map', `[${label(rung)}]`, '-c:a', 'aac', '-b:a', `${rung.bitrateBps}`],
    ...CONTAINER,
  ];
}
