import { expect, it } from 'vitest';
import { H264Depacketizer } from './h264Depacketizer.ts';

it('refuses a NAL unit in fragments that does not end, past 8 MiB', () => {
  const depacketizer = new H264Depacketizer();
  const fragment = (flags: number): Uint8Array => {
    const payload = new Uint8Array(64 * 1024);
    payload.set([0x7c, flags | 5]);
    return payload;
  };
  const taken = [fragment(0x80), ...Array.from({ length: 127 }, () => fragment(0))];
  expect(taken.map((payload) => depacketizer.push(payload))).toEqual(taken.map(() => []));
  expect(depacketizer.push(fragment(0))).toBeUndefined();
  depacketizer.reset();
  expect(depacketizer.push(fragment(0x80))).toEqual([]);
});
