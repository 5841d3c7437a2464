/** Configuration of the worker role: which encoder, which ffmpeg, and how patient supervision is. */
import { z } from 'zod';

/** x264 presets that keep up with a live ladder, fastest first. */
export const X264_PRESETS = ['ultrafast', 'superfast', 'veryfast', 'faster', 'fast'] as const;

/** One x264 preset. */
export type X264Preset = (typeof X264_PRESETS)[number];

/** Schema of the `worker` section. */
export const workerConfigSchema = z.strictObject({
  ffmpegPath: z.string().min(1).default('ffmpeg').describe('ffmpeg executable, 5.1 or later.'),
  encoder: z
    .enum(['auto', 'h264_nvenc', 'h264_qsv', 'h264_vaapi', 'libx264'])
    .default('auto')
    .describe(
      'Encoder and its kin of other codecs; auto: the first of these with which a probe encode succeeds, and libx264 for what it cannot take.',
    ),
  device: z
    .string()
    .regex(/^(\d{1,3}|\/[\w/.-]+)$/, 'must be a CUDA index or a path')
    .optional()
    .describe('GPU: CUDA index (NVENC) or DRI render node; the first one where unset.'),
  sessions: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .describe('Encodes that the GPU allows at once; found by opening them where unset.'),
  x264Preset: z
    .enum(['auto', ...X264_PRESETS])
    .default('auto')
    .describe('libx264 preset; auto fits it to the cores: 2 ultrafast, 4 superfast, 8 veryfast.'),
  concurrency: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'Jobs at once of each encoder, each one ffmpeg with a whole ladder; where unset sessions / rungs on a GPU, half the cores in software.',
    ),
  startLeadMs: z
    .int()
    .min(200)
    .max(5000)
    .default(700)
    .describe('An encoder starts at the first segment at least this far past the feed (ms).'),
  silentMs: z
    .int()
    .min(1000)
    .max(30_000)
    .default(3000)
    .describe('A feed that says nothing for this long is joined anew (ms).'),
  hungMs: z
    .int()
    .min(300)
    .max(30_000)
    .default(800)
    .describe('An encoder that says nothing for this long while its feed flows is replaced (ms).'),
});

/** Configuration of the worker. */
export type WorkerConfig = Readonly<z.output<typeof workerConfigSchema>>;
