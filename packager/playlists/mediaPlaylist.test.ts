import fc from 'fast-check';
import { expect, test } from 'vitest';
import { A128, makePresentation, V360, V720 } from '../../test/support/presentation.ts';
import { renderMediaPlaylist } from './mediaPlaylist.ts';
import type { Presentation, SegmentEntry } from './model.ts';

/** 2026-11-20T19:00:00Z at D = 2000 ms. */
const FIRST = 897_600_600;

const lines = (presentation: Presentation, track: string): string[] =>
  renderMediaPlaylist(presentation, track).trimEnd().split('\n');

test('[H01 H02 H05 H06 H08 H09 H11 H14 H15 H16 V08] golden: video in the middle of a segment', () => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 4,
    openParts: 2,
    tracks: [V720, A128],
  });
  expect(renderMediaPlaylist(presentation, 'v720')).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,CAN-SKIP-DATERANGES=YES,PART-HOLD-BACK=1.536,HOLD-BACK=6.0
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

test('[H06 H07 H14 H15] golden: audio has whole AAC frames, their true durations and start', () => {
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

test('[H09 H13 H16 H18 H19] golden: a cut segment, a gap and an era that is about to begin', () => {
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
] as const)('[H13] hints the part after the newest: %s', (_, openParts, uri) => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 2,
    ...(openParts === undefined ? {} : { openParts }),
  });
  const hint = lines(presentation, 'v720').filter((line) => line.includes('PRELOAD-HINT'));
  expect(hint).toEqual([`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${uri}"`]);
});

test('[H03 H04 H11] the numbers of another grid follow from it, the same in every track', () => {
  const presentation = makePresentation({
    firstMsn: 1000,
    segments: 6,
    grid: { segmentMs: 1500, partMs: 500, chunkMs: 100, fps: 30 },
  });
  const video = lines(presentation, 'v720');
  expect(video.slice(2, 5)).toEqual([
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,CAN-SKIP-DATERANGES=YES,PART-HOLD-BACK=1.536,HOLD-BACK=6.0',
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

test('[H12] parts are listed for three target durations from the end, in every track alike', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 8, openParts: 1 });
  for (const track of ['v720', 'a128']) {
    const parents = lines(presentation, track).flatMap((line) => {
      const msn = /^#EXT-X-PART:.*URI="(\d+)\./.exec(line)?.[1];
      return msn === undefined ? [] : [Number(msn) - FIRST];
    });
    expect([...new Set(parents)]).toEqual([5, 6, 7, 8]);
  }
});

test('[H13 U06] an ended playlist says ENDLIST, hints at nothing and lists no open segment', () => {
  const plan = { firstMsn: FIRST, segments: 2, openParts: 1 };
  const live = lines(makePresentation(plan), 'v720');
  const ended = lines({ ...makePresentation({ ...plan, openParts: 0 }), isEnded: true }, 'v720');
  expect(ended.at(-1)).toBe('#EXT-X-ENDLIST');
  expect(ended.filter((line) => line.includes('PRELOAD-HINT'))).toEqual([]);
  expect(ended.slice(0, -3)).toEqual(live.slice(0, live.indexOf(`${FIRST + 1}.m4s`) + 1));
});

test('[H04 H14 H17] the dvr view lists the same media and reports its own playlists', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 40, openParts: 1 });
  const text = renderMediaPlaylist({ ...presentation, view: 'dvr' }, 'v720');
  expect(text.replaceAll('/dvr.m3u8', '/media.m3u8')).toBe(
    renderMediaPlaylist(presentation, 'v720'),
  );
  expect(text).toContain('#EXT-X-RENDITION-REPORT:URI="../a128/dvr.m3u8",LAST-MSN=');
  expect(text).not.toContain('PLAYLIST-TYPE');
});

test('[H02 H17 U06] golden: a recording is VOD, ends, and has nothing of low latency', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 3, gaps: [FIRST + 1] });
  expect(renderMediaPlaylist({ ...presentation, view: 'vod' }, 'v720')).toBe(`#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-MEDIA-SEQUENCE:897600600
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="init-v720e0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:00.000Z
#EXTINF:2.000000,
897600600.m4s
#EXT-X-GAP
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:02.000Z
#EXTINF:2.000000,
897600601.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:04.000Z
#EXTINF:2.000000,
897600602.m4s
#EXT-X-ENDLIST
`);
});

test('a rendition whose parts are not known any more reports its segment only', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 1, tracks: [V720, V360] });
  const windows = presentation.windows.map((window) => ({
    ...window,
    segments: window.segments.map((segment): SegmentEntry => ({ ...segment, parts: [] })),
  }));
  expect(lines({ ...presentation, windows, isEnded: true }, 'v720').at(-2)).toBe(
    `#EXT-X-RENDITION-REPORT:URI="../v360/media.m3u8",LAST-MSN=${FIRST}`,
  );
});

test('[U01 H21] what is remembered of a segment reads as if it were written anew, while the window slides', () => {
  const all = makePresentation({
    firstMsn: FIRST,
    segments: 40,
    gaps: [FIRST + 9],
    cut: { msn: FIRST + 11, part: 2 },
    eraStarts: [FIRST + 14],
  });
  fc.assert(
    fc.property(fc.nat(25), fc.integer({ min: 1, max: 14 }), (from, length) => {
      const slid: Presentation = {
        ...all,
        windows: all.windows.map((window) => ({
          ...window,
          segments: window.segments.slice(from, from + length),
          open: window.segments[from + length],
        })),
      };
      for (const { track } of slid.windows) {
        expect(renderMediaPlaylist(slid, track.name)).toBe(
          renderMediaPlaylist(structuredClone(slid), track.name),
        );
      }
    }),
  );
});
