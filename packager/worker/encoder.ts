/**
 * Which encoder, and its arguments. Pure: the probe (probe.ts) finds out what this machine can do,
 * encoderTable.ts holds what is an encoder's own. Decode order is presentation order, and a segment
 * starts at every IDR.
 */
import type { EncoderClass, VideoCodec } from '../../infra/kernel/encoders.ts';
import type { VideoRung } from '../../infra/kernel/wire.ts';
import type { X264Preset } from './config.ts';
import { type EncoderEntry, GPU_ENCODERS, softwareEncoder } from './encoderTable.ts';

/** The encoder that a worker uses, and why: shown at start, by `doctor` and in the status. */
export type EncoderChoice =
  | {
      readonly class: Exclude<EncoderClass, 'x264'>;
      /** ffmpeg's name of its H.264 encoder. */
      readonly name: string;
      readonly reason: string;
      /** CUDA index or DRI render node; the first one where unset. */
      readonly device?: string | undefined;
      /** Lower rungs are scaled on the GPU; else every rung comes from the processor. */
      readonly isGpuScaled: boolean;
    }
  | {
      readonly class: 'x264';
      readonly name: 'libx264';
      readonly reason: string;
      readonly preset: X264Preset;
      /** Threads of each rung's encoder; more than one slices the picture. */
      readonly threads: number;
    };

/** What every run of an encoder shares: frame rate and the segment grid are the broadcast's. */
export type VideoTiming = { readonly fps: number; readonly segmentMs: number };

/**
 * The preset that `cores` cores carry beside ingest, origin and a second encoder of a hand-over.
 * The default ladder costs 0.39 core-seconds per stream-second with ultrafast, 0.57 with superfast
 * and 0.73 with veryfast on light content (media-facts B.5); ffmpeg 5.1 encodes all rungs on one
 * thread, so a preset must stay well below one core whatever the machine has.
 */
export function x264PresetFor(cores: number): { preset: X264Preset; reason: string } {
  const preset = cores <= 2 ? 'ultrafast' : cores < 8 ? 'superfast' : 'veryfast';
  const cost = { ultrafast: '0.4', superfast: '0.6', veryfast: '0.75' }[preset];
  return {
    preset,
    reason: `${preset} fits ${cores} core${cores === 1 ? '' : 's'} (about ${cost} of a core per broadcast)`,
  };
}

/** Threads per rung: one, until there are cores for every rung of a ladder of four. */
export function x264ThreadsFor(cores: number): number {
  return Math.max(1, Math.min(4, Math.floor(cores / 4)));
}

/**
 * Output arguments of one video rung, encoder and rate control and keyframes on the grid.
 *
 * `t` in `-force_key_frames` counts from the first frame that reaches the encoder; that frame is
 * at T0, a multiple of the segment duration, so the relative grid is the absolute one. The floor
 * form forces one keyframe after a hole, where `gte(t,n_forced*D)` would force a burst.
 */
export function videoEncoderArguments(
  encoder: EncoderChoice,
  rung: VideoRung,
  timing: VideoTiming,
): string[] {
  const { fps, segmentMs } = timing;
  const segment = String(segmentMs / 1000);
  const entry = encoderEntry(encoder, rung.codec ?? 'h264', timing);
  const bitrate = String(rung.bitrateBps);
  return [
    ...['-c:v', entry.name, ...entry.options],
    ...['-b:v', bitrate],
    // Constant bitrate with one second of VBV: BANDWIDTH of the playlists allows for as much.
    ...(entry.isCapRefused === true ? [] : ['-maxrate', bitrate, '-bufsize', bitrate]),
    '-force_key_frames',
    `expr:if(isnan(prev_forced_t),1,gt(floor(t/${segment}+0.001),floor(prev_forced_t/${segment}+0.001)))`,
    ...['-fps_mode', 'passthrough', '-enc_time_base', `1/${fps}`],
    // Unreal and browsers send BT.709 in video range, often untagged; untagged rungs of different
    // heights are guessed differently by players and would change colour at a level switch.
    ...['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'],
    ...['-color_range', 'tv'],
  ];
}

function encoderEntry(
  encoder: EncoderChoice,
  codec: VideoCodec,
  { fps, segmentMs }: VideoTiming,
): EncoderEntry {
  return encoder.class === 'x264'
    ? softwareEncoder(codec, encoder, (fps * segmentMs) / 1000)
    : GPU_ENCODERS[encoder.class][codec];
}
