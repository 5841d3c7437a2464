import { expect, test } from 'vitest';
import { renderMediaPlaylist } from '../../packager/playlists/index.ts';
import { makePresentation } from '../support/presentation.ts';
import { type FollowDeps, followPlaylist } from './followPlaylist.ts';

const URL_OF_PLAYLIST = 'http://origin.test/live/demo/v720/media.m3u8';
const FIRST = 897_600_600;
const HEADERS = {
  'content-type': 'application/vnd.apple.mpegurl',
  'content-encoding': 'gzip',
  'cache-control': 'public, max-age=1',
  'access-control-allow-origin': '*',
};

type Origin = {
  /** Changes an answer on its way out. */
  readonly spoil?: (text: string, path: string) => string;
  /** How long a part takes, ms. */
  readonly partMs?: number;
};

/** An origin whose clock moves on only when a blocking reload is answered: one part each. */
function origin({ spoil = (text) => text, partMs = 500 }: Origin): FollowDeps {
  let parts = 34;
  let nowMs = 0;
  const playlist = (): string => {
    const closed = Math.floor(parts / 4);
    const segments = Math.min(closed, 10);
    return renderMediaPlaylist(
      makePresentation({ firstMsn: FIRST + closed - segments, segments, openParts: parts % 4 }),
      'v720',
    );
  };
  const answer = (url: URL): string => {
    if (url.searchParams.has('_HLS_part')) {
      parts += 1;
      nowMs += partMs;
    }
    const [, msn = '', part] = /(\d+)(?:\.(\d))?\.m4s$/.exec(url.pathname) ?? [];
    return url.pathname.endsWith('.m3u8')
      ? playlist()
      : (part === undefined ? [0, 1, 2, 3] : [part]).map((each) => `<${msn}.${each}>`).join('');
  };
  return {
    now: () => nowMs,
    fetch: (href) => {
      const url = new URL(href);
      const text = spoil(answer(url), url.pathname);
      const status = text === '' ? 404 : 200;
      return Promise.resolve(new Response(text, { status, headers: HEADERS }));
    },
  };
}

test('a good origin has no fault, and its segments are their parts', async () => {
  const report = await followPlaylist(URL_OF_PLAYLIST, 20, origin({}));
  expect(report).toMatchObject({
    faults: [],
    updates: 40,
    comparedSegments: 9,
    maxPartGapMs: 500,
    isEnded: false,
  });
});

/** `good` with every answer of number `from` to `to` refused. */
function away({ fetch, now }: FollowDeps, from: number, to: number): FollowDeps {
  let answers = 0;
  return {
    now,
    fetch: (url, init) => {
      answers += url.includes('_HLS_part') ? 1 : 0;
      const isAway = answers >= from && answers <= to && url.includes('_HLS_part');
      return isAway ? Promise.reject(new Error('refused')) : fetch(url, init);
    },
  };
}

test('an origin that is away for as long as it may says the same afterwards', async () => {
  const deps = away(origin({}), 20, 22);
  const report = await followPlaylist(URL_OF_PLAYLIST, 15, deps, { outageMs: 10_000 });
  expect(report.faults).toEqual([]);
  expect(report.unchangedSegments).toBeGreaterThan(2);
});

test('bytes that changed while it was away are told', async () => {
  let isBack = false;
  const deps = origin({
    spoil: (text, path) => (isBack && /\/\d+\.m4s$/.test(path) ? `${text}!` : text),
  });
  const spoilt = away(deps, 20, 21);
  const report = await followPlaylist(
    URL_OF_PLAYLIST,
    12,
    {
      now: spoilt.now,
      fetch: async (url, init) => {
        const answer = spoilt.fetch(url, init);
        answer.catch(() => (isBack = true));
        return answer;
      },
    },
    { outageMs: 10_000 },
  );
  expect(report.faults.join('\n')).toContain('U01 897600');
});

test('following ends with the playlist', async () => {
  const { faults, isEnded } = await followPlaylist(
    URL_OF_PLAYLIST,
    20,
    origin({ spoil: late(/#EXT-X-PRELOAD-HINT.*\n/, '#EXT-X-ENDLIST\n') }),
  );
  expect(isEnded).toBe(true);
  expect(faults.filter((fault) => !fault.startsWith('U06 an ended'))).toEqual([]);
});

const late = (from: string | RegExp, to: string) => {
  let answers = 0;
  return (text: string, path: string): string => {
    answers += path.endsWith('.m3u8') ? 1 : 0;
    return answers > 6 && path.endsWith('.m3u8') ? text.replace(from, to) : text;
  };
};

test.each<[string, Origin]>([
  ['U01', { spoil: late('2026-11-20T19:00:14.000Z', '2026-11-20T19:00:14.010Z') }],
  ['U02', { spoil: late(/MEDIA-SEQUENCE:\d+/, 'MEDIA-SEQUENCE:897600000') }],
  ['U03', { partMs: 1200 }],
  ['U04', { spoil: (text, path) => (path.endsWith('.1.m4s') ? '' : text) }],
  ['H03', { spoil: late('PART-TARGET=0.512', 'PART-TARGET=0.511') }],
  ['H10', { spoil: (text, path) => (/\/\d+\.m4s$/.test(path) ? `${text}!` : text) }],
  ['H13', { spoil: late(/"(\d+)\.\d\.m4s"\n#EXT-X-REND/, '"$1.9.m4s"\n#EXT-X-REND') }],
])('%s is told', async (rule, spoilt) => {
  const { faults } = await followPlaylist(URL_OF_PLAYLIST, 10, origin(spoilt));
  expect(faults.map((fault) => fault.slice(0, 3))).toContain(rule);
});

test('an origin that answers no more ends the following', async () => {
  const report = await followPlaylist(URL_OF_PLAYLIST, 10, {
    now: () => 0,
    fetch: () => Promise.reject(new Error('refused')),
  });
  expect(report.faults[0]).toContain('refused');
  expect(report.updates).toBe(0);
});
