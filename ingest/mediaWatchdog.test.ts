import { describe, expect, it } from 'vitest';
import { MediaWatchdog } from './mediaWatchdog.ts';

const make = (): MediaWatchdog =>
  new MediaWatchdog({ mediaTimeoutMs: 2000, connectTimeoutMs: 10_000 }, 0);

describe('MediaWatchdog', () => {
  it('gives the first picture its own time', () => {
    const watchdog = make();
    expect(watchdog.check(10_000)).toBeUndefined();
    expect(watchdog.check(10_001)).toBe('no picture came');
  });

  it('tells media that stopped', () => {
    const watchdog = make();
    watchdog.picture(5000);
    watchdog.counted({ packetsReceived: 300, unauthentic: 0 });
    expect(watchdog.check(7000)).toBeUndefined();
    expect(watchdog.check(7001)).toBe('the media stopped');
  });

  it('tells packets that come but do not authenticate', () => {
    const watchdog = make();
    watchdog.counted({ packetsReceived: 300, unauthentic: 1 });
    watchdog.picture(5000);
    watchdog.counted({ packetsReceived: 310, unauthentic: 400 });
    expect(watchdog.check(7001)).toBe('packets do not authenticate');
  });

  it('tells packets of which no picture becomes whole', () => {
    const watchdog = make();
    watchdog.picture(5000);
    watchdog.counted({ packetsReceived: 3000, unauthentic: 0 });
    expect(watchdog.check(7001)).toBe('no picture is whole');
    watchdog.picture(7002);
    expect(watchdog.check(9000)).toBeUndefined();
  });

  it('waits for a picture that the streamer has frozen, and again once it goes on', () => {
    const watchdog = make();
    watchdog.picture(5000);
    watchdog.frozen(true, 6000);
    expect(watchdog.check(600_000)).toBeUndefined();
    watchdog.frozen(false, 600_000);
    expect(watchdog.check(602_000)).toBeUndefined();
    expect(watchdog.check(602_001)).toBe('the media stopped');
  });
});
