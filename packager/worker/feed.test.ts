import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { meteredFeed } from './feed.ts';

const HEAD = Buffer.from('1a45dfa380' + '1549a966872ad7b1830f4240', 'hex');
const TRACKS = Buffer.from('1654ae6b88ae86d78101838101', 'hex');
const CLUSTER = Buffer.from('1f43b67501ffffffffffffff' + 'e78164', 'hex');
const block = (relative: number): Buffer => Buffer.from([0xa3, 0x84, 0x81, 0, relative, 0x80]);
/** A length that EBML has not. */
const DAMAGE = Buffer.from([0xa3, 0x00, 0x00, 0x00]);

it('of a feed that is damaged every byte passes, and it is measured no more, which is said once', async () => {
  const units: number[] = [];
  const faults: string[] = [];
  const slices = [
    Buffer.concat([HEAD, TRACKS, CLUSTER, block(0)]),
    block(40),
    DAMAGE,
    block(80),
    DAMAGE,
  ];
  const source = new PassThrough();
  const { body, newestMs } = meteredFeed(
    { body: source, newestMs: unixMs(7) },
    {
      unit: ({ stampMs }) => units.push(stampMs),
      unreadable: (why) => faults.push(why),
    },
  );
  const all = buffer(body);
  slices.forEach((slice) => source.write(slice));
  source.end();
  expect(await all).toEqual(Buffer.concat(slices));
  expect(units).toEqual([100, 140]);
  expect(faults).toEqual(['the feed is not Matroska: a length that EBML has not']);
  expect(newestMs).toBe(7);
});

it('a feed that breaks off breaks off here', async () => {
  const source = new PassThrough();
  const { body } = meteredFeed(
    { body: source, newestMs: unixMs(7) },
    { unit: () => undefined, unreadable: () => undefined },
  );
  const all = buffer(body);
  source.write(HEAD);
  source.destroy(new Error('connection reset'));
  await expect(all).rejects.toThrow('connection reset');
});
