import { describe, expect, it } from 'vitest';
import { MediaReceiver, type MediaReceiverSink } from './mediaReceiver.ts';
import type { RtpPacket } from './rtpPacket.ts';

const KEYFRAME = Uint8Array.from(
  Buffer.from(
    '780019' + '6742c01eda0280bfe5c044000003000400000300f03c58ba80' + '000468ce0fc8' + '00026501',
    'hex',
  ),
);
const SLICE = Uint8Array.of(0x41, 1);

function setup(): { receiver: MediaReceiver; log: string[] } {
  const log: string[] = [];
  const sink: MediaReceiverSink = {
    restarted: () => log.push('restarted'),
    parameters: ({ width, height }) => log.push(`${width}x${height}`),
    unit: ({ kind, isKeyframe, rtpTime }) =>
      log.push(`${kind}${kind === 'video' && isKeyframe ? ' key' : ''} ${rtpTime - 2 ** 32}`),
    report: ({ kind, rtpTime, ntpMs }) => log.push(`report ${kind} ${rtpTime - 2 ** 32} ${ntpMs}`),
    rtcp: (packet) => log.push(`rtcp ${packet[1]}/${packet[0]! & 0x1f}`),
    keyframeOverdue: () => log.push('overdue'),
  };
  const receiver = new MediaReceiver(
    {
      formats: new Map([
        [96, { kind: 'video', codec: 'h264' }],
        [97, { kind: 'rtx', apt: 96 }],
        [98, { kind: 'video', codec: 'h264' }],
        [111, { kind: 'audio' }],
      ]),
      localSsrc: 1,
      feedback: 'transport-cc',
      maxBitrateBps: 1e6,
      reorderMinMs: 60,
      reorderMaxMs: 200,
      keyframeThrottleMs: 300,
      keyframePeriodMs: 0,
    },
    sink,
  );
  return { receiver, log };
}
const video = (
  sequenceNumber: number,
  payload: Uint8Array,
  more: Partial<RtpPacket> = {},
): RtpPacket => ({
  ssrc: 10,
  payloadType: 96,
  sequenceNumber,
  timestamp: sequenceNumber * 3000,
  marker: true,
  payload,
  ...more,
});
const resent = (sequenceNumber: number, payload: Uint8Array): RtpPacket =>
  video(sequenceNumber, Uint8Array.of(sequenceNumber >> 8, sequenceNumber & 0xff, ...payload), {
    ssrc: 11,
    payloadType: 97,
  });
/** A sender report of NTP time `unixMs` (whole seconds) and RTP time `rtp`. */
const report = (ssrc: number, rtp: number, unixMs: number): Uint8Array => {
  const packet = Buffer.alloc(28);
  packet.set([0x80, 200, 0, 6]);
  packet.writeUInt32BE(ssrc, 4);
  packet.writeUInt32BE(unixMs / 1000 + 2_208_988_800, 8);
  packet.writeUInt32BE(rtp, 16);
  return packet;
};
/** What happened since, without the receiver reports of each second. */
const take = (log: string[]): string[] => log.splice(0).filter((line) => line !== 'rtcp 201/1');

describe('MediaReceiver', () => {
  it('asks for a keyframe at the start and rests when it came', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, SLICE), 0);
    expect(take(log)).toEqual(['rtcp 206/1']);
    receiver.push(video(2, KEYFRAME), 30);
    expect(take(log)).toEqual(['640x360', 'video key 6000']);
    receiver.tick(5000);
    expect(take(log)).toEqual([]);
    expect(receiver.stats).toMatchObject({ framesIn: 2, framesDamaged: 1, plisSent: 1 });
  });

  it('has a lost packet sent again and takes it from the retransmission stream', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, KEYFRAME), 0);
    receiver.push(video(3, SLICE), 10);
    expect(take(log).slice(-1)).toEqual(['rtcp 205/1']);
    receiver.push(resent(2, SLICE), 30);
    expect(take(log)).toEqual(['video 6000', 'video 9000']);
    // Probes repeat old packets: nothing comes of them.
    receiver.push(resent(1, KEYFRAME), 40);
    receiver.push(resent(2, new Uint8Array(0)), 40);
    expect(take(log)).toEqual([]);
    expect(receiver.stats).toMatchObject({ packetsLost: 0, nacksSent: 1 });
  });

  it('gives up after the deadline, asks for a keyframe and starts with it', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, KEYFRAME), 0);
    receiver.push(video(3, SLICE), 10);
    take(log);
    receiver.tick(1000);
    expect(take(log)).toEqual(['rtcp 206/1']);
    receiver.push(video(4, SLICE), 1010);
    receiver.push(video(5, KEYFRAME), 1040);
    expect(take(log)).toEqual(['video key 15000']);
    expect(receiver.stats).toMatchObject({ packetsLost: 1, framesDamaged: 2 });
  });

  it('tells when picture loss indications are not answered', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, SLICE), 0);
    receiver.tick(300);
    receiver.tick(900);
    expect(take(log)).toEqual(['rtcp 206/1', 'rtcp 206/1', 'rtcp 206/1', 'overdue']);
  });

  it('relates sender reports to the unwrapped time of their track', () => {
    const { receiver, log } = setup();
    receiver.pushRtcp(report(10, 5, 1000), 0);
    receiver.push(video(1, KEYFRAME, { timestamp: 0xffff_fff0 }), 0);
    receiver.push(video(2, SLICE, { ssrc: 20, payloadType: 111, timestamp: 7 }), 0);
    take(log);
    receiver.pushRtcp(report(10, 5, 1000), 0);
    receiver.pushRtcp(report(20, 960, 2000), 0);
    receiver.pushRtcp(report(11, 960, 2000), 0);
    expect(take(log)).toEqual([`report video ${2 ** 32 + 5} 1000`, 'report audio 960 2000']);
  });

  it('starts over when an SSRC changes, and stragglers of the old one do not flap it', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, KEYFRAME), 0);
    take(log);
    receiver.push(video(500, KEYFRAME, { ssrc: 12 }), 1000);
    expect(take(log)).toEqual(['restarted', '640x360', 'video key 1500000']);
    receiver.push(video(2, SLICE), 1001);
    expect(take(log)).toEqual([]);
    expect(receiver.stats).toMatchObject({ packetsUnknown: 1, framesIn: 2 });
  });

  it('reports transport-wide arrivals each 50 ms, of any packet', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, KEYFRAME, { transportSequenceNumber: 9 }), 0);
    take(log);
    receiver.tick(10);
    receiver.push(video(2, SLICE, { payloadType: 99, transportSequenceNumber: 10 }), 20);
    receiver.tick(40);
    expect(take(log)).toEqual(['rtcp 205/15']);
    receiver.tick(60);
    expect(take(log)).toEqual(['rtcp 205/15']);
    receiver.tick(120);
    expect(take(log)).toEqual([]);
  });

  it('reports reception once a second', () => {
    const { receiver, log } = setup();
    receiver.tick(0);
    receiver.push(video(1, KEYFRAME), 0);
    [10, 500, 1000, 1010].forEach((nowMs) => receiver.tick(nowMs));
    expect(log.filter((line) => line === 'rtcp 201/1')).toHaveLength(2);
  });

  it('does not wait for what was lost in an outage, but asks for a keyframe at once', () => {
    const { receiver, log } = setup();
    receiver.push(video(65_530, KEYFRAME), 0);
    take(log);
    receiver.push(video(100, SLICE), 1000);
    expect(take(log)).toEqual(['rtcp 206/1']);
    receiver.push(video(101, KEYFRAME), 1050);
    expect(take(log)).toEqual(['video key 303000']);
    expect(receiver.stats).toMatchObject({ packetsLost: 105, plisByReason: { loss: 1 } });
  });

  it('asks for a keyframe when the sender changes the codec', () => {
    const { receiver, log } = setup();
    receiver.push(video(1, KEYFRAME), 0);
    take(log);
    receiver.push(video(2, SLICE, { payloadType: 98 }), 500);
    receiver.tick(510);
    expect(take(log)).toEqual(['video 6000', 'rtcp 206/1']);
    expect(receiver.stats.plisByReason).toEqual({ format: 1 });
  });

  it('waits longer for retransmissions the longer the round trip is, within bounds', () => {
    const { receiver } = setup();
    receiver.push(video(1, KEYFRAME), 0);
    expect(receiver.stats.reorderMs).toBe(200);
    let nowMs = 0;
    for (let sequence = 2; sequence < 100; sequence += 2) {
      nowMs += 100;
      receiver.push(video(sequence + 1, SLICE), nowMs);
      receiver.push(resent(sequence, SLICE), nowMs + 4);
    }
    expect(receiver.stats.roundTripMs).toBeCloseTo(4, 0);
    expect(receiver.stats.reorderMs).toBeLessThan(120); // six rounds of 14 ms, and 30 ms
    expect(receiver.stats.packetsRecovered).toBe(49);
  });
});
