import { describe, expect, it } from 'vitest';
import { NackList } from './nackList.ts';

describe('NackList', () => {
  it('asks at once, then each round trip, and stops when the packet comes', () => {
    const list = new NackList();
    list.arrived(65_534, 0);
    list.arrived(65_538, 0);
    expect(list.due(0)).toEqual([65_535, 65_536, 65_537]);
    expect(list.due(10)).toEqual([]);
    list.arrived(65_536, 20);
    expect(list.due(31)).toEqual([65_535, 65_537]);
    list.arrived(65_535, 40);
    list.arrived(65_537, 40);
    expect(list.due(1000)).toEqual([]);
  });

  it('asks no more for what was given up, nor more than ten times', () => {
    const list = new NackList();
    list.arrived(1, 0);
    list.arrived(4, 0);
    list.giveUpBelow(3);
    const asked = Array.from({ length: 40 }, (_, index) => list.due(index * 50)).flat();
    expect(asked).toEqual(Array.from({ length: 10 }, () => 3));
  });

  it('lets an outage go: a keyframe is cheaper', () => {
    const list = new NackList();
    list.arrived(1, 0);
    list.arrived(5000, 0);
    expect(list.due(0)).toEqual([]);
  });
});
