/** Measures which ladder presets the encoders of this machine carry, for `doctor`. */
import { LADDER_PRESETS, type LadderPreset, ladderPreset } from '../../infra/kernel/ladder.ts';
import { type Capacity, gpuCapacity } from './capacity.ts';
import type { WorkerConfig } from './config.ts';
import {
  hasSessions,
  type PresetMeasure,
  presetVerdict,
  type PresetVerdict,
} from './presetVerdict.ts';
import type { EncoderOffer } from './probe.ts';
import { probeEncode } from './probeEncode.ts';

/** A preset on an encoder. */
export type PresetFinding = PresetVerdict & {
  readonly preset: LadderPreset;
  readonly encoder: string;
};

const SEGMENT_MS = 2000;
/** Pictures of the source that are made; then they come round again, so that making them costs little. */
const PICTURES = 8;

/** Encodes a segment of each preset's ladder on each encoder, one after the other. */
export async function probePresets(
  config: Pick<WorkerConfig, 'ffmpegPath' | 'concurrency'>,
  offers: readonly EncoderOffer[],
): Promise<PresetFinding[]> {
  const findings: PresetFinding[] = [];
  for (const offer of offers) {
    for (const preset of LADDER_PRESETS) {
      const verdict = await probePreset(config, offer, preset);
      findings.push({ ...verdict, preset, encoder: offer.encoder.name });
    }
  }
  return findings;
}

async function probePreset(
  { ffmpegPath, concurrency }: Pick<WorkerConfig, 'ffmpegPath' | 'concurrency'>,
  offer: EncoderOffer,
  preset: LadderPreset,
): Promise<PresetVerdict> {
  const {
    fps,
    ladder: { video },
  } = ladderPreset(preset);
  const { sessions } = offer;
  const capacity: Capacity =
    sessions === undefined ? offer : gpuCapacity(concurrency, sessions, video.length);
  const facts = { fps, video, capacity, sessions };
  return presetVerdict(
    hasSessions(facts) ? { ...facts, measured: await measure(ffmpegPath, offer, preset) } : facts,
  );
}

/** The speed of a segment, without what opening the encoder takes. */
async function measure(
  ffmpegPath: string,
  { encoder }: EncoderOffer,
  preset: LadderPreset,
): Promise<PresetMeasure> {
  const { fps, ladder } = ladderPreset(preset);
  const [{ width, height } = { width: 0, height: 0 }] = ladder.video;
  const {
    fault,
    isCutShort,
    fps: made,
  } = await probeEncode(ffmpegPath, {
    ...{ encoder, rungs: ladder.video, timing: { fps, segmentMs: SEGMENT_MS } },
    picture: `testsrc2=size=${width}x${height}:rate=${fps},format=yuv420p,loop=loop=-1:size=${PICTURES}`,
    frames: (fps * SEGMENT_MS) / 1000,
  });
  // Far too slow is a speed, too.
  return (fault === undefined || isCutShort) && made !== undefined
    ? { speed: made / fps }
    : { fault: fault ?? 'made no pictures' };
}
