import { describe, expect, it } from 'vitest';
import type { Engine, Span } from './engine.ts';
import { AT_LIVE } from './place.ts';
import type { Programme } from './viewing.ts';
import { Whereabouts } from './whereabouts.ts';

const LIVE_MS = 1_795_212_000_000;
const URLS = (name: string) => ({ hls: `${name}.m3u8`, dash: `${name}.mpd` });
const PROGRAMME: Programme = {
  state: 'live',
  isOnAir: true,
  live: URLS('main'),
  window: URLS('dvr'),
  fromMs: LIVE_MS - 3_600_000,
};

/** A player that holds a span. */
const holding = (span: Span): Engine =>
  ({ seekable: () => span, targetMs: () => 1000 }) as unknown as Engine;
const AT_EDGE = holding({ fromMs: LIVE_MS - 60_000, toMs: LIVE_MS });

function viewer(change: Partial<Programme> = {}): Whereabouts {
  const where = new Whereabouts('live');
  where.programme = { ...PROGRAMME, ...change };
  return where;
}

describe('Whereabouts', () => {
  it('reaches all that is kept, not only what the player holds', () => {
    expect(viewer().reach(AT_EDGE, LIVE_MS)).toEqual({ fromMs: PROGRAMME.fromMs, toMs: LIVE_MS });
    const memoryOnly = viewer({ window: undefined, fromMs: LIVE_MS - 20_000 });
    expect(memoryOnly.reach(AT_EDGE, LIVE_MS)?.fromMs).toBe(LIVE_MS - 20_000);
  });

  it('needs another player to go beyond the live window, and none within it', () => {
    const where = viewer();
    const near = where.placeFor(LIVE_MS - 30_000, AT_EDGE, LIVE_MS) ?? AT_LIVE;
    expect([where.moveTo(near), where.urls()?.hls]).toEqual([false, 'main.m3u8']);
    const far = where.placeFor(LIVE_MS - 600_000, AT_EDGE, LIVE_MS) ?? AT_LIVE;
    expect([where.moveTo(far), where.urls()?.hls]).toEqual([true, 'dvr.m3u8']);
    expect([where.moveTo(AT_LIVE), where.isFollowing]).toEqual([true, true]);
  });

  it('plays what is behind live although live is interrupted, and live only while it is on air', () => {
    expect(viewer({ state: 'interrupted' }).isPlayable()).toBe(true);
    const where = viewer({ state: 'interrupted', isOnAir: false });
    expect(where.isPlayable()).toBe(false);
    where.moveTo({ source: 'window', isFollowing: false, atMs: LIVE_MS - 600_000 });
    expect(where.isPlayable()).toBe(true);
  });

  it('takes a pause that outlasts the live window to the whole one, where there is one', () => {
    for (const [window, wanted] of [
      [URLS('dvr'), 'window'],
      [undefined, 'live'],
    ] as const) {
      const where = viewer({ window });
      where.isFollowing = false;
      expect(where.note(AT_EDGE, LIVE_MS - 30_000, false)).toBe(false);
      expect(where.note(AT_EDGE, LIVE_MS - 59_000, false)).toBe(window !== undefined);
      expect(where.source).toBe(wanted);
    }
  });

  it('stays with the player after the end, where nothing is live', () => {
    const where = viewer({ state: 'ended' });
    const place = where.placeFor(LIVE_MS - 30_000, AT_EDGE, undefined);
    expect(place).toEqual({ source: 'live', isFollowing: false, atMs: LIVE_MS - 30_000 });
    expect(where.placeFor(LIVE_MS + 5000, AT_EDGE, undefined)?.atMs).toBe(LIVE_MS);
    expect(where.placeFor(LIVE_MS - 600_000, AT_EDGE, undefined)?.source).toBe('window');
  });
});
