import { describe, expect, it } from 'vitest';
import { ticks, unixMs } from '../../infra/kernel/time.ts';
import type { SegmentEntry, TrackWindow } from '../playlists/model.ts';
import { ArchivedBodies } from './archivedBodies.ts';
import { depthOf } from './config.ts';
import { awaitedName, judge, parseDirectives } from './directives.ts';
import { BROADCAST } from './fixtures.ts';
import { acceptsGzip, isUnmodifiedSince, matchesEtag, parseRange } from './negotiation.ts';
import { Renderings } from './renderings.ts';
import { parseRoute } from './route.ts';
import { isOver } from './show.ts';

describe('parseDirectives', () => {
  it.each([
    ['', '', {}],
    ['', '_HLS_msn=12', { msn: 12 }],
    ['', '_HLS_msn=12&_HLS_part=3', { msn: 12, part: 3 }],
    ['', '_HLS_part=0&_HLS_msn=0', { msn: 0, part: 0 }],
    ['[R15] ', '_HLS_msn=999999999999999', { msn: 999_999_999_999_999 }],
    ['[R09] ', '_HLS_skip=YES', { skip: 'YES' }],
    ['[R09] ', '_HLS_msn=7&_HLS_skip=v2&_HLS_part=1', { msn: 7, part: 1, skip: 'v2' }],
    ['[R10 B08 B09] ', '_HLS_skip=maybe&_HLS_foo=1&CMCD=br%3D1&x', {}],
    ['[R10] ', '_HLS_skip', {}],
    ['[R10] ', '_HLS_skip=yes', {}],
    ['[B09] ', 'x_HLS_msn=abc', {}],
    ['[B09] ', 'CMCD=_HLS_msn', {}],
  ])('%sreads %j', (_ids, query, expected) => {
    expect(parseDirectives(query)).toEqual(expected);
  });

  it.each([
    ['R05 B04', '_HLS_part=1'],
    ['R15 B03', '_HLS_msn='],
    ['R15 B03', '_HLS_msn=-1'],
    ['R15 B03', '_HLS_msn=+1'],
    ['R15 B03', '_HLS_msn=%201'],
    ['R15 B03', '_HLS_msn=1e3'],
    ['R15 B03', '_HLS_msn=1.5'],
    ['R15 B03', '_HLS_msn=0x10'],
    ['R15 B03', '_HLS_msn=abc'],
    ['R15 B03', '_HLS_msn=9007199254740993'],
    ['R15 B03', '_HLS_msn=100000000000000000000000000000'],
    ['R15 B03', '_HLS_msn=%D9%A1'],
    ['R15 B07', '_HLS_msn=1&_HLS_msn=999'],
    ['R15 B04', '_HLS_msn=1&_HLS_part=-1'],
    ['R15 B07', '_HLS_msn=1&_HLS_part=1&_HLS_part=1'],
    ['R15 B04', '_HLS_msn=1&_HLS_part='],
    ['R15 B03', '_HLS_msn=%31'],
    ['R15 B03', '_HLS_msn'],
    ['B07', '_HLS_skip=YES&_HLS_skip=YES'],
  ])('[%s] refuses %j', (_ids, query) => {
    expect(parseDirectives(query)).toBeTypeOf('string');
  });
});

describe('judge', () => {
  const segment = (msn: number, partCount: number): SegmentEntry => ({
    msn,
    start: ticks(0),
    duration: ticks(0),
    isGap: partCount === 0,
    era: 0,
    parts: Array.from({ length: partCount }, (_, index) => ({
      index,
      duration: ticks(45_000),
      isIndependent: index === 0,
      isGap: false,
    })),
  });
  const window = (openParts: number | undefined, lastParts = 4): TrackWindow => ({
    track: { name: 'v', kind: 'video', codecs: '', timescale: 90_000, bitrateBps: 1 },
    segments: [segment(98, 4), segment(99, lastParts)],
    open: openParts === undefined ? undefined : segment(100, openParts),
    initUris: new Map(),
  });

  it.each([
    ['no directive', {}, 2, 'now'],
    ['[R04] a closed segment', { msn: 99 }, 2, 'now'],
    ['[R04 B06] older than the window', { msn: 3, part: 77 }, 2, 'now'],
    ['[R01] the open segment as a whole', { msn: 100 }, 2, 'wait'],
    ['[R04] a part that is there', { msn: 100, part: 1 }, 2, 'now'],
    ['[R02] the next part', { msn: 100, part: 2 }, 2, 'wait'],
    ['[R03] a part past the closed parent is part 0 of the next', { msn: 99, part: 4 }, 2, 'now'],
    ['[R03] the same, any index', { msn: 99, part: 5000 }, 2, 'now'],
    ['[R03] the same while the next has not begun', { msn: 99, part: 4 }, undefined, 'wait'],
    ['[R02] the first part of the next', { msn: 100, part: 0 }, undefined, 'wait'],
    ['[R02] the first part of the open segment, not there yet', { msn: 100, part: 0 }, 0, 'wait'],
    ['two segments ahead', { msn: 102 }, 2, 'wait'],
    ['[R06 B05] three segments ahead', { msn: 103 }, 2, 'refuse'],
    ['two ahead of the last closed', { msn: 101 }, undefined, 'wait'],
    ['[R06 B05] three ahead of the last closed', { msn: 102 }, undefined, 'refuse'],
    ['[R06] a part at the advance limit', { msn: 100, part: 7 }, 2, 'wait'],
    ['[R06 B05] a part beyond the advance limit', { msn: 100, part: 8 }, 2, 'refuse'],
    ['[R06 B05] a part of the next beyond the limit', { msn: 101, part: 1006 }, 2, 'refuse'],
    ['[R06 B03] a number beyond everything', { msn: 999_999_999_999_999, part: 0 }, 2, 'refuse'],
  ] as const)('%s: %j with %j open parts: %s', (_name, directives, openParts, expected) => {
    expect(judge(directives, window(openParts), BROADCAST.grid)).toBe(expected);
  });

  it.each([
    ['part 0 of the next, however it is asked for', { msn: 99, part: 4 }, '100.0 '],
    ['the same with any other index', { msn: 99, part: 123_456, skip: 'v2' }, '100.0 v2'],
    ['the same by its own name', { msn: 100, part: 0 }, '100.0 '],
    ['a segment as a whole', { msn: 100 }, '100. '],
  ] as const)('[B09] has one name for %s', (_name, directives, expected) => {
    expect(awaitedName(directives, window(undefined))).toBe(expected);
  });

  it('[R04] answers at once for a gap segment', () => {
    expect(judge({ msn: 99, part: 0 }, window(undefined, 0), BROADCAST.grid)).toBe('now');
  });
});

describe('isOver', () => {
  it.each([
    ['at the end', 1000, 1000, false],
    ['within a minute of it', 1000, 60_999, false],
    ['a minute after it', 1000, 61_000, true],
    ['where the clock went back', 61_000, 1000, false],
    ['where the end was before a restart', undefined, 1000, true],
  ])('%s', (_name, endedMs, nowMs, expected) => {
    expect(isOver(endedMs === undefined ? undefined : unixMs(endedMs), unixMs(nowMs))).toBe(
      expected,
    );
  });
});

describe('depthOf', () => {
  it.each([
    ['the defaults', 60_000, 90_000, 2000, { windowSegments: 30, ringSegments: 45 }],
    ['a window beyond the ring', 120_000, 90_000, 2000, { windowSegments: 60, ringSegments: 68 }],
    ['few long segments', 12_000, 18_000, 3000, { windowSegments: 6, ringSegments: 14 }],
  ])('[H17] of %s', (_name, windowMs, ringMs, segmentMs, expected) => {
    expect(depthOf({ windowMs, ringMs }, { segmentMs })).toEqual(expected);
  });
});

describe('parseRoute', () => {
  const live = { broadcast: 'demo', view: 'live' };
  const dvr = { broadcast: 'demo', view: 'dvr' };
  const vod = { broadcast: 'demo', recording: '20261120t220409z', view: 'vod' };
  it.each([
    ['/time', { kind: 'time' }],
    ['/live/demo/main.m3u8', { ...live, kind: 'multivariant' }],
    ['/live/demo/manifest.mpd', { ...live, kind: 'mpd' }],
    ['/live/demo/dvr.m3u8', { ...dvr, kind: 'multivariant' }],
    ['/live/demo/dvr.mpd', { ...dvr, kind: 'mpd' }],
    ['/live/demo/v720/media.m3u8', { ...live, kind: 'playlist', track: 'v720' }],
    ['/live/demo/v720/dvr.m3u8', { ...dvr, kind: 'playlist', track: 'v720' }],
    ['/live/demo/v720/iframes.m3u8', { ...live, kind: 'iframes', track: 'v720' }],
    ['/live/demo/a128/7.m4s', { ...live, kind: 'segment', track: 'a128', msn: 7 }],
    [
      '/live/d_-1/v720-2/7.0.m4s',
      { broadcast: 'd_-1', view: 'live', kind: 'part', track: 'v720-2', msn: 7, part: 0 },
    ],
    [
      '/live/demo/v720/init-0123456789abcdef.mp4',
      { ...live, kind: 'init', track: 'v720', file: 'init-0123456789abcdef.mp4' },
    ],
    ['/vod/demo/20261120t220409z/main.m3u8', { ...vod, kind: 'multivariant' }],
    ['/vod/demo/20261120t220409z/manifest.mpd', { ...vod, kind: 'mpd' }],
    ['/vod/demo/20261120t220409z/v720/media.m3u8', { ...vod, kind: 'playlist', track: 'v720' }],
    ['/vod/demo/20261120t220409z/v720/iframes.m3u8', { ...vod, kind: 'iframes', track: 'v720' }],
    ['/vod/demo/20261120t220409z/v720/7.m4s', { ...vod, kind: 'segment', track: 'v720', msn: 7 }],
  ])('knows %s', (path, expected) => {
    expect(parseRoute(path)).toEqual(expected);
  });

  it.each([
    '/live',
    '/live/',
    '/live/demo',
    '/live/demo/',
    '/live/../../etc/passwd',
    '/live/%2e%2e%2fetc/passwd',
    '/live/..%5c/main.m3u8',
    '/live/demo/main.m3u8%00',
    '/live/demo/%zz',
    '/live/demo/%c0%ae/media.m3u8',
    '/live//demo/main.m3u8',
    '/live/DEMO/main.m3u8',
    '/live/demo/v720/007.m4s',
    '/live/demo/v720/-1.m4s',
    '/live/demo/v720/1e3.m4s',
    '/live/demo/v720/9999999999999999.m4s',
    '/live/demo/v720/1.2.3.m4s',
    '/live/demo/v720/init-xyz.mp4',
    '/live/demo/v720/media.m3u8/x',
    '/live/demo/main.mp4',
    '/live/demo/v720/v720/media.m3u8',
    '/live/demo/v720/dvr.mpd',
    '/time/',
    '/vod',
    '/vod/demo/main.m3u8',
    '/vod/demo/20261120/main.m3u8',
    '/vod/demo/20261120t220409z/dvr.m3u8',
    '/vod/demo/20261120t220409z/v720/dvr.m3u8',
    '/vod/demo/20261120t220409z/v720/7.0.m4s',
    '/vod/../20261120t220409z/v720/7.m4s',
  ])('[B01 B02] knows nothing of %s', (path) => {
    expect(parseRoute(path)).toBeUndefined();
  });
});

describe('negotiation', () => {
  it.each([
    [undefined, false],
    ['gzip', true],
    ['br, GZIP;q=0.5', true],
    ['gzip;q=0, *', false],
    ['*', true],
    ['*;q=0', false],
    ['identity, br', false],
    ['gzip;q=x', false],
    ['gzip;q=0', false],
    ['deflate, gzip ;q=0.1', true],
    ['br', false],
    ['identity', false],
    ['gzip, deflate, br, zstd', true],
  ])('[B25] Accept-Encoding %j: gzip %j', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected);
  });

  it.each([
    [undefined, false],
    ['"a"', true],
    ['W/"a"', true],
    ['"x", "b"', true],
    ['*', true],
    ['a', false],
    ['"c"', false],
  ])('[B15] If-None-Match %j: %j', (header, expected) => {
    expect(matchesEtag(header, ['"a"', '"b"'])).toBe(expected);
  });

  it.each([
    ['', undefined, 'whole'],
    ['[B16] ', 'bytes=0-99', [0, 99]],
    ['[B16] ', 'bytes=0-', [0, 999]],
    ['[B16] ', 'bytes=990-5000', [990, 999]],
    ['[B16] ', 'bytes=-10', [990, 999]],
    ['[B16] ', 'bytes=-5000', [0, 999]],
    ['[B17] ', 'bytes=-0', 'unsatisfiable'],
    ['[B17] ', 'bytes=1000-', 'unsatisfiable'],
    ['[B17] ', 'bytes=999999999-', 'unsatisfiable'],
    ['[B17] ', 'bytes=9-1', 'whole'],
    ['[B17] ', 'bytes=-', 'whole'],
    ['[B17] ', 'bytes=a-b', 'whole'],
    ['[B17] ', 'items=0-1', 'whole'],
    ['[B18] ', 'bytes=0-1,2-3', 'whole'],
  ])('%sRange %j of 1000 bytes: %j', (_ids, header, expected) => {
    const answer = parseRange(header, 1000);
    expect(answer.kind === 'part' ? [answer.first, answer.last] : answer.kind).toEqual(expected);
  });

  const modifiedMs = Date.UTC(2026, 10, 20, 19, 0, 0, 900);
  it.each([
    ['Fri, 20 Nov 2026 19:00:00 GMT', modifiedMs, true],
    ['Fri, 20 Nov 2026 18:59:59 GMT', modifiedMs, false],
    ['Sat, 21 Nov 2026 00:00:00 GMT', modifiedMs, true],
    ['Sat, 21 Nov 2026 00:00:00 GMT', undefined, false],
    ['yesterday', modifiedMs, false],
    [undefined, modifiedMs, false],
  ])('[B15] If-Modified-Since %j of %j: %j', (header, modified, expected) => {
    expect(isUnmodifiedSince(header, modified)).toBe(expected);
  });
});

describe('Renderings', () => {
  it('[R14] give one body, one compressed body and one row of headers to all of a state', () => {
    const renderings = new Renderings();
    const first = renderings.get('v', 1, () => 'text');
    expect(renderings.get('v', 1, () => 'never asked')).toBe(first);
    expect(first.gzip()).toBe(first.gzip());
    expect(first.head('mediaPlaylist', true)).toBe(first.head('mediaPlaylist', true));
    expect(renderings.get('v', 2, () => 'other').etag).not.toBe(first.etag);
  });

  it('keep what reads the same under the next version', () => {
    const renderings = new Renderings();
    const first = renderings.get('mpd', 1, () => 'constant');
    expect(renderings.get('mpd', 2, () => 'constant')).toBe(first);
  });
});

describe('ArchivedBodies', () => {
  const about = { kind: 'videoMedia', modifiedMs: 0 } as const;

  it('read a file once for all who ask, and keep the last used within the bound', async () => {
    const bodies = new ArchivedBodies(250);
    const reads: string[] = [];
    const get = (name: string) =>
      bodies.get(name, about, () => {
        reads.push(name);
        return Promise.resolve(new Uint8Array(100));
      });
    const [a, b] = await Promise.all([get('a'), get('a')]);
    expect(a).toBe(b);
    await get('b');
    await get('a');
    await get('c');
    expect(await get('a')).toBe(a);
    expect(reads).toEqual(['a', 'b', 'c']);
    await get('b');
    expect(reads).toEqual(['a', 'b', 'c', 'b']);
  });

  it('say what is lost, what failed, and when too many reads run', async () => {
    const bodies = new ArchivedBodies();
    expect(await bodies.get('x', about, () => Promise.resolve(undefined))).toBe('lost');
    expect(await bodies.get('x', about, () => Promise.reject(new Error('disk')))).toBe('lost');
    const releases: (() => void)[] = [];
    const slow = (): Promise<undefined> =>
      new Promise((resolve) => {
        releases.push(() => {
          resolve(undefined);
        });
      });
    const running = Array.from({ length: 64 }, (_, i) => bodies.get(`s${i}`, about, slow));
    expect(await bodies.get('one more', about, slow)).toBe('busy');
    releases.forEach((release) => {
      release();
    });
    await Promise.all(running);
    expect(await bodies.get('one more', about, () => Promise.resolve(undefined))).toBe('lost');
  });
});
