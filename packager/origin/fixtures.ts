/** For tests: a broadcast of one picture and one sound, and samples that an encoder would make of them. */
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { steadySamples } from '../cmaf/fixtures.ts';
import type { Sample } from '../cmaf/index.ts';

/** 30 fps, 2 s | 500 ms | 100 ms. */
export const BROADCAST: Broadcast = {
  id: 'demo',
  source: { kind: 'pixel-streaming', streamerId: 'demo' },
  ladder: {
    video: [{ name: 'v180', width: 320, height: 180, bitrateBps: 300_000 }],
    audio: [{ name: 'a128', bitrateBps: 128_000 }],
  },
  grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
  redundancy: 1,
  createdMs: 0,
};

/** Segment that the tests begin with: 2026-11-20T19:00:04Z. */
export const FIRST_MSN = 897_598_802;

const VIDEO_SEGMENT = 180_000;
const AUDIO_SEGMENT = 96_000;

/** Video of whole segments `from` up to (not including) `to`; both may be fractions. */
export function video(from: number, to: number): Sample[] {
  const start = Math.round((from * VIDEO_SEGMENT) / 3000) * 3000;
  const count = Math.round(((to - from) * VIDEO_SEGMENT) / 3000);
  return steadySamples({ start, count, duration: 3000, syncEvery: 60 });
}

/** AAC frames whose decode time lies in segments `from` up to (not including) `to`. */
export function audio(from: number, to: number): Sample[] {
  const first = Math.ceil((from * AUDIO_SEGMENT) / 1024);
  const end = Math.ceil((to * AUDIO_SEGMENT) / 1024);
  return steadySamples({ start: first * 1024, count: end - first, duration: 1024 });
}
