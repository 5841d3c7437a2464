import { expect, test } from 'vitest';
import { A128, makePresentation, V720 } from '../../test/support/presentation.ts';
import { renderMediaPlaylist } from './mediaPlaylist.ts';
import type { Presentation, SegmentEntry } from './model.ts';

/** 2026-11-20T19:00:00Z at D = 2000 ms. */
const FIRST = 897_600_600;

const lines = (presentation: Presentation, track: string): string[] =>
  renderMediaPlaylist(presentation, track).trimEnd().split('\n');

test('golden: video in the middle of a segment', () => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 4,
    openParts: 2,
    tracks: [V720, A128],
  });
  expect(renderMediaPlaylist(presentation, 'v720')).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.536,HOLD-BACK=6.0
#EXT-X-PART-INF:PART-TARGET=0.512
#EXT-X-MEDIA-SEQUENCE:897600600
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="init-v720e0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:00.000Z
#EXTINF:2.000000,
897600600.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:02.000Z
#EXT-X-PART:DURATION=0.500000,URI="897600601.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.500000,URI="897600601.1.m4s"
#EXT-X-PART:DURATION=0.500000,URI="897600601.2.m4s"
#EXT-X-PART:DURATION=0.500000,URI="897600601.3.m4s"
#EXTINF:2.000000,
897600601.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:04.000Z
#EXT-X-PART:DURATION=0.500000,URI="897600602.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.500000,URI="897600602.1.m4s"
#EXT-X-PART:DURATION=0.500000,URI="897600602.2.m4s"
#EXT-X-PART:DURATION=0.500000,URI="897600602.3.m4s"
#EXTINF:2.000000,
897600602.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:06.000Z
#EXT-X-PART:DURATION=0.500000,URI="897600603.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.500000,URI="897600603.1.m4s"
#EXT-X-PART:DURATION=0.500000,URI="897600603.2.m4s"
#EXT-X-PART:DURATION=0.500000,URI="897600603.3.m4s"
#EXTINF:2.000000,
897600603.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:08.000Z
#EXT-X-PART:DURATION=0.500000,URI="897600604.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.500000,URI="897600604.1.m4s"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="897600604.2.m4s"
#EXT-X-RENDITION-REPORT:URI="../a128/media.m3u8",LAST-MSN=897600604,LAST-PART=1
`);
});

test('golden: audio has whole AAC frames, their true durations and start', () => {
  const presentation = makePresentation({
    firstMsn: FIRST + 1,
    segments: 1,
    openParts: 0,
    tracks: [V720, A128],
  });
  expect(lines(presentation, 'a128').slice(6)).toEqual([
    '#EXT-X-DISCONTINUITY-SEQUENCE:0',
    '#EXT-X-MAP:URI="init-a128e0.mp4"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:02.005Z',
    '#EXT-X-PART:DURATION=0.512000,URI="897600601.0.m4s",INDEPENDENT=YES',
    '#EXT-X-PART:DURATION=0.490667,URI="897600601.1.m4s",INDEPENDENT=YES',
    '#EXT-X-PART:DURATION=0.512000,URI="897600601.2.m4s",INDEPENDENT=YES',
    '#EXT-X-PART:DURATION=0.490667,URI="897600601.3.m4s",INDEPENDENT=YES',
    '#EXTINF:2.005333,',
    '897600601.m4s',
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="897600602.0.m4s"',
    '#EXT-X-RENDITION-REPORT:URI="../v720/media.m3u8",LAST-MSN=897600601,LAST-PART=3',
  ]);
});

test('golden: a cut segment, a gap and an era that is about to begin', () => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 3,
    openParts: 0,
    tracks: [V720],
    firstEra: 4,
    cut: { msn: FIRST + 1, part: 2 },
    gaps: [FIRST + 2],
    eraStarts: [FIRST + 1, FIRST + 3],
  });
  expect(lines(presentation, 'v720').slice(6)).toEqual([
    '#EXT-X-DISCONTINUITY-SEQUENCE:4',
    '#EXT-X-MAP:URI="init-v720e4.mp4"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:00.000Z',
    '#EXT-X-PART:DURATION=0.500000,URI="897600600.0.m4s",INDEPENDENT=YES',
    '#EXT-X-PART:DURATION=0.500000,URI="897600600.1.m4s"',
    '#EXT-X-PART:DURATION=0.500000,URI="897600600.2.m4s"',
    '#EXT-X-PART:DURATION=0.500000,URI="897600600.3.m4s"',
    '#EXTINF:2.000000,',
    '897600600.m4s',
    '#EXT-X-DISCONTINUITY',
    '#EXT-X-MAP:URI="init-v720e5.mp4"',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:02.000Z',
    '#EXT-X-PART:DURATION=0.500000,URI="897600601.0.m4s",INDEPENDENT=YES',
    '#EXT-X-PART:DURATION=0.500000,URI="897600601.1.m4s"',
    '#EXT-X-PART:DURATION=0.500000,URI="897600601.2.m4s",GAP=YES',
    '#EXT-X-PART:DURATION=0.500000,URI="897600601.3.m4s",GAP=YES',
    '#EXTINF:2.000000,',
    '897600601.m4s',
    '#EXT-X-GAP',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:04.000Z',
    '#EXT-X-PART:DURATION=0.500000,URI="897600602.0.m4s",GAP=YES',
    '#EXT-X-PART:DURATION=0.500000,URI="897600602.1.m4s",GAP=YES',
    '#EXT-X-PART:DURATION=0.500000,URI="897600602.2.m4s",GAP=YES',
    '#EXT-X-PART:DURATION=0.500000,URI="897600602.3.m4s",GAP=YES',
    '#EXTINF:2.000000,',
    '897600602.m4s',
    '#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="init-v720e6.mp4"',
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="897600603.0.m4s"',
  ]);
});

test.each([
  ['no open segment', undefined, '897600602.0.m4s'],
  ['an open segment without parts', 0, '897600602.0.m4s'],
  ['one part', 1, '897600602.1.m4s'],
  ['every part but not closed yet', 4, '897600603.0.m4s'],
] as const)('hints the part after the newest: %s', (_, openParts, uri) => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 2,
    ...(openParts === undefined ? {} : { openParts }),
  });
  const hint = lines(presentation, 'v720').filter((line) => line.includes('PRELOAD-HINT'));
  expect(hint).toEqual([`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${uri}"`]);
});

test('the numbers of another grid follow from it, the same in every track', () => {
  const presentation = makePresentation({
    firstMsn: 1000,
    segments: 6,
    grid: { segmentMs: 1500, partMs: 500, chunkMs: 100, fps: 30 },
  });
  const video = lines(presentation, 'v720');
  expect(video.slice(2, 5)).toEqual([
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.536,HOLD-BACK=6.0',
    '#EXT-X-PART-INF:PART-TARGET=0.512',
  ]);
  expect(lines(presentation, 'a128').slice(2, 5)).toEqual(video.slice(2, 5));
});

test('a track that has no closed segment, or is unknown, is the mistake of the caller', () => {
  const empty = makePresentation({ firstMsn: FIRST, segments: 0, openParts: 2 });
  expect(() => renderMediaPlaylist(empty, 'v720')).toThrow(/no closed segment/);
  const some = makePresentation({ firstMsn: FIRST, segments: 1 });
  expect(() => renderMediaPlaylist(some, 'v999')).toThrow(/v999/);
});

test('an era without an init segment is not published', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 1, tracks: [V720] });
  const [window] = presentation.windows;
  const segments = window!.segments.map((segment): SegmentEntry => ({ ...segment, era: 7 }));
  const broken = { ...presentation, windows: [{ ...window!, segments }] };
  expect(() => renderMediaPlaylist(broken, 'v720')).toThrow(/era 7/);
});
