import { describe, expect, it } from 'vitest';
import { ticks } from '../../infra/kernel/time.ts';
import type { SegmentEntry, TrackWindow } from '../playlists/model.ts';
import { depthOf } from './config.ts';
import { judge, parseDirectives } from './directives.ts';
import { BROADCAST } from './fixtures.ts';
import { acceptsGzip, matchesEtag, parseRange, sliceRow } from './negotiation.ts';
import { parseRoute } from './route.ts';

describe('parseDirectives', () => {
  it.each([
    ['', {}],
    ['_HLS_msn=12', { msn: 12 }],
    ['_HLS_msn=12&_HLS_part=3', { msn: 12, part: 3 }],
    ['_HLS_part=0&_HLS_msn=0', { msn: 0, part: 0 }],
    ['_HLS_skip=maybe&_HLS_foo=1&CMCD=br%3D1&x', {}],
  ])('reads %j', (query, expected) => {
    expect(parseDirectives(query)).toEqual(expected);
  });

  it.each([
    '_HLS_part=1',
    '_HLS_msn=',
    '_HLS_msn=-1',
    '_HLS_msn=+1',
    '_HLS_msn=%201',
    '_HLS_msn=1e3',
    '_HLS_msn=1.5',
    '_HLS_msn=0x10',
    '_HLS_msn=abc',
    '_HLS_msn=9007199254740993',
    '_HLS_msn=100000000000000000000000000000',
    '_HLS_msn=%D9%A1',
    '_HLS_msn=1&_HLS_msn=999',
    '_HLS_msn=1&_HLS_part=-1',
    '_HLS_msn=1&_HLS_part=1&_HLS_part=1',
    '_HLS_msn=1&_HLS_part=',
  ])('refuses %j', (query) => {
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
    ['a closed segment', { msn: 99 }, 2, 'now'],
    ['older than the window', { msn: 3, part: 77 }, 2, 'now'],
    ['the open segment as a whole', { msn: 100 }, 2, 'wait'],
    ['a part that is there', { msn: 100, part: 1 }, 2, 'now'],
    ['the next part', { msn: 100, part: 2 }, 2, 'wait'],
    ['a part past the closed parent is part 0 of the next', { msn: 99, part: 4 }, 2, 'now'],
    ['the same, any index', { msn: 99, part: 5000 }, 2, 'now'],
    ['the same while the next has not begun', { msn: 99, part: 4 }, undefined, 'wait'],
    ['the first part of the next', { msn: 100, part: 0 }, undefined, 'wait'],
    ['the first part of the open segment, not there yet', { msn: 100, part: 0 }, 0, 'wait'],
    ['two segments ahead', { msn: 102 }, 2, 'wait'],
    ['three segments ahead', { msn: 103 }, 2, 'refuse'],
    ['two ahead of the last closed', { msn: 101 }, undefined, 'wait'],
    ['three ahead of the last closed', { msn: 102 }, undefined, 'refuse'],
    ['a part at the advance limit', { msn: 100, part: 7 }, 2, 'wait'],
    ['a part beyond the advance limit', { msn: 100, part: 8 }, 2, 'refuse'],
    ['a part of the next beyond the limit', { msn: 101, part: 1006 }, 2, 'refuse'],
    ['a number beyond everything', { msn: 999_999_999_999_999, part: 0 }, 2, 'refuse'],
  ] as const)('says of %s: %j with %j open parts: %s', (_name, directives, openParts, expected) => {
    expect(judge(directives, window(openParts), BROADCAST.grid)).toBe(expected);
  });

  it('answers at once for a gap segment', () => {
    expect(judge({ msn: 99, part: 0 }, window(undefined, 0), BROADCAST.grid)).toBe('now');
  });
});

describe('depthOf', () => {
  it.each([
    ['the defaults', 60_000, 90_000, 2000, { windowSegments: 30, ringSegments: 45 }],
    ['a window beyond the ring', 120_000, 90_000, 2000, { windowSegments: 60, ringSegments: 68 }],
    ['few long segments', 12_000, 18_000, 3000, { windowSegments: 6, ringSegments: 14 }],
  ])('of %s', (_name, windowMs, ringMs, segmentMs, expected) => {
    expect(depthOf({ windowMs, ringMs }, { segmentMs })).toEqual(expected);
  });
});

describe('parseRoute', () => {
  it.each([
    ['/time', { kind: 'time' }],
    ['/live/demo/main.m3u8', { kind: 'multivariant', broadcast: 'demo' }],
    ['/live/demo/manifest.mpd', { kind: 'mpd', broadcast: 'demo' }],
    ['/live/demo/v720/media.m3u8', { kind: 'playlist', broadcast: 'demo', track: 'v720' }],
    ['/live/demo/a128/7.m4s', { kind: 'segment', broadcast: 'demo', track: 'a128', msn: 7 }],
    [
      '/live/d_-1/v720-2/7.0.m4s',
      { kind: 'part', broadcast: 'd_-1', track: 'v720-2', msn: 7, part: 0 },
    ],
    [
      '/live/demo/v720/init-0123456789abcdef.mp4',
      { kind: 'init', broadcast: 'demo', track: 'v720', file: 'init-0123456789abcdef.mp4' },
    ],
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
    '/time/',
  ])('knows nothing of %s', (path) => {
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
  ])('Accept-Encoding %j: gzip %j', (header, expected) => {
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
  ])('If-None-Match %j: %j', (header, expected) => {
    expect(matchesEtag(header, ['"a"', '"b"'])).toBe(expected);
  });

  it.each([
    [undefined, 'whole'],
    ['bytes=0-99', [0, 99]],
    ['bytes=0-', [0, 999]],
    ['bytes=990-5000', [990, 999]],
    ['bytes=-10', [990, 999]],
    ['bytes=-5000', [0, 999]],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=1000-', 'unsatisfiable'],
    ['bytes=999999999-', 'unsatisfiable'],
    ['bytes=9-1', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=a-b', 'whole'],
    ['items=0-1', 'whole'],
    ['bytes=0-1,2-3', 'whole'],
  ])('Range %j of 1000 bytes: %j', (header, expected) => {
    const answer = parseRange(header, 1000);
    expect(answer.kind === 'part' ? [answer.first, answer.last] : answer.kind).toEqual(expected);
  });

  it('slices a row as if it were one', () => {
    const row = [Uint8Array.of(0, 1, 2), Uint8Array.of(), Uint8Array.of(3), Uint8Array.of(4, 5)];
    for (let first = 0; first < 6; first += 1) {
      for (let last = first; last < 6; last += 1) {
        expect(sliceRow(row, first, last).flatMap((slice) => [...slice])).toEqual(
          [0, 1, 2, 3, 4, 5].slice(first, last + 1),
        );
      }
    }
  });
});
