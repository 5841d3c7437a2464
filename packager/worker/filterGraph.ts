/**
 * ffmpeg's filter graph, pure: the feed decoded once, one picture per slot of the grid, split to the
 * ladder; and the sound. Where a GPU scales, the first rung is fitted on the processor and taken up
 * once, and the others are made of it there.
 */
import type { Grid } from '../../infra/kernel/grid.ts';
import { formatSeconds } from '../../infra/kernel/time.ts';
import type { Ladder, VideoRung } from '../../infra/kernel/wire.ts';
import type { EncoderChoice } from './encoder.ts';
import { type GpuEntry, GPUS } from './encoderTable.ts';
import type { StartPoint } from './startPoint.ts';

/** What the graph is made of. */
export type FilterGraphJob = {
  readonly encoder: EncoderChoice;
  readonly ladder: Ladder;
  readonly grid: Pick<Grid, 'fps'>;
  readonly start: Pick<StartPoint, 't0Ms' | 'audioTicks'>;
};

/** Rungs whose shapes differ by less are made of one picture: nobody sees it. */
const SAME_SHAPE = 0.01;

/** The graph; each rung ends in the link `label` gives it. */
export function filterGraph(job: FilterGraphJob): string {
  const { ladder, grid, start } = job;
  return [
    // The first frame is exactly T0 and every slot after it is filled (media-facts, "Settled since").
    `[0:v]fps=${grid.fps}:start_time=${formatSeconds(start.t0Ms, 1000)},${videoGraph(job)}`,
    // Soft correction up to 480 samples per second follows drift within 3 ms; `first_pts` cuts or
    // pads so that AAC frames lie on the multiples of 1024 samples since 1970.
    // `flags=res`: without a resampler from the start the first correction makes one, and time begins
    // again at `first_pts` (ffmpeg 5.1).
    ...ladder.audio.map(
      (rung) =>
        `[0:a]aresample=48000:async=480:flags=res:first_pts=${start.audioTicks}` +
        `,aformat=sample_fmts=fltp:channel_layouts=stereo[${label(rung)}]`,
    ),
  ].join(';');
}

/** A link label: letters, digits and underscores only. */
export function label({ name }: { readonly name: string }): string {
  return name.replaceAll('-', '_');
}

/** From one picture to the rungs: what follows `fps=…,`. */
export function videoGraph({
  encoder,
  ladder: { video },
}: Pick<FilterGraphJob, 'encoder' | 'ladder'>): string {
  if (encoder.class === 'x264') {
    return split(video, (rung) => `${fit(rung)},format=yuv420p`);
  }
  const gpu = GPUS[encoder.class];
  return encoder.isGpuScaled
    ? gpuScaled(video, gpu)
    : split(video, (rung) => `${fit(rung)},${gpu.isUploadNeeded ? gpu.upload : 'format=nv12'}`);
}

function split(rungs: readonly VideoRung[], chainOf: (rung: VideoRung) => string): string {
  return [
    `split=${rungs.length}${rungs.map((rung) => `[s_${label(rung)}]`).join('')}`,
    ...rungs.map((rung) => `[s_${label(rung)}]${chainOf(rung)}[${label(rung)}]`),
  ].join(';');
}

/** One picture goes up per shape of rung: there is no `pad` on a GPU, and letterboxes differ. */
function gpuScaled(video: readonly VideoRung[], { upload, scale }: GpuEntry): string {
  const shapes: VideoRung[][] = [];
  for (const rung of video) {
    const same = shapes.find(([first]) => first !== undefined && isSameShape(first, rung));
    if (same === undefined) {
      shapes.push([rung]);
    } else {
      same.push(rung);
    }
  }
  const tops = shapes.flatMap(([top]) => top ?? []);
  return [
    `split=${tops.length}${tops.map((top) => `[u_${label(top)}]`).join('')}`,
    ...shapes.flatMap((rungs) => {
      const [top, ...lower] = rungs;
      return top === undefined
        ? []
        : [
            `[u_${label(top)}]${fit(top)},${upload}` +
              `,split=${rungs.length}[${label(top)}]${lower.map((rung) => `[s_${label(rung)}]`).join('')}`,
            ...lower.map(
              (rung) =>
                `[s_${label(rung)}]${scale}=w=${rung.width}:h=${rung.height}[${label(rung)}]`,
            ),
          ];
    }),
  ].join(';');
}

function isSameShape(a: VideoRung, b: VideoRung): boolean {
  return Math.abs((a.width * b.height) / (a.height * b.width) - 1) < SAME_SHAPE;
}

/** Any source size into the rung's: fitted in, centred, padded with black. */
function fit({ width, height }: VideoRung): string {
  const size = `w=${width}:h=${height}`;
  return (
    `scale=${size}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=bilinear:out_range=tv` +
    `,pad=${size}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame,setsar=1`
  );
}
