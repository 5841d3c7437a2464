import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Assembled, VideoAssembler } from './videoAssembler.ts';

const SPS = Uint8Array.from(
  Buffer.from('6742c01eda0280bfe5c044000003000400000300f03c58ba80', 'hex'),
);
const SPS_1080 = Uint8Array.from(
  Buffer.from('6742c028da01e0089f970110000003001000000303c0f1832a', 'hex'),
);
const PPS = Uint8Array.from(Buffer.from('68ce0fc8', 'hex'));
const IDR = Uint8Array.of(0x65, 1, 2, 3, 4, 5, 6, 7);
const SLICE = Uint8Array.of(0x41, 9, 8, 7);

const stapA = (...nals: Uint8Array[]): Uint8Array =>
  Uint8Array.from([0x78, ...nals.flatMap((nal) => [nal.length >> 8, nal.length & 0xff, ...nal])]);
const fuA = (nal: Uint8Array, pieceBytes: number): Uint8Array[] => {
  const pieces: Uint8Array[] = [];
  for (let at = 1; at < nal.length; at += pieceBytes) {
    const isStart = at === 1 ? 0x80 : 0;
    const isEnd = at + pieceBytes >= nal.length ? 0x40 : 0;
    const header = [(nal[0]! & 0xe0) | 28, isStart | isEnd | (nal[0]! & 0x1f)];
    pieces.push(Uint8Array.from([...header, ...nal.subarray(at, at + pieceBytes)]));
  }
  return pieces;
};
const avcc = (...nals: Uint8Array[]): number[] =>
  nals.flatMap((nal) => [0, 0, nal.length >> 8, nal.length & 0xff, ...nal]);

class Feeder {
  readonly assembler = new VideoAssembler('h264');
  #sequence = 0;
  unit(
    rtpTime: number,
    payloads: readonly Uint8Array[],
    lost: readonly number[] = [],
  ): Assembled[] {
    return payloads.flatMap((payload, index) => {
      this.#sequence += 1;
      if (lost.includes(index)) {
        return this.assembler.push({ kind: 'loss', count: 1 });
      }
      const marker = index === payloads.length - 1;
      return this.assembler.push({
        kind: 'packet',
        packet: { sequence: this.#sequence, rtpTime, marker, payload, arrivedMs: rtpTime + index },
      });
    });
  }
}
const kinds = (out: readonly Assembled[]): string[] =>
  out.map((item) =>
    item.kind === 'parameters' ? `${item.parameters.height}p` : item.isKeyframe ? 'key' : 'delta',
  );

describe('VideoAssembler', () => {
  it('starts at the first keyframe and gives its parameters first', () => {
    const feeder = new Feeder();
    expect(kinds(feeder.unit(0, [SLICE]))).toEqual([]);
    expect(kinds(feeder.unit(1, [stapA(SPS, PPS), ...fuA(IDR, 3)]))).toEqual(['360p', 'key']);
    expect(kinds(feeder.unit(2, [SLICE]))).toEqual(['delta']);
    expect(feeder.assembler.stats).toEqual({ units: 2, damaged: 1 });
  });

  it('puts the known sets in front of an IDR without them and drops delimiters', () => {
    const feeder = new Feeder();
    feeder.unit(1, [stapA(SPS, PPS), IDR]);
    const [unit] = feeder.unit(2, [stapA(Uint8Array.of(9, 0xf0), IDR)]);
    expect(unit).toMatchObject({ kind: 'unit', isKeyframe: true, rtpTime: 2, arrivedMs: 2 });
    expect(unit?.kind === 'unit' ? [...unit.data] : []).toEqual(avcc(SPS, PPS, IDR));
  });

  it('announces a new sequence, once', () => {
    const feeder = new Feeder();
    feeder.unit(1, [stapA(SPS, PPS), IDR]);
    expect(kinds(feeder.unit(2, [stapA(SPS, PPS), IDR]))).toEqual(['key']);
    expect(kinds(feeder.unit(3, [stapA(SPS_1080, PPS), IDR]))).toEqual(['1080p', 'key']);
  });

  it('joins the NAL unit again however it was cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 2, maxLength: 500 }),
        fc.integer({ min: 1, max: 499 }),
        (body, pieceBytes) => {
          const nal = Uint8Array.of(0x65, ...body);
          // A unit of one fragment is not allowed (RFC 6184 §5.8).
          const pieces = pieceBytes >= body.length ? [nal] : fuA(nal, pieceBytes);
          const out = new Feeder().unit(1, [SPS, PPS, ...pieces]);
          const unit = out.at(-1);
          expect(unit?.kind === 'unit' ? [...unit.data] : []).toEqual(avcc(SPS, PPS, nal));
        },
      ),
    );
  });

  it.each([
    ['the first fragment', [0]],
    ['a middle fragment', [1]],
    ['the last fragment and its marker', [2]],
  ])('after the loss of %s lets nothing through until the next IDR', (_name, lost) => {
    const feeder = new Feeder();
    feeder.unit(1, [stapA(SPS, PPS), IDR]);
    const slice = Uint8Array.of(0x41, 1, 2, 3, 4, 5, 6);
    expect(kinds(feeder.unit(2, fuA(slice, 2), lost))).toEqual([]);
    expect(feeder.assembler.isAwaitingKeyframe).toBe(true);
    expect(kinds(feeder.unit(3, [SLICE]))).toEqual([]);
    expect(kinds(feeder.unit(4, [stapA(SPS, PPS), IDR]))).toEqual(['key']);
  });

  it('takes an IDR right after a gap only where its start is seen', () => {
    const feeder = new Feeder();
    feeder.unit(1, [stapA(SPS, PPS), IDR]);
    feeder.assembler.push({ kind: 'loss', count: 1 });
    expect(kinds(feeder.unit(2, [IDR]))).toEqual([]);
    feeder.assembler.push({ kind: 'loss', count: 1 });
    expect(kinds(feeder.unit(3, [stapA(SPS, PPS), IDR]))).toEqual(['key']);
  });

  it('finishes a unit without a marker when the timestamp changes', () => {
    const feeder = new Feeder();
    const push = (rtpTime: number, payload: Uint8Array): Assembled[] =>
      feeder.assembler.push({
        kind: 'packet',
        packet: { sequence: 0, rtpTime, marker: false, payload, arrivedMs: 0 },
      });
    expect(kinds(push(1, stapA(SPS, PPS)))).toEqual([]);
    expect(kinds(push(1, IDR))).toEqual([]);
    expect(kinds(push(2, SLICE))).toEqual(['360p', 'key']);
  });

  it('survives any payload and any order of losses', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(SPS, PPS, IDR, SLICE, stapA(SPS, PPS), ...fuA(IDR, 3)),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(payload, fc.integer({ min: 0, max: 3 }), fc.boolean(), fc.boolean())),
        (steps) => {
          const assembler = new VideoAssembler('h264');
          let rtpTime = 0;
          for (const [bytes, advance, marker, isLost] of steps) {
            rtpTime += advance;
            const packet = { sequence: 0, rtpTime, marker, payload: bytes, arrivedMs: 0 };
            for (const item of assembler.push(
              isLost ? { kind: 'loss', count: 1 } : { kind: 'packet', packet },
            )) {
              expect(item.kind === 'parameters' || item.data.length > 4).toBe(true);
            }
          }
        },
      ),
    );
  });
});
