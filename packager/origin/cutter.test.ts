import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../cmaf/index.ts';
import { type CutEvent, Cutter } from './cutter.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';

const { grid } = BROADCAST;
const videoCutter = (): Cutter =>
  new Cutter({
    grid,
    timescale: 90_000,
    sampleTicks: 3000,
    isFreePhase: false,
    maxGapSegments: 30,
  });
const audioCutter = (): Cutter =>
  new Cutter({ grid, timescale: 48_000, sampleTicks: 1024, isFreePhase: true, maxGapSegments: 30 });

const cut = (cutter: Cutter, samples: readonly Sample[]): CutEvent[] =>
  samples.flatMap((sample) => cutter.push(sample));

/** Events as short text: `open 0`, `chunk 0 x3`, `part 0.1 45000 I`, `gap 2`. */
const told = (events: readonly CutEvent[]): string[] =>
  events.map((event) => {
    const at = event.msn - N;
    switch (event.kind) {
      case 'chunk':
        return `chunk ${at} x${event.samples.length}`;
      case 'part':
        return `part ${at}.${event.index} ${event.duration}${event.isIndependent ? ' I' : ''}${event.isGap ? ' GAP' : ''}`;
      case 'gap':
        return `gap ${at} ${event.duration}`;
      case 'open':
      case 'close':
        return `${event.kind} ${at}`;
    }
  });
const withoutChunks = (events: readonly CutEvent[]): string[] =>
  told(events.filter(({ kind }) => kind !== 'chunk'));

describe('Cutter', () => {
  it('closes chunk, part and segment with the sample that reaches their end', () => {
    const cutter = videoCutter();
    const [first, ...rest] = video(N, N + 1);
    expect(told(cutter.push(first!))).toEqual(['open 0']);
    expect(told(cut(cutter, rest.slice(0, 2)))).toEqual(['chunk 0 x3']);
    expect(told(cut(cutter, rest.slice(2, 14)))).toEqual([
      'chunk 0 x3',
      'chunk 0 x3',
      'chunk 0 x3',
      'chunk 0 x3',
      'part 0.0 45000 I',
    ]);
    expect(told(cut(cutter, rest.slice(14))).slice(-3)).toEqual([
      'chunk 0 x3',
      'part 0.3 45000',
      'close 0',
    ]);
  });

  it('gives audio whole frames: parts of 23 or 24, segments of 93 or 94', () => {
    const events = cut(audioCutter(), audio(N, N + 8));
    const parts = events.flatMap((event) => (event.kind === 'part' ? [event.duration / 1024] : []));
    expect(new Set(parts)).toEqual(new Set([23, 24]));
    const segments = Array.from({ length: 8 }, (_, i) =>
      parts.slice(i * 4, i * 4 + 4).reduce((sum, frames) => sum + frames, 0),
    );
    expect(new Set(segments)).toEqual(new Set([93, 94]));
    expect(segments.reduce((sum, frames) => sum + frames, 0)).toBe(750);
  });

  it.each([
    [
      'inside a segment: the cut part keeps its duration, the rest is GAP',
      [video(N, N + 0.3), video(N + 1, N + 1.25)],
      [
        'open 0',
        'part 0.0 45000 I',
        'part 0.1 45000',
        'part 0.2 45000 GAP',
        'part 0.3 45000 GAP',
        'close 0',
        'open 1',
        'part 1.0 45000 I',
      ],
    ],
    [
      'over whole segments: they are GAP',
      [video(N, N + 1), video(N + 3, N + 3.25)],
      [
        'open 0',
        'part 0.0 45000 I',
        'part 0.1 45000',
        'part 0.2 45000',
        'part 0.3 45000',
        'close 0',
        'gap 1 180000',
        'gap 2 180000',
        'open 3',
        'part 3.0 45000 I',
      ],
    ],
    [
      'of one frame: nothing is GAP',
      [video(N, N + 0.1), video(N + 0.1 + 1 / 60, N + 0.25)],
      ['open 0', 'part 0.0 45000 I'],
    ],
  ])('tells a hole %s', (_name, runs, expected) => {
    expect(withoutChunks(cut(videoCutter(), runs.flat()))).toEqual(expected);
  });

  it('keeps the encoder count of audio through a hole', () => {
    const events = cut(audioCutter(), [...audio(N, N + 0.6), ...audio(N + 3, N + 4)]);
    const unbroken = cut(audioCutter(), audio(N, N + 4));
    const length = (list: readonly CutEvent[]): number =>
      list.reduce(
        (sum, event) => sum + (event.kind === 'part' || event.kind === 'gap' ? event.duration : 0),
        0,
      );
    expect(length(events)).toBe(length(unbroken));
  });

  it('lists only the newest of a hole that is longer than the window', () => {
    const cutter = videoCutter();
    cut(cutter, video(N, N + 1));
    const gaps = cut(cutter, video(N + 18_000, N + 18_000.25)).filter(({ kind }) => kind === 'gap');
    expect(gaps).toHaveLength(30);
    expect(gaps[0]?.msn).toBe(N + 18_000 - 30);
  });

  it('gives up the rest of a segment when it is told to', () => {
    const cutter = videoCutter();
    cut(cutter, video(N, N + 0.5));
    expect(withoutChunks(cutter.skipTo(N + 2))).toEqual([
      'part 0.2 45000 GAP',
      'part 0.3 45000 GAP',
      'close 0',
      'gap 1 180000',
    ]);
    expect(cutter.frontier).toBe((N + 2) * 180_000);
  });

  it('takes back the hole that a muxer stretched its last sample over', () => {
    const cutter = videoCutter();
    const [first, second] = video(N, N + 1);
    cut(cutter, [first!, { ...second!, duration: 3_000_000 }]);
    expect(cutter.frontier).toBe(second!.dts + 3000);
  });

  it('says nothing twice and nothing out of order, whatever is lost', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 200, maxLength: 400 }), (kept) => {
        const all = audio(N, N + 8);
        const some = all.filter((_, index) => kept[index % kept.length]);
        const events = cut(audioCutter(), some);
        const samples = events.flatMap((event) => (event.kind === 'chunk' ? event.samples : []));
        expect(samples.map(({ dts }) => dts)).toEqual(
          some.slice(0, samples.length).map(({ dts }) => dts),
        );
        for (const event of events) {
          const [first, ...rest] = event.kind === 'chunk' ? event.samples : [];
          rest.reduce(
            (end, { dts, duration }) => {
              expect(dts).toBe(end);
              return dts + duration;
            },
            (first?.dts ?? 0) + (first?.duration ?? 0),
          );
        }
        const parts = events.flatMap((event) => (event.kind === 'part' ? [event] : []));
        parts.forEach((part, index) => {
          expect((part.msn - (parts[0]?.msn ?? 0)) * 4 + part.index).toBe(index);
          expect(part.duration).toBeGreaterThan(0);
          expect(part.duration).toBeLessThanOrEqual(0.512 * 48_000);
        });
      }),
    );
  });
});
