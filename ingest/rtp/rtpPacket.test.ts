import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRtpHeader, rtpPacketOf } from './rtpPacket.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const FIXED = 'e0 fffe 01020304 0a0b0c0d';

describe('parseRtpHeader', () => {
  it('reads the fixed header, and where the payload starts', () => {
    expect(parseRtpHeader(bytes(`80 ${FIXED} 41`), 3)).toEqual({
      ssrc: 0x0a0b0c0d,
      payloadType: 96,
      sequenceNumber: 65_534,
      timestamp: 0x01020304,
      marker: true,
      payloadOffset: 12,
      hasPadding: false,
    });
    expect(parseRtpHeader(bytes(`a2 ${FIXED} 00000001 00000002`), 3)).toMatchObject({
      payloadOffset: 20,
      hasPadding: true,
    });
  });

  it('finds the transport-wide number in both forms of extensions (RFC 8285)', () => {
    const oneByte = bytes(`90 ${FIXED} bede 0002 10 61 00 31 abcd 0000 55`);
    expect(parseRtpHeader(oneByte, 3)).toMatchObject({
      transportSequenceNumber: 0xabcd,
      payloadOffset: 24,
    });
    expect(parseRtpHeader(oneByte, 4)).not.toHaveProperty('transportSequenceNumber');
    const twoBytes = bytes(`90 ${FIXED} 1000 0002 01 00 03 02 abcd 0000`);
    expect(parseRtpHeader(twoBytes, 3)).toMatchObject({ transportSequenceNumber: 0xabcd });
  });

  it('reads nothing out of what is no RTP, and never throws', () => {
    expect(parseRtpHeader(bytes(`00 ${FIXED}`), 3)).toBeUndefined();
    expect(parseRtpHeader(bytes(`90 ${FIXED} bede 0009`), 3)).toBeUndefined();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.integer({ min: 1, max: 255 }),
        (noise, id) => {
          noise[0] = 0x80 | ((noise[0] ?? 0) & 0x3f);
          const header = parseRtpHeader(noise, id);
          expect(header?.payloadOffset ?? 0).toBeLessThanOrEqual(noise.length);
        },
      ),
    );
  });
});

describe('rtpPacketOf', () => {
  it('takes padding off, and refuses more of it than there is', () => {
    const header = parseRtpHeader(bytes(`a0 ${FIXED}`), undefined)!;
    expect(rtpPacketOf(header, bytes('41 42 000003'))?.payload).toEqual(bytes('4142'));
    expect(rtpPacketOf(header, bytes('00000004'))?.payload).toHaveLength(0);
    expect(rtpPacketOf(header, bytes('4105'))).toBeUndefined();
    expect(rtpPacketOf(header, bytes(''))).toBeUndefined();
  });
});
