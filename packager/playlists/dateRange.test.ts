import { expect, test } from 'vitest';
import { makePresentation } from '../../test/support/presentation.ts';
import { renderIframePlaylist } from './iframePlaylist.ts';
import { renderMediaPlaylist } from './mediaPlaylist.ts';
import type { DateRange, Presentation } from './model.ts';

const FIRST = 897_600_600;
const START_MS = FIRST * 2000;

/** Twenty segments, 40 s, with `dateRanges`. */
function withRanges(...dateRanges: readonly DateRange[]): Presentation {
  return { ...makePresentation({ firstMsn: FIRST, segments: 20, openParts: 1 }), dateRanges };
}

function rangesIn(playlist: string): string[] {
  return playlist.split('\n').filter((line) => line.startsWith('#EXT-X-DATERANGE:'));
}

const idsIn = (playlist: string): (string | undefined)[] =>
  rangesIn(playlist).map((line) => /ID="([^"]*)"/.exec(line)?.[1]);

test('[H20] golden: a range that has ended, one that is open, one up to the next', () => {
  const presentation = withRanges(
    {
      id: 'goal-1',
      class: 'com.example.goal',
      startMs: START_MS + 1500,
      endMs: START_MS + 4000,
      attributes: { 'X-TEAM': 'home', 'X-MINUTE': 12, 'X-RAW': new Uint8Array([1, 0xab]) },
    },
    {
      id: 'splice',
      startMs: START_MS + 8000,
      plannedDurationMs: 30_000,
      attributes: { 'SCTE35-OUT': new Uint8Array([0xfc, 0x30]) },
    },
    { id: 'lap', class: 'com.example.lap', startMs: START_MS + 9000, isEndOnNext: true },
  );
  expect(rangesIn(renderMediaPlaylist(presentation, 'v720'))).toEqual([
    '#EXT-X-DATERANGE:ID="goal-1",CLASS="com.example.goal",START-DATE="2026-11-20T19:00:01.500Z",DURATION=2.5,X-TEAM="home",X-MINUTE=12,X-RAW=0x01AB',
    '#EXT-X-DATERANGE:ID="splice",START-DATE="2026-11-20T19:00:08.000Z",PLANNED-DURATION=30.0,SCTE35-OUT=0xFC30',
    '#EXT-X-DATERANGE:ID="lap",CLASS="com.example.lap",START-DATE="2026-11-20T19:00:09.000Z",END-ON-NEXT=YES',
  ]);
});

test('[H20] every playlist carries the same set, each with PROGRAM-DATE-TIME', () => {
  const presentation = withRanges(
    { id: 'a', startMs: START_MS - 9000, endMs: START_MS - 1 },
    { id: 'b', startMs: START_MS - 9000, endMs: START_MS + 1 },
    { id: 'c', startMs: START_MS + 600_000 },
  );
  const texts = [
    ...presentation.windows.map(({ track }) => renderMediaPlaylist(presentation, track.name)),
    renderIframePlaylist(presentation, 'v720'),
    renderMediaPlaylist({ ...presentation, view: 'dvr' }, 'v720'),
    renderMediaPlaylist({ ...presentation, view: 'vod' }, 'v720'),
  ];
  for (const text of texts) {
    expect(idsIn(text)).toEqual(['b', 'c']);
    expect(text).toContain('#EXT-X-PROGRAM-DATE-TIME:');
  }
});

test('[H20] a range up to the next of its class goes when that begins before the window', () => {
  const lap = (id: string, startMs: number): DateRange => ({
    id,
    class: 'lap',
    startMs,
    isEndOnNext: true,
  });
  const presentation = withRanges(
    lap('one', START_MS - 8000),
    lap('two', START_MS - 4000),
    lap('three', START_MS + 4000),
    { id: 'other', class: 'other', startMs: START_MS - 3000, endMs: START_MS - 2000 },
  );
  expect(idsIn(renderMediaPlaylist(presentation, 'v720'))).toEqual(['two', 'three']);
});

test('[R09 H20] v2 leaves out what was listed before the Skip Boundary and names what went within it', () => {
  const endOfList = START_MS + 42_000;
  const presentation = withRanges(
    { id: 'long gone', startMs: START_MS - 60_000, endMs: START_MS - 12_001 },
    { id: 'just gone', startMs: START_MS - 60_000, endMs: START_MS - 12_000 },
    { id: 'gone', startMs: START_MS - 60_000, endMs: START_MS - 1 },
    { id: 'old', startMs: endOfList - 12_001 },
    { id: 'told late', startMs: START_MS, listedMs: endOfList - 500 },
    { id: 'new', startMs: endOfList - 12_000 },
    { id: 'told early', startMs: endOfList + 60_000, listedMs: START_MS },
  );
  const v2 = renderMediaPlaylist(presentation, 'a128', { skip: 'v2' });
  expect(v2).toContain('RECENTLY-REMOVED-DATERANGES="just gone\tgone"\n');
  expect(idsIn(v2)).toEqual(['told late', 'new']);
  const yes = renderMediaPlaylist(presentation, 'a128', { skip: 'YES' });
  expect(yes).not.toContain('RECENTLY-REMOVED');
  expect(idsIn(yes)).toEqual(['old', 'told late', 'new', 'told early']);
});

test.each<[string, DateRange[]]>([
  [
    'an ID given twice',
    [
      { id: 'a', startMs: START_MS },
      { id: 'a', startMs: START_MS + 1 },
    ],
  ],
  ['an end before its start', [{ id: 'a', startMs: START_MS + 1, endMs: START_MS }]],
  ['a planned duration below 0', [{ id: 'a', startMs: START_MS, plannedDurationMs: -1 }]],
  ['END-ON-NEXT without a class', [{ id: 'a', startMs: START_MS, isEndOnNext: true }]],
  [
    'END-ON-NEXT with an end',
    [{ id: 'a', class: 'c', startMs: START_MS, endMs: START_MS + 1, isEndOnNext: true }],
  ],
  ['SCTE35 that is not bytes', [{ id: 'a', startMs: START_MS, attributes: { 'SCTE35-IN': 'F' } }]],
  ['an attribute of its own', [{ id: 'a', startMs: START_MS, attributes: { COLOUR: 'red' } }]],
  ['a quote in its ID', [{ id: 'a"b', startMs: START_MS }]],
])('[H20] a range with %s is refused', (_, dateRanges) => {
  expect(() => renderMediaPlaylist(withRanges(...dateRanges), 'v720')).toThrow(RangeError);
});
