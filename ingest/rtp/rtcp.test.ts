import { describe, expect, it } from 'vitest';
import {
  genericNack,
  ntpToUnixMs,
  pictureLossIndication,
  receiverEstimatedMaximumBitrate,
} from './rtcp.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const target = { senderSsrc: 0x01020304, mediaSsrc: 0x0a0b0c0d };

describe('rtcp', () => {
  it('reads the NTP fraction as 32 bits of a second', () => {
    // 2026-11-20T19:00:00.250Z
    expect(ntpToUnixMs(1_795_201_200 + 2_208_988_800, 0x40000000)).toBe(1_795_201_200_250);
  });

  it('writes a picture loss indication', () => {
    expect(hex(pictureLossIndication(target))).toBe('81ce0002010203040a0b0c0d');
  });

  it('packs sequence numbers into masks of sixteen, across the wrap', () => {
    const nack = genericNack(target, [65_535, 65_536, 65_551, 65_552]);
    expect(hex(nack)).toBe('81cd0004' + '010203040a0b0c0d' + 'ffff8001' + '00100000');
  });

  it('grants a bitrate as exponent and mantissa', () => {
    const remb = receiverEstimatedMaximumBitrate(0x01020304, [0x0a0b0c0d], 8_000_000);
    expect(hex(remb)).toBe('8fce0005' + '0102030400000000' + '52454d42' + '0117d090' + '0a0b0c0d');
    const bits = new DataView(remb.buffer).getUint32(16) & 0xffffff;
    expect((bits & 0x3ffff) * 2 ** (bits >> 18)).toBe(8_000_000);
  });
});
