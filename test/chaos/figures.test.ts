import { expect, it } from 'vitest';
import { type Figures, figuresOf, type TrackSeen } from './figures.ts';
import { samplesIn, type SegmentSeen } from './segmentWatch.ts';

const D = 2000;
const FIRST = 1000;

/** A segment that came in pieces of 100 ms, on time. */
function whole(msn: number, changes: Partial<SegmentSeen> = {}): SegmentSeen {
  return {
    msn,
    piecesMs: Array.from({ length: 20 }, (_, index) => msn * D + (index + 1) * 100),
    ...{ digest: `bytes of ${msn}`, samples: 60 },
    ...{ isGap: false, isChanged: false, isReadAgain: true },
    ...changes,
  };
}

function track(origin: string, segments: readonly SegmentSeen[]): TrackSeen {
  return { origin, track: 'v360', kind: 'video', segmentMs: D, segments };
}

function figures(a: readonly SegmentSeen[], b = a, strikes: readonly number[] = []): Figures {
  return figuresOf(
    [track('a', a), track('b', b)],
    undefined,
    strikes.map((atMs) => ({ atMs, text: '' })),
    { fps: 30 },
    (FIRST + 12) * D,
  );
}

const ten = Array.from({ length: 12 }, (_, index) => whole(FIRST + index));
const with4 = (changes: Partial<SegmentSeen>): SegmentSeen[] =>
  ten.map((segment) => (segment.msn === FIRST + 4 ? whole(FIRST + 4, changes) : segment));

it('nothing is wrong where nothing was', () => {
  expect(figures(ten)).toMatchObject({
    ...{ segments: 22, missing: 0, gaps: 0, short: 0, needless: 0 },
    ...{ compared: 11, unlike: 0, readAgain: 22, changed: 0 },
  });
});

it.each([
  ['other bytes at one origin', { digest: 'others' }, { unlike: 1 }],
  ['other bytes later', { isChanged: true }, { changed: 1 }],
  ['never to be had', { digest: undefined, samples: 0 }, { missing: 1, compared: 10 }],
  ['a picture is lacking', { samples: 59 }, { short: 1, needless: 1 }],
  ['a gap without a fault', { isGap: true, piecesMs: [] }, { gaps: 1, needless: 1 }],
])('%s', (_what, changes, found) => {
  expect(figures(with4(changes), ten)).toMatchObject(found);
});

it('a segment that was never asked for is missing too', () => {
  expect(figures(ten.filter(({ msn }) => msn !== FIRST + 4)).missing).toBe(2);
});

it('a gap around a fault is excused until new media comes, which is how long recovery took', () => {
  const atMs = (FIRST + 4) * D + 500;
  const cut = whole(FIRST + 4, { piecesMs: [(FIRST + 4) * D + 400], samples: 12 });
  const gap = whole(FIRST + 5, { isGap: true, piecesMs: [] });
  const hurt = ten.map((one) => ({ [FIRST + 4]: cut, [FIRST + 5]: gap })[one.msn] ?? one);
  expect(figures(hurt, hurt, [atMs])).toMatchObject({
    ...{ gaps: 2, short: 2, needless: 0 },
    recoveriesMs: [(FIRST + 6) * D + 100 - atMs],
    silencesMs: [(FIRST + 6) * D + 100 - ((FIRST + 4) * D + 400)],
  });
});

it('a fault that nobody notices is recovered from at once', () => {
  expect(figures(ten, ten, [(FIRST + 4) * D + 550])).toMatchObject({
    recoveriesMs: [0],
    silencesMs: [100],
  });
});

it('media that never comes again is as long a silence as was looked', () => {
  const atMs = (FIRST + 4) * D;
  const dead = ten.filter(({ msn }) => msn < FIRST + 4);
  expect(figures(dead, dead, [atMs]).recoveriesMs).toEqual([8 * D]);
});

it('samples are those of every trun', () => {
  const box = (type: string, ...content: Buffer[]): Buffer => {
    const body = Buffer.concat(content);
    const head = Buffer.alloc(8);
    head.writeUInt32BE(body.length + 8);
    head.write(type, 4, 'latin1');
    return Buffer.concat([head, body]);
  };
  const trun = (samples: number): Buffer => {
    const content = Buffer.alloc(8);
    content.writeUInt32BE(samples, 4);
    return box('trun', content);
  };
  const chunk = (samples: number): Buffer =>
    Buffer.concat([box('moof', box('traf', trun(samples))), box('mdat', Buffer.from('trun'))]);
  expect(samplesIn(Buffer.concat([chunk(3), chunk(60)]))).toBe(63);
  expect(samplesIn(Buffer.from('not a file at all'))).toBe(0);
});
