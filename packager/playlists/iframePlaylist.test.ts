import { expect, test } from 'vitest';
import { A128, makePresentation, V720 } from '../../test/support/presentation.ts';
import { renderIframePlaylist } from './iframePlaylist.ts';
import type { Presentation, SegmentEntry } from './model.ts';

const FIRST = 897_600_600;

/** Four segments of which the third is a gap and the last has no known picture. */
function presentation(): Presentation {
  const made = makePresentation({
    firstMsn: FIRST,
    segments: 4,
    openParts: 2,
    tracks: [V720, A128],
    gaps: [FIRST + 2],
    eraStarts: [FIRST + 1],
  });
  const windows = made.windows.map((window) => ({
    ...window,
    segments: window.segments.map((segment): SegmentEntry =>
      segment.isGap || segment.msn === FIRST + 3
        ? segment
        : { ...segment, iframe: { offset: 0, length: 9000 + (segment.msn - FIRST) } },
    ),
  }));
  return { ...made, windows };
}

test('[V13 H04 H11 H15 H16] golden: one picture per segment, a gap where there is none', () => {
  expect(renderIframePlaylist(presentation(), 'v720')).toBe(`#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,CAN-SKIP-DATERANGES=YES,PART-HOLD-BACK=1.536,HOLD-BACK=6.0
#EXT-X-MEDIA-SEQUENCE:897600600
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-I-FRAMES-ONLY
#EXT-X-MAP:URI="init-v720e0.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:00.000Z
#EXTINF:2.000000,
#EXT-X-BYTERANGE:9000@0
897600600.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init-v720e1.mp4"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:02.000Z
#EXTINF:2.000000,
#EXT-X-BYTERANGE:9001@0
897600601.m4s
#EXT-X-GAP
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:04.000Z
#EXTINF:2.000000,
897600602.m4s
#EXT-X-GAP
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:06.000Z
#EXTINF:2.000000,
897600603.m4s
`);
});

test('[V13 U06 H17] a recording has them as well, ended', () => {
  const lines = renderIframePlaylist({ ...presentation(), view: 'vod' }, 'v720').split('\n');
  expect(lines.slice(1, 4)).toEqual([
    '#EXT-X-VERSION:6',
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-PLAYLIST-TYPE:VOD',
  ]);
  expect(lines.at(-2)).toBe('#EXT-X-ENDLIST');
});

test('what is remembered of a picture reads as if it were written anew', () => {
  const shown = presentation();
  const first = renderIframePlaylist(shown, 'v720');
  expect(renderIframePlaylist(shown, 'v720')).toBe(first);
  expect(renderIframePlaylist(structuredClone(shown), 'v720')).toBe(first);
});
