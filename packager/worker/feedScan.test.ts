import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { FeedScan, type FeedUnit } from './feedScan.ts';

const UNKNOWN = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

function element(id: string, payload: Uint8Array | number[]): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(payload.length + 0x10000000);
  return Buffer.concat([Buffer.from(id, 'hex'), length, Buffer.from(payload)]);
}

function block(id: string, track: number, relative: number, bytes: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt8(0x80 | track);
  head.writeInt16BE(relative, 1);
  return element(id, Buffer.concat([head, Buffer.alloc(bytes, 0xa3)]));
}

/** As ingest writes it: 100 us units, clusters of unknown size. */
const FEED = Buffer.concat([
  element('1a45dfa3', element('4282', [...Buffer.from('matroska')])),
  Buffer.from([0x18, 0x53, 0x80, 0x67, ...UNKNOWN]),
  element('1549a966', element('2ad7b1', [0x01, 0x86, 0xa0])),
  element(
    '1654ae6b',
    Buffer.concat([
      element(
        'ae',
        Buffer.concat([element('d7', [1]), element('83', [1]), element('63a2', [1, 2, 3])]),
      ),
      element('ae', Buffer.concat([element('d7', [2]), element('83', [2])])),
      element('ae', Buffer.concat([element('d7', [3]), element('83', [17])])),
    ]),
  ),
  Buffer.from([0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN]),
  element('e7', [0x10, 0x55, 0xc4, 0x64, 0x30, 0x00]),
  block('a3', 1, 0, 300),
  block('a3', 2, -5, 20),
  block('a3', 3, 0, 9),
  Buffer.from([0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN]),
  element('e7', [0x10, 0x55, 0xc4, 0x64, 0x40, 0x00]),
  element('a0', Buffer.concat([block('a1', 1, 335, 70_000), element('9b', [1])])),
]);
const START_MS = 0x1055c4643000 / 10;
const UNITS: FeedUnit[] = [
  { kind: 'video', stampMs: START_MS },
  { kind: 'audio', stampMs: START_MS - 0.5 },
  { kind: 'video', stampMs: (0x1055c4644000 + 335) / 10 },
];

test('however the feed is cut, its stamps are the same', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
      const scan = new FeedScan();
      const units: FeedUnit[] = [];
      for (let at = 0, turn = 0; at < FEED.length; turn += 1) {
        const size = (sizes[turn % sizes.length] ?? 1) * (at > 400 ? 100 : 1);
        units.push(...scan.push(FEED.subarray(at, at + size)));
        at += size;
      }
      expect(units).toEqual(UNITS);
    }),
  );
});

test('a small size in eight bytes, as ffmpeg writes it, is skipped to the byte', () => {
  const info = FEED.indexOf(Buffer.from('1549a966', 'hex'));
  const filler = Buffer.from([0xec, 0x01, 0, 0, 0, 0, 0, 0, 98, ...Buffer.alloc(98)]);
  const feed = Buffer.concat([FEED.subarray(0, info), filler, FEED.subarray(info)]);
  expect(new FeedScan().push(feed)).toEqual(UNITS);
});

test.each([
  ['<html>', 'the feed is not Matroska: it begins with 3c68746d'],
  ['\x1aE', undefined],
])('%j: %s', (text, fault) => {
  const scan = new FeedScan();
  const push = (): unknown => scan.push(Buffer.from(text, 'latin1'));
  if (fault === undefined) {
    expect(push()).toEqual([]);
  } else {
    expect(push).toThrow(fault);
  }
});

test('of damaged bytes nothing comes but bad_media', () => {
  fc.assert(
    fc.property(
      fc.nat(FEED.length - 70_100),
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      (at, bytes) => {
        const damaged = Buffer.from(FEED);
        damaged.set(bytes, at);
        try {
          new FeedScan().push(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
          expect(error).toMatchObject({ code: 'bad_media' });
        }
      },
    ),
  );
});
