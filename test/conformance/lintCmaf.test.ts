import { expect, test } from 'vitest';
import { AUDIO_HEADER, steadySamples, VIDEO_HEADER } from '../../packager/cmaf/fixtures.ts';
import { chunk } from '../../packager/cmaf/index.ts';
import { lintCmaf } from './lintCmaf.ts';

const SEGMENT_TICKS = 180_000;
const START = 897_600_600 * SEGMENT_TICKS;

/** A segment of 20 chunks of 3 frames. */
function segment(index: number): Uint8Array {
  const samples = steadySamples({
    start: START + index * SEGMENT_TICKS,
    count: 60,
    duration: 3000,
    syncEvery: 60,
  });
  return Buffer.concat(
    Array.from({ length: 20 }, (_, at) =>
      chunk(samples.slice(at * 3, at * 3 + 3), {
        trackId: 1,
        sequenceNumber: index * 20 + at,
        isSegmentStart: at === 0,
      }),
    ),
  );
}

/** Replaces the first `from` in a copy of `bytes`; both are latin1. */
function replace(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  expect(text).toContain(from);
  return Buffer.from(text.replace(from, to), 'latin1');
}

test('what our own cutter makes has no fault', () => {
  expect(lintCmaf(VIDEO_HEADER, [segment(0), segment(1)])).toEqual([]);
  const frames = steadySamples({ start: 48_000 * 1024, count: 5, duration: 1024 });
  expect(lintCmaf(AUDIO_HEADER, [chunk(frames, { trackId: 1, sequenceNumber: 0 })])).toEqual([]);
});

test.each<[string, () => string[]]>([
  ['no CMAF brand', () => lintCmaf(replace(VIDEO_HEADER, 'cmfc', 'iso5'), [])],
  ['avc3', () => lintCmaf(replace(VIDEO_HEADER, 'avc1', 'avc3'), [])],
  ['begins at', () => lintCmaf(VIDEO_HEADER, [segment(0), segment(2)])],
  ['no sync sample', () => lintCmaf(VIDEO_HEADER, [segment(0).subarray(-400)].map(fromMoof))],
  ['track 1 in a file of track', () => lintCmaf(withTrack(9), [segment(0)])],
  ['box free', () => lintCmaf(VIDEO_HEADER, [replace(segment(0), 'styp', 'free')])],
  ['samples have', () => lintCmaf(VIDEO_HEADER, [withGrownMdat(segment(0))])],
  ['overruns', () => lintCmaf(VIDEO_HEADER, [segment(0).subarray(0, 1000)])],
])('%s is told', (text, lint) => {
  expect(lint().join('\n')).toContain(text);
});

test('a part may begin with any sample', () => {
  const part = fromMoof(segment(0).subarray(-400));
  expect(lintCmaf(VIDEO_HEADER, [part], 'part')).toEqual([]);
});

/** From the first whole moof on. */
function fromMoof(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(Buffer.from(bytes).indexOf('moof') - 4);
}

/** The video header with another track_ID. */
function withTrack(trackId: number): Uint8Array {
  const bytes = Buffer.from(VIDEO_HEADER);
  bytes.writeUInt32BE(trackId, bytes.indexOf('tkhd') + 16);
  return bytes;
}

/** The last mdat one byte longer than its samples. */
function withGrownMdat(bytes: Uint8Array): Uint8Array {
  const grown = Buffer.concat([bytes, Buffer.from([0])]);
  const at = grown.lastIndexOf('mdat') - 4;
  grown.writeUInt32BE(grown.readUInt32BE(at) + 1, at);
  return grown;
}
