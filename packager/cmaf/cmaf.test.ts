import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ticks } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, fragmentsOf, steadySamples, VIDEO_HEADER } from './fixtures.ts';
import {
  BoxSplitter,
  chunk,
  concatBytes,
  parseFragment,
  parseInit,
  type Sample,
  TrackReader,
} from './index.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Uint8Array => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const sample = (over: Partial<Sample> = {}): Sample => ({
  dts: ticks(0x9234_5678_9a),
  duration: 3000,
  compositionOffset: 0,
  isSync: true,
  data: Uint8Array.of(1, 2, 3),
  ...over,
});

describe('parseInit', () => {
  it('reads AVC and AAC headers of ffmpeg', () => {
    expect(parseInit(VIDEO_HEADER)).toEqual({
      trackId: 1,
      kind: 'video',
      timescale: 90_000,
      codecs: 'avc1.42C00D',
      width: 320,
      height: 180,
      defaults: { duration: 0, size: 0, flags: 0 },
    });
    expect(parseInit(AUDIO_HEADER)).toMatchObject({
      kind: 'audio',
      timescale: 48_000,
      codecs: 'mp4a.40.2',
      channels: 2,
      sampleRate: 48_000,
    });
  });

  it.each([
    ['nothing', new Uint8Array()],
    ['moov alone', VIDEO_HEADER.slice(28)],
    ['cut short', VIDEO_HEADER.slice(0, 500)],
    ['an hevc entry', replaced(VIDEO_HEADER, 'avc1', 'hev1')],
    ['no avcC', replaced(VIDEO_HEADER, 'avcC', 'free')],
    ['no trex', replaced(VIDEO_HEADER, 'trex', 'free')],
    ['a text track', replaced(VIDEO_HEADER, 'vide', 'text')],
    ['two headers', concatBytes([VIDEO_HEADER, VIDEO_HEADER])],
  ])('refuses %s as bad_init', (_name, bytes) => {
    expect(() => parseInit(bytes)).toThrow(expect.objectContaining({ code: 'bad_init' }));
  });

  it('never throws anything but bad_init on damaged headers', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(VIDEO_HEADER, AUDIO_HEADER),
        fc.array(fc.tuple(fc.nat(728), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (header, damage) => {
          const bytes = header.slice();
          damage.forEach(([at, value]) => (bytes[at] = value));
          try {
            expect(parseInit(bytes).timescale).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toMatchObject({ code: 'bad_init' });
          }
        },
      ),
    );
  });
});

describe('chunk', () => {
  it('is these bytes', () => {
    const bytes = chunk([sample(), sample({ isSync: false, data: Uint8Array.of(4) })], {
      trackId: 1,
      sequenceNumber: 7,
      isSegmentStart: true,
    });
    expect(hex(bytes)).toBe(
      hex(
        unhex(`
        0000001c 73747970 6d736468 00000000 6d736468 636d6673 636d666c
        00000070 6d6f6f66
          00000010 6d666864 00000000 00000007
          00000058 74726166
            00000018 74666864 00020028 00000001 00000bb8 02000000
            00000014 74666474 01000000 00000092 3456789a
            00000024 7472756e 01000601 00000002 00000078
              00000003 02000000
              00000001 01010000
        0000000c 6d646174 01020304`),
      ),
    );
  });

  it('reads back as it was written', () => {
    const anySample = fc.record({
      duration: fc.integer({ min: 1, max: 200_000 }),
      compositionOffset: fc.integer({ min: -9000, max: 9000 }),
      isSync: fc.boolean(),
      data: fc.uint8Array({ maxLength: 20 }),
    });
    fc.assert(
      fc.property(
        fc.array(anySample, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 2 ** 50 }),
        fc.boolean(),
        (shapes, start, isSegmentStart) => {
          let dts = start;
          const samples = shapes.map((shape) => {
            const at = dts;
            dts += shape.duration;
            return { ...shape, dts: ticks(at) };
          });
          const boxes = new BoxSplitter().push(
            chunk(samples, { trackId: 1, sequenceNumber: 1, isSegmentStart }),
          );
          const [moof, mdat] = boxes.slice(-2);
          expect(boxes).toHaveLength(isSegmentStart ? 3 : 2);
          expect(parseFragment(moof!, mdat!, parseInit(VIDEO_HEADER))).toEqual(samples);
        },
      ),
    );
  });
});

describe('BoxSplitter', () => {
  it('gives the same boxes however the stream is sliced', () => {
    const stream = concatBytes([
      VIDEO_HEADER,
      ...fragmentsOf(steadySamples({ start: 9000, count: 4, duration: 3000 })),
      unhex('00000001 66726565 00000000 00000012 abcd'),
    ]);
    const whole = new BoxSplitter().push(stream).map((box) => [box.type, hex(box.bytes)]);
    expect(whole.map(([type]) => type)).toEqual([
      'ftyp',
      'moov',
      ...Array.from({ length: 4 }, () => ['moof', 'mdat']).flat(),
      'free',
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
        const splitter = new BoxSplitter();
        const edges = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const boxes = edges
          .slice(1)
          .flatMap((end, index) => splitter.push(stream.subarray(edges[index], end)));
        expect(boxes.map((box) => [box.type, hex(box.bytes)])).toEqual(whole);
        expect(splitter.pendingBytes).toBe(0);
      }),
    );
  });

  it.each([
    ['size 0', '00000000 6d646174'],
    ['size 7', '00000007 6d646174'],
    ['giant', 'ffffffff 6d646174'],
    ['64-bit giant', '00000001 6d646174 7fffffff ffffffff'],
    ['64-bit too small', '00000001 6d646174 00000000 0000000f'],
  ])('refuses %s as soon as the header is there', (_name, bytes) => {
    expect(() => new BoxSplitter({ maxBoxBytes: 1000 }).push(unhex(bytes))).toThrow(
      expect.objectContaining({ code: 'bad_media' }),
    );
  });
});

describe('TrackReader', () => {
  const [fragment] = fragmentsOf([sample()]) as [Uint8Array];
  const moofBytes = fragment.subarray(0, fragment.length - 11);

  it('reads a header and its fragments', () => {
    const samples = steadySamples({ start: 0, count: 3, duration: 1024 });
    const events = new TrackReader().push(concatBytes([AUDIO_HEADER, ...fragmentsOf(samples)]));
    expect(events.map((event) => event.kind)).toEqual(['init', 'fragment', 'fragment', 'fragment']);
    expect(events.flatMap((event) => (event.kind === 'fragment' ? event.samples : []))).toEqual(
      samples,
    );
  });

  it.each([
    ['media before its header', fragment],
    ['moof without mdat', concatBytes([VIDEO_HEADER, moofBytes, moofBytes])],
    ['mdat without moof', concatBytes([VIDEO_HEADER, fragment.subarray(fragment.length - 11)])],
    ['an unknown box', concatBytes([VIDEO_HEADER, unhex('00000008 70776e64')])],
    [
      'another track',
      concatBytes([VIDEO_HEADER, chunk([sample()], { trackId: 2, sequenceNumber: 1 })]),
    ],
    ['no duration', concatBytes([VIDEO_HEADER, ...fragmentsOf([sample({ duration: 0 })])])],
    [
      'a decode time beyond 2^53',
      concatBytes([VIDEO_HEADER, replaced(fragment, '\0\0\0\x92', '\x7f\xff\xff\xff')]),
    ],
    [
      'sizes that miss the mdat',
      concatBytes([VIDEO_HEADER, moofBytes, unhex('0000000a 6d646174 0102')]),
    ],
  ])('refuses %s as bad_media', (_name, stream) => {
    expect(() => new TrackReader().push(stream)).toThrow(
      expect.objectContaining({ code: 'bad_media' }),
    );
  });

  it('never throws anything but a typed error on damaged fragments', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(fragment.length - 1), fc.nat(255)), {
          minLength: 1,
          maxLength: 6,
        }),
        (damage) => {
          const bytes = fragment.slice();
          damage.forEach(([at, value]) => (bytes[at] = value));
          try {
            const events = new TrackReader().push(concatBytes([VIDEO_HEADER, bytes]));
            expect(events[0]?.kind).toBe('init');
          } catch (error) {
            expect(error).toHaveProperty('code');
          }
        },
      ),
    );
  });
});

function replaced(bytes: Uint8Array, from: string, to: string): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString('latin1').replace(from, to), 'latin1');
}
