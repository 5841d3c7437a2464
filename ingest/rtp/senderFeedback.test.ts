import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readRtcp } from './rtcpReader.ts';
import type { RtpPacket } from './rtpPacket.ts';
import { type FeedbackMode, SenderFeedback } from './senderFeedback.ts';

const packet = (sequenceNumber: number): RtpPacket => ({
  ssrc: 10,
  payloadType: 96,
  sequenceNumber,
  timestamp: 0,
  marker: false,
  payload: Uint8Array.of(1),
  transportSequenceNumber: sequenceNumber,
});
const make = (feedback: FeedbackMode): SenderFeedback =>
  new SenderFeedback({ localSsrc: 1, feedback, maxBitrateBps: 1e6 });
const names = (packets: readonly Uint8Array[]): string[] =>
  packets.map(([first = 0, type = 0]) => `${type}/${first & 0x1f}`);
/** Blocks of a compound, by type. */
function sections(compound: Uint8Array): Map<number, Buffer> {
  const all = Buffer.from(compound);
  const found = new Map<number, Buffer>();
  for (let at = 0; at < all.length;) {
    const end = at + (all.readUInt16BE(at + 2) + 1) * 4;
    found.set(all[at + 1]!, all.subarray(at, end));
    at = end;
  }
  return found;
}

describe('SenderFeedback', () => {
  it('reports arrivals each 50 ms, or as soon as a hundred came', () => {
    const feedback = make('transport-cc');
    feedback.arrived(packet(0), 90_000, 0);
    expect(names(feedback.take([10], 0))).toEqual(['205/15', '201/1']);
    for (let sequence = 1; sequence <= 99; sequence += 1) {
      feedback.arrived(packet(sequence), 90_000, 10);
    }
    expect(feedback.take([10], 10)).toEqual([]);
    feedback.arrived(packet(100), 90_000, 11);
    expect(names(feedback.take([10], 11))).toEqual(['205/15']);
    feedback.arrived(packet(101), 90_000, 12);
    expect(feedback.take([10], 60)).toEqual([]);
    expect(names(feedback.take([10], 61))).toEqual(['205/15']);
  });

  it('grants a bitrate twice a second, or says nothing of it', () => {
    const remb = make('remb');
    remb.arrived(packet(0), 90_000, 0);
    expect(names(remb.take([10], 0))).toEqual(['206/15', '201/1']);
    expect(remb.take([10], 499)).toEqual([]);
    expect(names(remb.take([10], 500))).toEqual(['206/15']);
    const none = make('none');
    none.arrived(packet(0), 90_000, 0);
    expect(names(none.take([10], 0))).toEqual(['201/1']);
  });

  it('sends receiver reports each second, from which the sender has its round trip', () => {
    const feedback = make('none');
    expect(feedback.take([10], 0)).toEqual([]);
    feedback.arrived(packet(65_535), 90_000, 0);
    feedback.arrived(packet(1), 90_000, 10);
    feedback.told(
      { kind: 'report', ssrc: 10, ntpSeconds: 3, ntpFraction: 0x8000_0000, rtpTimestamp: 0 },
      500,
    );
    const [compound] = feedback.take([10], 1000);
    const parts = sections(compound!);
    expect([...parts.keys()]).toEqual([201, 202, 207]);
    const report = parts.get(201)!;
    expect(report.readUInt32BE(8)).toBe(10);
    expect(report[12]).toBe(Math.floor(256 / 3));
    expect(report.readUIntBE(13, 3)).toBe(1);
    expect(report.readUInt32BE(16)).toBe(0x10001);
    expect(report.readUInt32BE(24)).toBe(0x0003_8000);
    expect(report.readUInt32BE(28)).toBe(32_768);
    expect(feedback.take([10], 1999)).toEqual([]);
  });

  it('has its own round trip from the answer to its reference time', () => {
    const feedback = make('none');
    feedback.arrived(packet(1), 90_000, 0);
    const [compound] = feedback.take([10], 70_000_250);
    const reference = sections(compound!).get(207)!;
    const last = reference.readUInt16BE(14) * 0x10000 + reference.readUInt16BE(16);
    const answer = { kind: 'reference', ssrc: 1, last, delay: 6554 } as const; // held 100 ms
    expect(feedback.told(answer, 70_000_400)).toBeCloseTo(50, 1);
    expect(feedback.told({ ...answer, ssrc: 2 }, 70_000_400)).toBeUndefined();
    expect(feedback.told({ ...answer, last: 0 }, 70_000_400)).toBeUndefined();
  });
});

describe('readRtcp', () => {
  it('reads sender reports and answers to reference times, and passes over the rest', () => {
    const whole = Buffer.from(
      (
        '80c80006 0000000a 00000001 00000002 00000003 00000000 00000000' +
        '81ca0003 0000000a 01016100 00000000' +
        '80cf0005 0000000a 05000003 00000001 00000007 00000008'
      ).replaceAll(' ', ''),
      'hex',
    );
    expect(readRtcp(whole)).toEqual([
      { kind: 'report', ssrc: 10, ntpSeconds: 1, ntpFraction: 2, rtpTimestamp: 3 },
      { kind: 'reference', ssrc: 1, last: 7, delay: 8 },
    ]);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        fc.constantFrom(200, 207, 201),
        (noise, type) => {
          if (noise.length > 4) {
            noise.set([0x80, type, 0, (noise[3] ?? 0) % 24]);
          }
          expect(Array.isArray(readRtcp(noise))).toBe(true);
        },
      ),
    );
  });
});
