import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEALTHY, patienceMs, planRecovery, relaxAfterMs, type FaultKind } from './recovery.ts';

/** The actions for faults that come one second apart. */
function actionsFor(faults: readonly FaultKind[]): readonly string[] {
  let state = HEALTHY;
  return faults.map((fault, index) => {
    const plan = planRecovery(state, fault, index * 1000, 0.5);
    state = plan.state;
    return `${plan.next.action} ${plan.next.delayMs}`;
  });
}

describe('planRecovery', () => {
  it.each<[string, readonly FaultKind[], readonly string[]]>([
    [
      'the network: load again, later and later, then start over',
      ['network', 'network', 'network', 'network', 'network', 'network'],
      [
        'resumeLoading 500',
        'resumeLoading 1000',
        'resumeLoading 2000',
        'rebuild 4000',
        'rebuild 8000',
        'rebuild 8000',
      ],
    ],
    [
      'media: recovered twice at once, then rebuilt',
      ['media', 'media', 'media'],
      ['recoverMedia 0', 'recoverMedia 0', 'rebuild 2000'],
    ],
    [
      'no manifest: rebuilt with back-off',
      ['manifest', 'manifest'],
      ['rebuild 500', 'rebuild 1000'],
    ],
    ['stuck: only spread, it has waited', ['stuck', 'stuck'], ['rebuild 1000', 'rebuild 1000']],
    ['anything else', ['other'], ['rebuild 500']],
  ])('%s', (_name, faults, wanted) => {
    expect(actionsFor(faults)).toEqual(wanted);
  });

  it('recovers media again after a while', () => {
    const first = planRecovery(HEALTHY, 'media', 0, 0);
    const second = planRecovery(first.state, 'media', 100, 0);
    expect(planRecovery(second.state, 'media', 5101, 0).next.action).toBe('recoverMedia');
  });

  it('never waits longer than 9.6 s and never gives up', () => {
    const kinds = fc.constantFrom<FaultKind>('network', 'media', 'manifest', 'other', 'stuck');
    fc.assert(
      fc.property(
        fc.array(kinds, { maxLength: 100 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (faults, random) => {
          let state = HEALTHY;
          faults.forEach((fault, index) => {
            const plan = planRecovery(state, fault, index * 300, random);
            state = plan.state;
            expect(plan.next.delayMs).toBeGreaterThanOrEqual(0);
            expect(plan.next.delayMs).toBeLessThanOrEqual(9600);
            expect(state.mediaRecoveries.length).toBeLessThanOrEqual(2);
          });
        },
      ),
    );
  });
});

describe('relaxAfterMs', () => {
  it('doubles to ten minutes', () => {
    expect([0, 1, 2, 5, 100].map(relaxAfterMs)).toEqual([20_000, 40_000, 80_000, 600_000, 600_000]);
  });
});

describe('patienceMs', () => {
  it('grows to a bound', () => {
    expect([0, 1, 5, 7, 100].map(patienceMs)).toEqual([6000, 8000, 16_000, 20_000, 20_000]);
  });
});
