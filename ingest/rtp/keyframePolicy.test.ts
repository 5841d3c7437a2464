import { describe, expect, it } from 'vitest';
import { KeyframePolicy } from './keyframePolicy.ts';

describe('KeyframePolicy', () => {
  it('asks at once, waits longer each time, and is at rest when the keyframe came', () => {
    const policy = new KeyframePolicy({ throttleMs: 300 });
    expect(policy.due(0)).toBe(false);
    policy.want();
    const asked = Array.from({ length: 800 }, (_, index) => index * 10).filter((nowMs) =>
      policy.due(nowMs),
    );
    expect(asked).toEqual([0, 300, 900, 2100, 4500, 6900]);
    policy.satisfied();
    expect(policy.due(60_000)).toBe(false);
  });

  it('holds the throttle across keyframes', () => {
    const policy = new KeyframePolicy({ throttleMs: 300 });
    policy.want();
    expect(policy.due(0)).toBe(true);
    policy.satisfied();
    policy.want();
    expect(policy.due(299)).toBe(false);
    expect(policy.due(300)).toBe(true);
    expect(policy.due(600)).toBe(true);
  });
});
