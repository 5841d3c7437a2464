import { describe, expect, it } from 'vitest';
import {
  broadcastIdOf,
  compareEpochs,
  formatEpoch,
  ladderSchema,
  parseEpoch,
  DEFAULT_LADDER,
} from './wire.ts';
import { isAuthorized, Secret } from './secret.ts';

describe('names', () => {
  it.each([
    ['demo', 'demo'],
    ['DefaultStreamer', 's-defaultstreamer'],
    ['Stage 1/Ü', 's-stage-1'],
    ['7', 's-7'],
    ['', 's-streamer'],
  ])('streamer %s is broadcast %s', (streamerId, id) => {
    expect(broadcastIdOf(streamerId)).toBe(id);
  });
});

describe('epochs', () => {
  it('order by timestamp, then attempt', () => {
    const older = { timestamp: 9, attempt: 12 };
    const newer = { timestamp: 10, attempt: 1 };
    expect(compareEpochs(older, newer)).toBeLessThan(0);
    expect(parseEpoch(formatEpoch(newer))).toEqual(newer);
    expect(parseEpoch('10')).toBeUndefined();
    expect(parseEpoch('1e3.1')).toBeUndefined();
  });
});

describe('the ladder', () => {
  it('has distinct names', () => {
    expect(ladderSchema.safeParse(DEFAULT_LADDER).success).toBe(true);
    const rung = DEFAULT_LADDER.video[0];
    expect(ladderSchema.safeParse({ ...DEFAULT_LADDER, video: [rung, rung] }).success).toBe(false);
  });
});

describe('Secret', () => {
  it('prints nothing and compares', () => {
    const secret = new Secret('s3cret');
    expect(`${String(secret)} ${JSON.stringify({ secret })}`).toBe('*** {"secret":"***"}');
    expect(isAuthorized('Bearer s3cret', secret)).toBe(true);
    expect(isAuthorized('Bearer other', secret)).toBe(false);
    expect(isAuthorized(undefined, secret)).toBe(false);
  });
});
