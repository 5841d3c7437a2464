import { describe, expect, it } from 'vitest';
import { KeyframePolicy } from './keyframePolicy.ts';

describe('KeyframePolicy', () => {
  it('asks at once, waits longer each time, and is at rest when the keyframe came', () => {
    const policy = new KeyframePolicy({ throttleMs: 300 });
    expect(policy.due(0)).toBeUndefined();
    policy.want('loss');
    const asked = Array.from({ length: 800 }, (_, index) => index * 10).filter(
      (nowMs) => policy.due(nowMs) !== undefined,
    );
    expect(asked).toEqual([0, 300, 900, 2100, 4500, 6900]);
    policy.satisfied(0);
    expect(policy.due(60_000)).toBeUndefined();
  });

  it('holds the throttle across keyframes', () => {
    const policy = new KeyframePolicy({ throttleMs: 300 });
    policy.want('loss');
    expect(policy.due(0)).toBe('loss');
    policy.satisfied(0);
    policy.want('loss');
    expect(policy.due(299)).toBeUndefined();
    expect(policy.due(300)).toBe('loss');
    expect(policy.due(600)).toBe('loss');
  });

  it('names the weightiest of its reasons', () => {
    const policy = new KeyframePolicy({ throttleMs: 300 });
    policy.want('reader');
    policy.want('loss');
    expect(policy.due(0)).toBe('loss');
    policy.satisfied(0);
    policy.want('reader');
    expect(policy.due(300)).toBe('reader');
  });

  it('asks because time passed only where that is configured', () => {
    const policy = new KeyframePolicy({ throttleMs: 300, periodMs: 10_000 });
    expect(policy.due(20_000)).toBeUndefined(); // the first one is not a matter of time
    policy.satisfied(20_000);
    expect(policy.due(29_999)).toBeUndefined();
    expect(policy.due(30_000)).toBe('periodic');
  });
});
