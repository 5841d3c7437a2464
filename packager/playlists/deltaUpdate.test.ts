import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makePresentation, V720 } from '../../test/support/presentation.ts';
import { renderIframePlaylist } from './iframePlaylist.ts';
import { renderMediaPlaylist } from './mediaPlaylist.ts';
import type { Presentation } from './model.ts';

const FIRST = 897_600_600;

const ten = makePresentation({ firstMsn: FIRST, segments: 10, openParts: 1, tracks: [V720] });

/** The lines that belong to each listed segment, by its number, parts and MAP left out. */
function segmentsOf(playlist: string): Map<number, string> {
  const lines = playlist.split('\n');
  const skip = lines.find((line) => line.startsWith('#EXT-X-SKIP:'));
  const first = Number(/MEDIA-SEQUENCE:(\d+)/.exec(playlist)?.[1]);
  let msn = first + Number(/SKIPPED-SEGMENTS=(\d+)/.exec(skip ?? '')?.[1] ?? 0);
  const segments = new Map<number, string>();
  let tags: string[] = [];
  for (const line of lines) {
    if (/^#EXT-X-(DISCONTINUITY|GAP|PROGRAM-DATE-TIME:.*)$|^#EXTINF/.test(line)) {
      tags.push(line);
    } else if (/^\d+\.m4s$/.test(line)) {
      segments.set(msn, [...tags, line].join('\n'));
      tags = [];
      msn += 1;
    }
  }
  return segments;
}

test('[R09 R11 H02] golden: the head stays, all that ends before the Skip Boundary is one tag', () => {
  expect(renderMediaPlaylist(ten, 'v720', { skip: 'YES' }).split('\n').slice(0, 11)).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    '#EXT-X-TARGETDURATION:2',
    '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,CAN-SKIP-DATERANGES=YES,PART-HOLD-BACK=1.536,HOLD-BACK=6.0',
    '#EXT-X-PART-INF:PART-TARGET=0.512',
    '#EXT-X-MEDIA-SEQUENCE:897600600',
    '#EXT-X-DISCONTINUITY-SEQUENCE:0',
    '#EXT-X-SKIP:SKIPPED-SEGMENTS=4',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:00:08.000Z',
    '#EXTINF:2.000000,',
    '897600604.m4s',
  ]);
});

test('[R09 H02] v2 is version 10 and names the removed date ranges, also when there are none', () => {
  const text = renderMediaPlaylist(ten, 'v720', { skip: 'v2' });
  expect(text).toContain('#EXT-X-VERSION:10\n');
  expect(text).toContain('#EXT-X-SKIP:SKIPPED-SEGMENTS=4,RECENTLY-REMOVED-DATERANGES=""\n');
});

test('[R12] a playlist within the Skip Boundary is answered in full', () => {
  const six = makePresentation({ firstMsn: FIRST, segments: 6, openParts: 3 });
  for (const { track } of six.windows) {
    expect(renderMediaPlaylist(six, track.name, { skip: 'v2' })).toBe(
      renderMediaPlaylist(six, track.name),
    );
  }
});

test.each([
  ['ended', { isEnded: true }],
  ['a recording', { view: 'vod' }],
] as const)('[R08 R09] a playlist that is %s is never a delta', (_, state) => {
  const presentation = { ...ten, ...state };
  expect(renderMediaPlaylist(presentation, 'v720', { skip: 'YES' })).toBe(
    renderMediaPlaylist(presentation, 'v720'),
  );
});

test('[R09 R11 H18] an older copy and a delta make the full playlist, whatever happened', () => {
  const plan = {
    firstMsn: FIRST,
    segments: 60,
    gaps: [FIRST + 20],
    cut: { msn: FIRST + 31, part: 1 },
  };
  const all = makePresentation({ ...plan, eraStarts: [FIRST + 25, FIRST + 40] });
  const windowAt = (from: number, length: number): Presentation => ({
    ...all,
    windows: all.windows.map((window) => ({
      ...window,
      segments: window.segments.slice(from, from + length),
    })),
  });
  const skip = fc.constantFrom('YES' as const, 'v2' as const);
  fc.assert(
    fc.property(
      fc.nat(30),
      fc.integer({ min: 7, max: 26 }),
      fc.nat(3),
      skip,
      (from, length, slid, kind) => {
        const now = windowAt(from + slid, length);
        for (const { track } of now.windows) {
          const old = segmentsOf(renderMediaPlaylist(windowAt(from, length), track.name));
          const delta = segmentsOf(renderMediaPlaylist(now, track.name, { skip: kind }));
          const full = segmentsOf(renderMediaPlaylist(now, track.name));
          const merged = new Map(
            [...full.keys()].map((msn) => [msn, delta.get(msn) ?? old.get(msn)]),
          );
          // The first listed segment has no DISCONTINUITY in front of it, in an older copy it may.
          const firstMsn = [...full.keys()][0]!;
          merged.set(firstMsn, merged.get(firstMsn)?.replace('#EXT-X-DISCONTINUITY\n', ''));
          expect(merged).toEqual(full);
        }
      },
    ),
  );
});

test('[R09] no segment within the Skip Boundary is skipped, audio of uneven length included', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 20 });
  for (const { track, segments } of presentation.windows) {
    const text = renderMediaPlaylist(presentation, track.name, { skip: 'YES' });
    const skipped = Number(/SKIPPED-SEGMENTS=(\d+)/.exec(text)?.[1]);
    const seconds = (from: number): number =>
      segments.slice(from).reduce((sum, { duration }) => sum + duration, 0) / track.timescale;
    expect(seconds(skipped)).toBeGreaterThanOrEqual(12);
    expect(seconds(skipped + 1)).toBeLessThan(12);
  }
});

test('[R09] an I-frame playlist skips the same segments', () => {
  const text = renderIframePlaylist(ten, 'v720', { skip: 'YES' });
  expect(text).toContain('#EXT-X-I-FRAMES-ONLY\n#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n');
});
