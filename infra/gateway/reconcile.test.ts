import { describe, expect, it } from 'vitest';
import { type Facts, newLosses, outgrown, reconcilePlan, slotsOf } from './reconcile.ts';
import { DEMO_BROADCAST } from './fixtures.ts';
import { type Broadcast, type Epoch } from '../kernel/wire.ts';

const DEMO: Broadcast = { ...DEMO_BROADCAST, measuredHeight: 720 };
const UNMEASURED: Broadcast = { ...DEMO, measuredHeight: undefined };
const FACTS: Facts = {
  broadcasts: [DEMO],
  feeds: new Set(['demo']),
  workers: 2,
  superseded: new Map(),
  withdrawn: new Set(),
};
const plan = (facts: Partial<Facts>): string[] =>
  reconcilePlan({ ...FACTS, ...facts }).map(({ kind, id }) => `${kind} ${id}`);

it('a slot is outgrown by a ladder that has rungs which it does not encode', () => {
  const said = (tracks: readonly string[] | undefined) => ({
    ...{ state: 'encoding' as const, encoder: 'x', encoderReason: '', framesIn: 1, framesOut: 1 },
    ...{ restarts: 0, epoch: '5.2', ...(tracks === undefined ? {} : { tracks: [...tracks] }) },
  });
  const encoders = new Map([
    ['demo.main.0', said(['v480', 'v360', 'a128'])],
    ['demo.main.1', said(['v720', 'v480', 'v360', 'a128'])],
    ['demo.main.2', said(undefined)],
  ]);
  expect(outgrown(DEMO, encoders)).toEqual([['demo.main.0', { timestamp: 5, attempt: 2 }]]);
});

describe('the plan', () => {
  const twice = { ...DEMO, redundancy: 2 as const };
  const ended = { ...DEMO, endedMs: 2000 };
  it.each([
    ['one slot', {}, ['ingest demo', 'transcode demo.main.0', 'withdraw-transcode demo.main.1']],
    ['no slot without a feed', { broadcasts: [twice], feeds: new Set<string>() }, ['ingest demo']],
    [
      'no slot of a source that is being measured',
      { broadcasts: [UNMEASURED] },
      ['ingest demo', 'withdraw-transcode demo.main.1'],
    ],
    [
      'two slots of two workers',
      { broadcasts: [twice] },
      ['ingest demo', 'transcode demo.main.0', 'transcode demo.main.1'],
    ],
    [
      'one slot of one worker',
      { broadcasts: [twice], workers: 1 },
      ['ingest demo', 'transcode demo.main.0'],
    ],
    [
      'an id behind what was lost',
      {
        broadcasts: [twice],
        superseded: new Map([['demo.main.1', { timestamp: 5, attempt: 2 }]]),
      },
      ['ingest demo', 'transcode demo.main.0', 'transcode demo.main.1.5-2'],
    ],
    [
      'another ingest where its feed was lost',
      { feeds: new Set<string>(), superseded: new Map([['demo', { timestamp: 5, attempt: 2 }]]) },
      ['ingest demo.5-2', 'withdraw-transcode demo.main.1'],
    ],
    [
      'what waits taken back after the end',
      { broadcasts: [ended] },
      ['withdraw-ingest demo', 'withdraw-transcode demo.main.0', 'withdraw-transcode demo.main.1'],
    ],
    ['that only once', { broadcasts: [ended], withdrawn: new Set(['demo@2000']) }, []],
    [
      'nothing for who publishes by himself',
      { broadcasts: [{ ...DEMO, source: { kind: 'publish' as const } }] },
      [],
    ],
  ] satisfies [string, Partial<Facts>, string[]][])('has %s', (_what, facts, actions) => {
    expect(plan(facts)).toEqual(actions);
  });

  it('takes a loss for news once, and never an older one', () => {
    const epoch = (timestamp: number, attempt: number): Epoch => ({ timestamp, attempt });
    const known = new Map([['a', epoch(5, 2)]]);
    const lost = (one: Epoch): unknown[] => newLosses(new Map([['a', one]]), known);
    expect(lost(epoch(5, 2))).toEqual([]);
    expect(lost(epoch(4, 9))).toEqual([]);
    expect(lost(epoch(5, 3))).toHaveLength(1);
    expect(newLosses(new Map([['b', epoch(1, 1)]]), known)).toHaveLength(1);
  });

  it('never has no slot', () => {
    expect(slotsOf(2, 0)).toEqual([0]);
    expect(slotsOf(1, 5)).toEqual([0]);
  });
});
