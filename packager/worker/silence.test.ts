import { describe, expect, it } from 'vitest';
import { Silence } from './silence.ts';

const PATIENCE = { feedMs: 3000, outputMs: 800 };

/** Feed and both tracks every 50 ms from 0 to `untilMs`. */
function running(untilMs: number): Silence {
  const silence = new Silence(['v', 'a'], 0, 0, PATIENCE);
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 50) {
    silence.sawFeed(nowMs);
    silence.sawOutput('v', nowMs);
    silence.sawOutput('a', nowMs);
  }
  return silence;
}

describe('an encoder', () => {
  it('is hung where one track says nothing while the feed flows', () => {
    const silence = running(1000);
    for (let nowMs = 1050; nowMs <= 1800; nowMs += 50) {
      silence.sawFeed(nowMs);
      silence.sawOutput('a', nowMs);
    }
    expect(silence.fault(1800)).toBeUndefined();
    silence.sawFeed(1850);
    expect(silence.fault(1850)).toBe('ffmpeg has written nothing of v for 800 ms');
  });

  it('is hung where it has stopped reading the feed', () => {
    const silence = running(1000);
    silence.isFeedHeld = true;
    expect(silence.fault(1801)).toMatch(/nothing of v/);
  });

  it('is not to blame for a feed that pauses, nor at once when it goes on', () => {
    const silence = running(1000);
    expect(silence.fault(3900)).toBeUndefined();
    silence.sawFeed(3950);
    expect(silence.fault(3960)).toBeUndefined();
    expect(silence.fault(4001)).toBeUndefined();
    for (let nowMs = 4000; nowMs <= 4800; nowMs += 50) {
      silence.sawFeed(nowMs);
    }
    expect(silence.fault(4800)).toMatch(/ffmpeg has written nothing/);
  });

  it('is given until its start', () => {
    const silence = new Silence(['v'], 0, 5000, PATIENCE);
    for (let nowMs = 0; nowMs <= 5800; nowMs += 50) {
      silence.sawFeed(nowMs);
    }
    expect(silence.fault(5800)).toBeUndefined();
    expect(silence.fault(5801)).toMatch(/nothing of v/);
  });

  it('ends with a feed that stays silent', () => {
    expect(running(1000).fault(4001)).toBe('the feed has been silent for 3000 ms');
  });
});
