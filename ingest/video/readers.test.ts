/** What holds for the pictures of every codec, and what is peculiar to each. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VIDEO_CODECS, type VideoCodec } from '../../infra/kernel/media.ts';
import { parseSequenceHeader } from './av1Sequence.ts';
import { packetize, type TestPicture } from './testPackets.ts';
import { type Assembled, VideoAssembler } from './videoAssembler.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const join = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

/** Of encoders that ffmpeg 5.1 has, 320x180: libvpx, libaom, x264, x265. */
const AV1_SEQUENCE = hex('000000043cfeccdaf90040');
const H264_SPS = hex('6742c01eda0280bfe5c044000003000400000300f03c58ba80');
const H264_PPS = hex('68ce0fc8');
const H265_VPS = hex('40010c01ffff016000000300900000030000 03003cba0240');
const H265_SPS = hex(
  '420101016000000300900000030000 03003ca00a080c1f3e5ba4a4c2f0168080000003008000000f04',
);
const H265_PPS = hex('4401c0718312');

type Codec = {
  readonly size: readonly [number, number];
  /** A picture around `body`, whose last unit it ends. */
  readonly key: (body: Uint8Array) => TestPicture;
  readonly delta: (body: Uint8Array) => TestPicture;
  /** What the feed is given of a picture. */
  readonly bytes: (picture: TestPicture) => Uint8Array;
};

const nalBytes = (picture: TestPicture): Uint8Array =>
  join(...picture.flatMap((nal) => [[0, 0, nal.length >> 8, nal.length & 0xff], nal]));
const obuBytes = (picture: TestPicture): Uint8Array =>
  join(
    ...picture.flatMap((obu) => {
      const size = obu.length - 1;
      const coded = size > 0x7f ? [(size & 0x7f) | 0x80, size >> 7] : [size];
      return [[obu[0]! | 2, ...coded], obu.subarray(1)];
    }),
  );

const CODECS: Record<VideoCodec, Codec> = {
  vp8: {
    size: [320, 180],
    key: (body) => [join(hex('1002009d012a4001b400'), body)],
    delta: (body) => [join(hex('110200'), body)],
    bytes: ([frame]) => frame!,
  },
  vp9: {
    size: [320, 180],
    key: (body) => [join(hex('824983420013f00b36'), body)],
    delta: (body) => [join([0x86], body)],
    bytes: ([frame]) => frame!,
  },
  av1: {
    size: [320, 180],
    key: (body) => [join([0x08], AV1_SEQUENCE), join([0x30, 0x10], body)],
    delta: (body) => [join([0x30, 0x30], body)],
    bytes: obuBytes,
  },
  h264: {
    size: [640, 360],
    key: (body) => [H264_SPS, H264_PPS, join([0x65], body)],
    delta: (body) => [join([0x41], body)],
    bytes: nalBytes,
  },
  h265: {
    size: [320, 180],
    key: (body) => [H265_VPS, H265_SPS, H265_PPS, join([0x26, 0x01], body)],
    delta: (body) => [join([0x02, 0x01], body)],
    bytes: nalBytes,
  },
};

class Feeder {
  readonly assembler: VideoAssembler;
  constructor(codec: VideoCodec) {
    this.assembler = new VideoAssembler(codec);
  }
  picture(rtpTime: number, payloads: readonly Uint8Array[], lost?: number): Assembled[] {
    return payloads.flatMap((payload, index) => {
      const marker = index === payloads.length - 1;
      const packet = { sequence: 0, rtpTime, marker, payload, arrivedMs: rtpTime };
      return this.assembler.push(
        index === lost ? { kind: 'loss', count: 1 } : { kind: 'packet', packet },
      );
    });
  }
}
const kinds = (out: readonly Assembled[]): string[] =>
  out.map((item) =>
    item.kind === 'parameters'
      ? `${item.parameters.codec} ${item.parameters.width}x${item.parameters.height}`
      : item.isKeyframe
        ? 'key'
        : 'delta',
  );
const dataOf = (out: readonly Assembled[]): Uint8Array | undefined =>
  out.flatMap((item) => (item.kind === 'unit' ? [item.data] : [])).at(-1);
const body = fc.uint8Array({ minLength: 3, maxLength: 400 });
const BODY = Uint8Array.of(9, 8, 7, 6, 5, 4, 3, 2, 1);

describe.each(VIDEO_CODECS)('%s', (codec) => {
  const { size, key, delta, bytes } = CODECS[codec];

  it('starts at the first keyframe, with its size before it, once', () => {
    const feeder = new Feeder(codec);
    const send = (picture: TestPicture): string[] =>
      kinds(feeder.picture(Math.random(), packetize(codec, picture, 4)));
    expect(send(delta(BODY))).toEqual([]);
    expect(send(key(BODY))).toEqual([`${codec} ${size[0]}x${size[1]}`, 'key']);
    expect(send(delta(BODY))).toEqual(['delta']);
    expect(send(key(BODY))).toEqual(['key']);
    expect(feeder.assembler.stats).toEqual({ units: 3, damaged: 1 });
  });

  it('gives the same bytes however the picture was cut', () => {
    fc.assert(
      fc.property(body, fc.integer({ min: 1, max: 500 }), (content, pieceBytes) => {
        const feeder = new Feeder(codec);
        for (const [time, picture] of [key(content), delta(content)].entries()) {
          const out = feeder.picture(time, packetize(codec, picture, pieceBytes));
          expect(Buffer.from(dataOf(out) ?? [])).toEqual(Buffer.from(bytes(picture)));
        }
      }),
    );
  });

  it('gives no picture with a hole, nor one that refers to it, wherever the hole is', () => {
    const first = packetize(codec, key(BODY), 3);
    for (const picture of [key(BODY), delta(BODY)]) {
      const payloads = packetize(codec, picture, 3);
      payloads.forEach((_, lost) => {
        const feeder = new Feeder(codec);
        feeder.picture(1, first);
        expect(kinds(feeder.picture(2, payloads, lost))).toEqual([]);
        expect(kinds(feeder.picture(3, packetize(codec, delta(BODY), 3)))).toEqual([]);
        expect(feeder.assembler.isAwaitingKeyframe).toBe(true);
        expect(kinds(feeder.picture(4, first))).toEqual(['key']);
      });
    }
  });

  it('survives any payload in any order', () => {
    const good = [...packetize(codec, key(BODY), 4), ...packetize(codec, delta(BODY), 4)];
    const mangled = fc
      .tuple(fc.constantFrom(...good), fc.nat(20), fc.nat(255))
      .map(([payload, at, value]) => payload.with(at % payload.length, value));
    const payload = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...good), mangled);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(payload, fc.nat(2), fc.boolean(), fc.nat(9)), { maxLength: 60 }),
        (steps) => {
          const assembler = new VideoAssembler(codec);
          let rtpTime = 0;
          for (const [bytes, advance, marker, dice] of steps) {
            rtpTime += advance;
            const packet = { sequence: 0, rtpTime, marker, payload: bytes, arrivedMs: 0 };
            for (const item of assembler.push(
              dice === 0 ? { kind: 'loss', count: 1 } : { kind: 'packet', packet },
            )) {
              expect(
                item.kind === 'parameters' ? item.parameters.width : item.data.length,
              ).toBeGreaterThan(0);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('VP8', () => {
  it.each([
    ['the shortest', '10'],
    ['a short picture ID', '90 80 05'],
    ['a long picture ID, TL0PICIDX, TID and KEYIDX', '90 f0 81 23 44 20'],
  ])('reads a descriptor: %s', (_name, descriptor) => {
    const [frame] = CODECS.vp8.key(BODY);
    const out = new Feeder('vp8').picture(1, [join(hex(descriptor), frame!)]);
    expect(Buffer.from(dataOf(out) ?? [])).toEqual(Buffer.from(frame!));
  });

  it('announces a new size', () => {
    const feeder = new Feeder('vp8');
    feeder.picture(1, packetize('vp8', CODECS.vp8.key(BODY), 99));
    const [frame] = CODECS.vp8.key(BODY);
    expect(
      kinds(feeder.picture(2, packetize('vp8', [frame!.with(6, 0x80).with(7, 2)], 99))),
    ).toEqual(['vp8 640x180', 'key']);
  });
});

describe('VP9', () => {
  const [frame] = CODECS.vp9.key(BODY);
  it.each([
    ['the shortest', '0c'],
    [
      'non-flexible with layers and a scalability structure of one size and a group',
      'ae 81 23 00 07 18 0140 00b4 02 04 01 40',
    ],
    ['flexible with references', 'fc 05 00 03 04'],
  ])('reads a descriptor: %s', (_name, descriptor) => {
    const out = new Feeder('vp9').picture(1, [join(hex(descriptor), frame!)]);
    expect(Buffer.from(dataOf(out) ?? [])).toEqual(Buffer.from(frame!));
  });

  it('takes the base of several spatial layers and leaves the others out', () => {
    const layer = (sid: number): Uint8Array => join([0xac, 0x05, sid << 1, 0x07], frame!);
    const out = new Feeder('vp9').picture(1, [layer(0), layer(1), layer(2)]);
    expect(kinds(out)).toEqual(['vp9 320x180', 'key']);
    expect(Buffer.from(dataOf(out) ?? [])).toEqual(Buffer.from(frame!));
  });

  it('does not take a picture whose end it has not seen', () => {
    expect(kinds(new Feeder('vp9').picture(1, [join([0x08], frame!)]))).toEqual([]);
  });
});

describe('AV1', () => {
  const [sequence, frame] = CODECS.av1.key(BODY) as [Uint8Array, Uint8Array];

  it('reads several OBUs in a packet, with and without the count, and drops delimiters', () => {
    const delimiter = Uint8Array.of(0x10);
    const counted = join([0x38, 1], delimiter, [sequence.length], sequence, frame);
    const lengths = join([0x08, 1], delimiter, [sequence.length], sequence, [frame.length], frame);
    for (const payload of [counted, lengths]) {
      const out = new Feeder('av1').picture(1, [payload]);
      expect(kinds(out)).toEqual(['av1 320x180', 'key']);
      expect(Buffer.from(dataOf(out) ?? [])).toEqual(Buffer.from(obuBytes([sequence, frame])));
    }
  });

  it('writes av1C of the sequence header', () => {
    const [parameters] = new Feeder('av1').picture(1, packetize('av1', [sequence, frame], 99));
    expect(parameters).toMatchObject({
      parameters: { decoderConfiguration: join(hex('81 00 0c 00 0a 0b'), AV1_SEQUENCE) },
    });
  });

  it('puts the known sequence header in front of a keyframe without one', () => {
    const feeder = new Feeder('av1');
    feeder.picture(1, packetize('av1', [sequence, frame], 99));
    const out = feeder.picture(2, packetize('av1', [frame], 99));
    expect(Buffer.from(dataOf(out) ?? [])).toEqual(Buffer.from(obuBytes([sequence, frame])));
  });

  it('reads or refuses any sequence header', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const parsed = parseSequenceHeader(bytes);
        expect(parsed === undefined || parsed.width > 0).toBe(true);
      }),
    );
  });
});

describe('H.265', () => {
  const idr = join([0x26, 0x01], BODY);
  const sized = (nal: Uint8Array): Uint8Array => join([nal.length >> 8, nal.length & 0xff], nal);

  it('reads an aggregation packet and writes hvcC', () => {
    const sets = [H265_VPS, H265_SPS, H265_PPS];
    const [parameters, unit] = new Feeder('h265').picture(1, [
      join([0x60, 0x01], ...sets.map(sized)),
      idr,
    ]);
    expect(dataOf([unit!])).toEqual(nalBytes([...sets, idr]));
    expect(parameters).toMatchObject({
      parameters: {
        decoderConfiguration: join(
          hex('01 01 60000000 900000000000 3c f000 fc fd f8 f8 0000 0f 03'),
          ...[0x20, 0x21, 0x22].flatMap((type, index) => [[type, 0, 1], sized(sets[index]!)]),
        ),
      },
    });
  });

  it('puts the known sets in front of a keyframe without them and drops upper layers', () => {
    const feeder = new Feeder('h265');
    const sets = [H265_VPS, H265_SPS, H265_PPS];
    feeder.picture(1, [...sets, idr]);
    const upper = join([0x02, 0x09], BODY);
    expect(dataOf(feeder.picture(2, [idr, upper]))).toEqual(nalBytes([...sets, idr]));
  });
});
