import { describe, expect, it } from 'vitest';
import { Impairment } from './impairment.ts';
import { relayCandidates } from './udpRelay.ts';

describe('Impairment', () => {
  it('loses, delays, reorders and doubles about as many as it is told, the same each time', () => {
    const conditions = {
      lossPercent: 5,
      delayMs: 20,
      reorderPercent: 2,
      reorderMs: 15,
      duplicatePercent: 1,
    };
    const count = (impairment: Impairment): number[] => {
      const all = Array.from({ length: 10_000 }, () => impairment.arrivals(100));
      return [
        all.filter(({ length }) => length === 0).length,
        all.filter(([atMs]) => atMs === 135).length,
        all.filter(({ length }) => length === 2).length,
      ];
    };
    const [lost = 0, late = 0, doubled = 0] = count(new Impairment(conditions));
    expect([lost / 500, late / 190, doubled / 95].map(Math.round)).toEqual([1, 1, 1]);
    expect(count(new Impairment(conditions))).toEqual([lost, late, doubled]);
  });

  it('is dark for as long as it is told', () => {
    const impairment = new Impairment({});
    impairment.blackout(1000, 2000);
    expect([999, 1000, 1999, 2000].map((nowMs) => impairment.arrivals(nowMs).length)).toEqual([
      1, 0, 0, 1,
    ]);
    expect(impairment.dropped).toBe(2);
  });
});

describe('relayCandidates', () => {
  const relay = { address: '10.0.0.9', port: 5000 };

  it('leaves one candidate, the relay, in a description', () => {
    const lines = [
      'a=mid:0',
      'a=candidate:1 1 udp 2130706431 192.168.0.4 40000 typ host generation 0',
      'a=candidate:2 1 tcp 1518280447 192.168.0.4 9 typ host tcptype active',
      'a=candidate:3 1 udp 1694498815 1.2.3.4 40000 typ srflx raddr 0.0.0.0 rport 0',
      'a=end-of-candidates',
    ];
    expect(relayCandidates(lines.join('\r\n'), relay).split('\r\n')).toEqual([
      'a=mid:0',
      'a=candidate:1 1 udp 2130706431 10.0.0.9 5000 typ host',
      'a=end-of-candidates',
    ]);
  });

  it('turns a trickled one into the relay, or into nothing', () => {
    expect(relayCandidates('candidate:7 1 UDP 5 1.2.3.4 1 typ host', relay)).toBe(
      'candidate:7 1 UDP 5 10.0.0.9 5000 typ host',
    );
    expect(relayCandidates('candidate:7 1 tcp 5 1.2.3.4 1 typ host', relay)).toBe('');
  });
});
