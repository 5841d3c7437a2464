import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFlvReader } from './flv.ts';
import { createOggReader } from './ogg.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Feeds a stream cut at any places and collects what comes out. */
function inPieces<T>(bytes: Buffer, cuts: readonly number[], push: (chunk: Buffer) => T[]): T[] {
  const places = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length];
  places.sort((a, b) => a - b);
  return places.slice(1).flatMap((end, index) => push(bytes.subarray(places[index], end)));
}

const cuts = fc.array(fc.nat(10_000), { maxLength: 12 });

describe('flv reader', () => {
  const tag = (type: number, body: Buffer): Buffer => {
    const size = body.length.toString(16).padStart(6, '0');
    return Buffer.concat([
      Buffer.from([type]),
      hex(`${size} 00000000 000000`),
      body,
      hex('00000000'),
    ]);
  };
  const file = Buffer.concat([
    hex('464c5601 01 00000009 00000000'),
    tag(18, Buffer.from('script data is passed over')),
    // Sequence header: SPS 67 42, PPS 68 ce.
    tag(9, hex('17 00 000000  01 42c01f ff e1 0002 6742 01 0002 68ce')),
    // Keyframe: SEI (left out) and an IDR slice.
    tag(9, hex('17 01 000000  00000002 0605 00000003 658881')),
    tag(8, hex('af 01 00')),
    tag(9, hex('27 01 000000  00000002 419a')),
  ]);

  it('gives pictures with parameter sets on keyframes, however the bytes are cut', () => {
    fc.assert(
      fc.property(cuts, (places) => {
        const reader = createFlvReader();
        const pictures = inPieces(file, places, (chunk) =>
          // Views end with the next push, so they are copied here.
          reader.push(chunk).map(({ nals, isKeyframe }) => ({
            isKeyframe,
            nals: nals.map((nal) => Buffer.from(nal).toString('hex')),
          })),
        );
        expect(pictures).toEqual([
          { isKeyframe: true, nals: ['6742', '68ce', '658881'] },
          { isKeyframe: false, nals: ['419a'] },
        ]);
      }),
    );
  });

  it('says so when it is not FLV, not H.264, or absurdly large', () => {
    expect(() => createFlvReader().push(Buffer.alloc(13))).toThrow('did not give FLV');
    const header = file.subarray(0, 13);
    expect(() => createFlvReader().push(Buffer.concat([header, tag(9, hex('12 01'))]))).toThrow(
      'did not give H.264',
    );
    const large = Buffer.concat([header, hex('09 ffffff 00000000 000000')]);
    expect(() => createFlvReader().push(large)).toThrow('16777215 bytes');
  });
});

describe('ogg reader', () => {
  const page = (...packets: Buffer[]): Buffer => {
    const lacing = packets.flatMap(({ length }) => [
      ...Array.from({ length: Math.floor(length / 255) }, () => 255),
      length % 255,
    ]);
    return Buffer.concat([
      Buffer.from('OggS'),
      Buffer.alloc(22),
      Buffer.from([lacing.length, ...lacing]),
      ...packets,
    ]);
  };
  const head = Buffer.concat([Buffer.from('OpusHead'), hex('01 02 3801 80bb0000 0000 00')]);
  const packets = [Buffer.alloc(3, 1), Buffer.alloc(255, 2), Buffer.alloc(300, 3)];
  const file = Buffer.concat([
    page(head),
    page(Buffer.from('OpusTags and more')),
    page(packets[0]!),
    page(packets[1]!, packets[2]!),
  ]);

  it('gives packets and the pre-skip, however the bytes are cut', () => {
    fc.assert(
      fc.property(cuts, (places) => {
        const reader = createOggReader();
        const got = inPieces(file, places, (chunk) =>
          reader.push(chunk).map((packet) => Buffer.from(packet)),
        );
        expect(got).toEqual(packets);
        expect(reader.preSkip()).toBe(312);
      }),
    );
  });

  it('says so when it is not Ogg', () => {
    expect(() => createOggReader().push(Buffer.alloc(27))).toThrow('did not give Ogg');
  });
});
