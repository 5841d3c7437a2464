/** The sound of the demo: a beep that starts exactly at each UTC second, silence between. Pure. */

/** Samples per second of each channel. */
export const SAMPLE_RATE = 48_000;
/** Samples of a chunk: 20 ms, one Opus frame. */
export const CHUNK_SAMPLES = 960;
/** Chunks per second. */
export const CHUNK_RATE = SAMPLE_RATE / CHUNK_SAMPLES;

const CHANNELS = 2;
const FREQUENCY_HZ = 1000;
const BEEP_SAMPLES = 0.06 * SAMPLE_RATE;
const RAMP_SAMPLES = 0.001 * SAMPLE_RATE;
const FALL_SAMPLES = 0.01 * SAMPLE_RATE;
const LEVEL = 0.35;

/**
 * Chunk `index` (since 1970, 50 each second) as interleaved signed 16-bit stereo.
 *
 * @param out 3840 bytes, owned by the caller
 */
export function fillChunk(index: number, out: Buffer): void {
  const first = (index % CHUNK_RATE) * CHUNK_SAMPLES;
  for (let sample = 0; sample < CHUNK_SAMPLES; sample++) {
    const value = Math.round(32767 * beepAt(first + sample));
    for (let channel = 0; channel < CHANNELS; channel++) {
      out.writeInt16LE(value, (sample * CHANNELS + channel) * 2);
    }
  }
}

/** Bytes of a chunk. */
export const CHUNK_BYTES = CHUNK_SAMPLES * CHANNELS * 2;

/** The beep `sample` samples into its second, -1 to 1. */
function beepAt(sample: number): number {
  if (sample >= BEEP_SAMPLES) {
    return 0;
  }
  // 1 ms up keeps the start sharp without a click; 10 ms down.
  const envelope = Math.min(1, sample / RAMP_SAMPLES, (BEEP_SAMPLES - sample) / FALL_SAMPLES);
  return LEVEL * envelope * Math.sin((2 * Math.PI * FREQUENCY_HZ * sample) / SAMPLE_RATE);
}
