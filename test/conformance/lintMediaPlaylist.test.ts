import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderMediaPlaylist } from '../../packager/playlists/index.ts';
import { makePresentation, type PresentationPlan } from '../support/presentation.ts';
import { lintDelta, lintMediaPlaylist } from './lintMediaPlaylist.ts';
import { mergeDelta, newestPart, parseMediaPlaylist } from './mediaPlaylist.ts';

const FIRST = 897_600_600;
const TRACKS = ['v720', 'v360', 'a128'];

const offset = fc.nat(31);
const plan: fc.Arbitrary<PresentationPlan> = fc
  .record({
    firstMsn: fc.integer({ min: FIRST, max: FIRST + 1000 }),
    segments: fc.integer({ min: 1, max: 30 }),
    openParts: fc.option(fc.nat(4), { nil: undefined }),
    gaps: fc.array(offset, { maxLength: 3 }),
    cut: fc.record({ msn: offset, part: fc.nat(3) }),
    eraStarts: fc.uniqueArray(offset, { maxLength: 3 }),
    firstEra: fc.nat(5),
    grid: fc.constantFrom(
      { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
      { segmentMs: 2000, partMs: 400, chunkMs: 80, fps: 25 },
      { segmentMs: 1000, partMs: 500, chunkMs: 100, fps: 30 },
    ),
  })
  .map(({ openParts, cut, gaps, eraStarts, ...rest }) => ({
    ...rest,
    ...(openParts === undefined ? {} : { openParts }),
    gaps: gaps.map((at) => rest.firstMsn + at).filter((msn) => msn < rest.firstMsn + rest.segments),
    eraStarts: eraStarts.map((at) => rest.firstMsn + at),
    cut: { msn: rest.firstMsn + cut.msn, part: cut.part + 1 },
  }));

test('[H01 H03 H05 H06 H07 H08 H09 H11 H12 H13 H14 H15 H16 H18 H19 H21] whatever an origin holds, the playlists of its tracks break no rule', () => {
  fc.assert(
    fc.property(plan, (drawn) => {
      const presentation = makePresentation(drawn);
      for (const track of TRACKS) {
        expect(lintMediaPlaylist(renderMediaPlaylist(presentation, track))).toEqual([]);
      }
    }),
    { numRuns: 200 },
  );
});

test('[H04 H14 H15 H18 M10 C3] the tracks agree on numbers, discontinuities, newest part and, to a frame, on time', () => {
  fc.assert(
    fc.property(plan, (drawn) => {
      const presentation = makePresentation(drawn);
      const [video, ...others] = TRACKS.map((track) =>
        parseMediaPlaylist(renderMediaPlaylist(presentation, track)),
      );
      for (const other of others) {
        expect(newestPart(other)).toEqual(newestPart(video!));
        expect(other.serverControl).toEqual(video!.serverControl);
        expect(other.segments.map(({ msn, discontinuity }) => [msn, discontinuity])).toEqual(
          video!.segments.map(({ msn, discontinuity }) => [msn, discontinuity]),
        );
        other.segments.forEach((segment, index) => {
          const apartMs =
            Date.parse(segment.dateTime!) - Date.parse(video!.segments[index]!.dateTime!);
          expect(Math.abs(apartMs)).toBeLessThanOrEqual(22);
          // Number and time are one to a frame, far under the half segment that DASH allows.
          const offGridMs = Date.parse(segment.dateTime!) - segment.msn * drawn.grid!.segmentMs;
          expect(Math.abs(offGridMs)).toBeLessThanOrEqual(22);
        });
      }
    }),
  );
});

const GOOD = renderMediaPlaylist(
  makePresentation({ firstMsn: FIRST, segments: 8, openParts: 2 }),
  'v720',
);

test.each<[string, string | RegExp, string]>([
  ['H01', '#EXTM3U\n', ''],
  ['H01', '#EXT-X-VERSION:9', '#EXT-X-VERSION:9\n#EXT-X-VERSION:9'],
  ['H01', 'CAN-BLOCK-RELOAD=YES', 'CAN-BLOCK-RELOAD=YES,CAN-BLOCK-RELOAD=YES'],
  ['H02', '#EXT-X-VERSION:9', '#EXT-X-VERSION:5'],
  ['H03', '#EXT-X-TARGETDURATION:2', '#EXT-X-TARGETDURATION:1'],
  ['H05', /#EXT-X-PART-INF.*\n/, ''],
  ['H06', 'DURATION=0.500000', 'DURATION=0.600000'],
  ['H07', 'DURATION=0.500000,URI="897600607.1', 'DURATION=0.300000,URI="897600607.1'],
  ['H08', '.0.m4s",INDEPENDENT=YES', '.0.m4s"'],
  ['H08', 'DURATION=0.500000,URI="897600607.1', 'URI="897600607.1'],
  ['H09', /(#EXT-X-PROGRAM-DATE-TIME.*\n)(#EXT-X-PART.*\n)/, '$2$1'],
  ['H10', /#EXT-X-PART:.*897600607.3.*\n/, ''],
  ['H11', 'PART-HOLD-BACK=1.536', 'PART-HOLD-BACK=1.0'],
  ['H11', 'CAN-BLOCK-RELOAD=YES,', ''],
  ['H13', '"897600608.2.m4s"', '"897600608.1.m4s"'],
  ['H13', /#EXT-X-PRELOAD-HINT.*\n/, ''],
  ['H14', '"../v360/media.m3u8",LAST-MSN=897600608', '"../v360/media.m3u8",LAST-MSN=897600600'],
  ['H15', '19:00:04.000Z', '19:00:04.900Z'],
  ['H15', /#EXT-X-PROGRAM-DATE-TIME.*\n/, ''],
  ['H16', /#EXT-X-MAP.*\n/, ''],
  ['H17', '#EXT-X-PART-INF', '#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-PART-INF'],
  ['U06', /$/, '#EXT-X-ENDLIST\n'],
  ['H18', /#EXT-X-DISCONTINUITY-SEQUENCE.*\n/, ''],
  ['H21', /#EXTINF:2.000000/g, '#EXTINF:1.990000'],
  ['H19', '#EXTINF:2.000000,\n897600607', '#EXT-X-GAP\n#EXTINF:2.000000,\n897600607'],
])('%s is told where %s becomes %s', (rule, from, to) => {
  const bad = GOOD.replace(from, to);
  expect(bad).not.toBe(GOOD);
  expect(lintMediaPlaylist(bad).map((fault) => fault.slice(0, 3))).toContain(rule);
});

/** The delta update that an origin makes of `full`: its first `count` segments skipped. */
function deltaOf(full: string, count: number): string {
  const [head = '', ...rest] = full.split(/(?=#EXT-X-MAP)/);
  const segments = rest.join('').split(/(?<=\d\.m4s\n)/);
  const control = head.replace(/CAN-SKIP-UNTIL=[\d.]+,?/, '');
  return [
    control.replace('CAN-BLOCK', 'CAN-SKIP-UNTIL=12.000,CAN-BLOCK'),
    `#EXT-X-SKIP:SKIPPED-SEGMENTS=${count}\n`,
    ...segments.slice(count),
  ].join('');
}

test('a delta update is lint-free, and merged it is the playlist', () => {
  const full = renderMediaPlaylist(
    makePresentation({ firstMsn: FIRST, segments: 12, openParts: 2, eraStarts: [FIRST + 3] }),
    'v720',
  );
  const old = parseMediaPlaylist(full);
  const delta = deltaOf(full, 5);
  expect(lintDelta(delta, old)).toEqual([]);
  const merged = mergeDelta(old, parseMediaPlaylist(delta));
  expect(merged.segments).toEqual(old.segments);
  expect(merged.open).toEqual(old.open);
});

test.each<[string, (delta: string) => string]>([
  ['R09', () => deltaOf(GOOD, 4)],
  ['R12', (delta) => delta.replace('SEGMENTS=2', 'SEGMENTS=0')],
  ['R11', (delta) => delta.replace(/#EXT-X-PART-INF.*\n/, '')],
  ['H02', (delta) => delta.replace('VERSION:9', 'VERSION:8').replace('VERSION:10', 'VERSION:8')],
])('%s is told of a delta update', (rule, spoil) => {
  const faults = lintDelta(spoil(deltaOf(GOOD, 2)), parseMediaPlaylist(GOOD));
  expect(faults.map((fault) => fault.slice(0, 3))).toContain(rule);
});

test('reading never throws', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (noise) => {
      expect(parseMediaPlaylist(noise).faults.length).toBeGreaterThan(0);
    }),
  );
});
