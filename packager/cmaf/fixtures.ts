/**
 * For tests: real headers, as ffmpeg 5.1 writes them with `-movflags cmaf+frag_every_frame+frag_discont`,
 * and synthetic tracks of one-sample fragments.
 */
import { ticks } from '../../infra/kernel/time.ts';
import { chunk } from './chunk.ts';
import type { Sample } from './fragment.ts';

/** `ftyp moov` of 320x180 H.264, constrained baseline 1.3, timescale 90000. */
export const VIDEO_HEADER: Uint8Array = fromBase64(
  'AAAAHGZ0eXBpc282AAACAGlzbzZjbWZjbXA0MQAAAvttb292AAAAbG12aGQAAAAAAAAAAAAAAAAAAAPoAAAAAAABAAAB' +
    'AAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
    'AAAAAAACAAAB/XRyYWsAAABcdGtoZAAAAAMAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAAAAA' +
    'AAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAEAAAAABQAAAALQAAAAAAZltZGlhAAAAIG1kaGQAAAAAAAAAAAAAAAAAAV+Q' +
    'AAAAAFXEAAAAAAAtaGRscgAAAAAAAAAAdmlkZQAAAAAAAAAAAAAAAFZpZGVvSGFuZGxlcgAAAAFEbWluZgAAABR2bWhk' +
    'AAAAAQAAAAAAAAAAAAAAJGRpbmYAAAAcZHJlZgAAAAAAAAABAAAADHVybCAAAAABAAABBHN0YmwAAAC4c3RzZAAAAAAA' +
    'AAABAAAAqGF2YzEAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAABQAC0AEgAAABIAAAAAAAAAAEVTGF2YzU5LjM3LjEwMCBs' +
    'aWJ4MjY0AAAAAAAAAAAAAAAY//8AAAAuYXZjQwFCwA3/4QAXZ0LADdoFBn58BEAAAAMAQAAADyPFCqgBAARozjyAAAAA' +
    'EHBhc3AAAAABAAAAAQAAABRidHJ0AAAAAAAEk+AABJPgAAAAEHN0dHMAAAAAAAAAAAAAABBzdHNjAAAAAAAAAAAAAAAU' +
    'c3RzegAAAAAAAAAAAAAAAAAAABBzdGNvAAAAAAAAAAAAAAAobXZleAAAACB0cmV4AAAAAAAAAAEAAAABAAAAAAAAAAAA' +
    'AAAAAAAAYnVkdGEAAABabWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAbWRpcmFwcGwAAAAAAAAAAAAAAAAtaWxzdAAAACWp' +
    'dG9vAAAAHWRhdGEAAAABAAAAAExhdmY1OS4yNy4xMDA=',
);

/** `ftyp moov` of stereo AAC-LC at 48 kHz. */
export const AUDIO_HEADER: Uint8Array = fromBase64(
  'AAAAHGZ0eXBpc282AAACAGlzbzZjbWZjbXA0MQAAAr1tb292AAAAbG12aGQAAAAAAAAAAAAAAAAAAAPoAAAAAAABAAAB' +
    'AAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
    'AAAAAAACAAABv3RyYWsAAABcdGtoZAAAAAMAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAQEAAAAAAQAAAAAA' +
    'AAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAVttZGlhAAAAIG1kaGQAAAAAAAAAAAAAAAAAALuA' +
    'AAAAAFXEAAAAAAAtaGRscgAAAAAAAAAAc291bgAAAAAAAAAAAAAAAFNvdW5kSGFuZGxlcgAAAAEGbWluZgAAABBzbWhk' +
    'AAAAAAAAAAAAAAAkZGluZgAAABxkcmVmAAAAAAAAAAEAAAAMdXJsIAAAAAEAAADKc3RibAAAAH5zdHNkAAAAAAAAAAEA' +
    'AABubXA0YQAAAAAAAAABAAAAAAAAAAAAAgAQAAAAALuAAAAAAAA2ZXNkcwAAAAADgICAJQABAASAgIAXQBUAAAAAAfQA' +
    'AAH0AAWAgIAFEZBW5QAGgICAAQIAAAAUYnRydAAAAAAAAfQAAAH0AAAAABBzdHRzAAAAAAAAAAAAAAAQc3RzYwAAAAAA' +
    'AAAAAAAAFHN0c3oAAAAAAAAAAAAAAAAAAAAQc3RjbwAAAAAAAAAAAAAAKG12ZXgAAAAgdHJleAAAAAAAAAABAAAAAQAA' +
    'AAAAAAAAAAAAAAAAAGJ1ZHRhAAAAWm1ldGEAAAAAAAAAIWhkbHIAAAAAAAAAAG1kaXJhcHBsAAAAAAAAAAAAAAAALWls' +
    'c3QAAAAlqXRvbwAAAB1kYXRhAAAAAQAAAABMYXZmNTkuMjcuMTAw',
);

/**
 * Samples on a steady beat, each with its own bytes.
 *
 * @param syncEvery samples from one sync sample to the next, counted on the UTC timeline
 */
export function steadySamples(options: {
  readonly start: number;
  readonly count: number;
  readonly duration: number;
  readonly syncEvery?: number;
  readonly bytes?: number;
}): Sample[] {
  const { start, count, duration, syncEvery = 1, bytes = 40 } = options;
  return Array.from({ length: count }, (_, index) => {
    const dts = start + index * duration;
    const position = Math.round(dts / duration);
    return {
      dts: ticks(dts),
      duration,
      compositionOffset: 0,
      isSync: position % syncEvery === 0,
      data: new Uint8Array(bytes).fill(position % 251),
    };
  });
}

/** One-sample fragments of `samples`, as an encoder would send them. */
export function fragmentsOf(samples: readonly Sample[]): Uint8Array[] {
  return samples.map((sample, index) => chunk([sample], { trackId: 1, sequenceNumber: index + 1 }));
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
