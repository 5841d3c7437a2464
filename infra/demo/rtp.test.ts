import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  packetizeOpus,
  packetizePicture,
  parseFeedback,
  type RtpStream,
  rtpTimeOf,
  senderReport,
  sequenceOf,
} from './rtp.ts';

const stream = (over: Partial<RtpStream> = {}): RtpStream => ({
  ssrc: 0x01020304,
  payloadType: 102,
  clockRate: 90_000,
  base: 1000,
  cname: 'demo',
  sequence: 65_534,
  packets: 0,
  octets: 0,
  ...over,
});

/** NAL units of packets (RFC 6184 §5.6, §5.7.1, §5.8), by the letter of the RFC. */
function depacketize(packets: readonly Buffer[]): Buffer[] {
  const nals: Buffer[] = [];
  let fragments: Buffer[] = [];
  for (const packet of packets) {
    const payload = packet.subarray(12);
    const type = payload[0]! & 0x1f;
    if (type === 24) {
      for (let at = 1; at < payload.length;) {
        const length = payload.readUInt16BE(at);
        nals.push(payload.subarray(at + 2, at + 2 + length));
        at += 2 + length;
      }
    } else if (type === 28) {
      const isStart = (payload[1]! & 0x80) !== 0;
      const header = Buffer.from([(payload[0]! & 0xe0) | (payload[1]! & 0x1f)]);
      fragments = isStart ? [header] : fragments;
      fragments.push(payload.subarray(2));
      if ((payload[1]! & 0x40) !== 0) {
        nals.push(Buffer.concat(fragments));
      }
    } else {
      nals.push(payload);
    }
  }
  return nals;
}

describe('rtp', () => {
  it('carries any picture in packets that fit, in order, marked at the end', () => {
    const nal = fc
      .tuple(
        fc.constantFrom(0x67, 0x68, 0x65, 0x41),
        fc.uint8Array({ minLength: 1, maxLength: 5000 }),
      )
      .map(([header, body]) => Buffer.from([header, ...body]));
    fc.assert(
      fc.property(fc.array(nal, { minLength: 1, maxLength: 6 }), (nals) => {
        // Parameter sets are short, and come first.
        const sets = nals.filter((unit) => unit[0]! > 0x65).map((unit) => unit.subarray(0, 60));
        const slices = nals.filter((unit) => unit[0]! <= 0x65);
        const sender = stream();
        const packets = packetizePicture(sender, [...sets, ...slices], 0);
        expect(Buffer.concat(depacketize(packets))).toEqual(Buffer.concat([...sets, ...slices]));
        expect(packets.every((packet) => packet.length <= 1162)).toBe(true);
        expect(packets.map((packet) => packet[1]! >> 7)).toEqual(
          packets.map((_, index) => (index === packets.length - 1 ? 1 : 0)),
        );
        expect(packets.map(sequenceOf)).toEqual(
          packets.map((_, index) => (65_534 + index) & 0xffff),
        );
        expect(sender.packets).toBe(packets.length);
      }),
      { numRuns: 50 },
    );
  });

  it('puts RTP time on a line over UTC that wraps at 2^32', () => {
    const nowMs = 1_795_200_000_000;
    const at = rtpTimeOf(stream(), nowMs);
    expect(at).toBe(Number((BigInt(nowMs) * 90n + 1000n) % 2n ** 32n));
    expect((rtpTimeOf(stream(), nowMs + 100 / 3) - at + 2 ** 32) % 2 ** 32).toBe(3000);
    expect(rtpTimeOf(stream({ base: 2 ** 32 - 1 }), 1)).toBe(89);
    expect(packetizeOpus(stream({ clockRate: 48_000 }), Buffer.alloc(3), 20).readUInt32BE(4)).toBe(
      1960,
    );
  });

  it('writes the sender report and CNAME of RFC 3550 §6.4.1, §6.5', () => {
    const report = senderReport(stream({ packets: 5, octets: 600 }), 1_795_200_000_250);
    expect(report.toString('hex')).toBe(
      [
        '80c80006', // V=2, RC=0, SR, 6 words
        '01020304',
        (1_795_200_000 + 2_208_988_800).toString(16), // NTP seconds
        '40000000', // a quarter of a second
        rtpTimeOf(stream(), 1_795_200_000_250).toString(16).padStart(8, '0'),
        '00000005',
        '00000258',
        '81ca0003', // SDES, one chunk, 3 words
        '01020304',
        '010464656d6f0000', // CNAME "demo", end
      ].join(''),
    );
  });

  it('reads NACK with its mask over the wrap, PLI and FIR, and never throws', () => {
    const nack = Buffer.from('81cd00030000000101020304' + 'ffff8001', 'hex');
    const pli = Buffer.from('81ce00020000000101020304', 'hex');
    const fir = Buffer.from('84ce00040000000100000000' + '0102030401000000', 'hex');
    expect(parseFeedback(Buffer.concat([nack, pli, fir]))).toEqual([
      { kind: 'nack', sequences: [65_535, 0, 15] },
      { kind: 'keyframe' },
      { kind: 'keyframe' },
    ]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(Array.isArray(parseFeedback(Buffer.from(bytes)))).toBe(true);
      }),
    );
  });
});
