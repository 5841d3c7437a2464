import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addSample, estimateClock, type TimeSample } from './clockSync.ts';

const TRUE_OFFSET = 1_795_000_000_000;

/** A question whose way there took `thereMs` and whose way back took `backMs`. */
function ask(atMs: number, thereMs: number, backMs: number): TimeSample {
  return {
    sentMs: atMs,
    receivedMs: atMs + thereMs + backMs,
    serverMs: TRUE_OFFSET + atMs + thereMs,
  };
}

describe('estimateClock', () => {
  it('knows nothing before the first answer', () => {
    expect(estimateClock([])).toBeUndefined();
  });

  it('believes the shortest round trip, not the newest or the mean', () => {
    const samples = [ask(0, 400, 10), ask(500, 3, 3), ask(1000, 10, 300)].reduce(
      (kept: readonly TimeSample[], sample) => addSample(kept, sample),
      [],
    );
    expect(estimateClock(samples)).toEqual({ offsetMs: TRUE_OFFSET, uncertaintyMs: 3 });
  });

  it('forgets an old short round trip, so that drift is followed', () => {
    const drifted = { ...ask(181_000, 20, 20), serverMs: TRUE_OFFSET + 181_020 + 50 };
    const samples = addSample(addSample([], ask(0, 1, 1)), drifted);
    expect(estimateClock(samples)?.offsetMs).toBe(TRUE_OFFSET + 50);
  });

  it('drops answers that make no sense', () => {
    const kept = [
      { sentMs: 0, receivedMs: 5, serverMs: Number.NaN },
      { sentMs: 5, receivedMs: 0, serverMs: TRUE_OFFSET },
      { sentMs: 0, receivedMs: 5, serverMs: -1 },
    ].reduce((samples: readonly TimeSample[], sample) => addSample(samples, sample), []);
    expect(kept).toEqual([]);
  });

  it('is never further off than it says, whatever the delays', () => {
    const delay = fc.integer({ min: 0, max: 2000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(delay, delay), { minLength: 1, maxLength: 40 }), (delays) => {
        const samples = delays.reduce(
          (kept: readonly TimeSample[], [there, back], index) =>
            addSample(kept, ask(index * 1000, there, back)),
          [],
        );
        const estimate = estimateClock(samples);
        expect(samples.length).toBeLessThanOrEqual(16);
        expect(Math.abs((estimate?.offsetMs ?? 0) - TRUE_OFFSET)).toBeLessThanOrEqual(
          estimate?.uncertaintyMs ?? -1,
        );
      }),
    );
  });
});
