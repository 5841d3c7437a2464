import { expect, it } from 'vitest';
import { type LostPublisher, LostPublishers } from './lostPublishers.ts';

const ONE: LostPublisher = { broadcast: 'demo', slot: 0, epoch: { timestamp: 5, attempt: 1 } };
const NEXT: LostPublisher = { ...ONE, epoch: { timestamp: 5, attempt: 2 } };
const OTHER: LostPublisher = { ...ONE, slot: 1 };

/** Asks each 100 ms from `fromMs` to `untilMs`; whom it was told of, and when. `talking` talk each 500 ms. */
function ask(
  lost: LostPublishers,
  fromMs: number,
  untilMs: number,
  ...talking: LostPublisher[]
): (readonly [number, LostPublisher])[] {
  const told: (readonly [number, LostPublisher])[] = [];
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += 100) {
    if ((nowMs - fromMs) % 500 === 0) {
      talking.forEach((one) => {
        lost.heard(one, nowMs);
      });
    }
    told.push(...lost.due(nowMs).map((one) => [nowMs, one] as const));
  }
  return told;
}

it('tells once of a slot whose connections broke off and that nobody came back to', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(ONE);
  lost.closed(ONE, false, 1000);
  expect(ask(lost, 1000, 9000)).toEqual([]);
  lost.closed(ONE, false, 9000);
  expect(ask(lost, 9000, 99_000)).toEqual([[9400, ONE]]);
});

it('takes no end of a body for a loss, nor one who is back, himself or a successor', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.closed(ONE, true, 0);
  expect(ask(lost, 0, 5000)).toEqual([]);
  lost.opened(ONE);
  lost.closed(ONE, false, 5000);
  lost.opened(ONE);
  expect(ask(lost, 5000, 6000)).toEqual([]);
  lost.closed(ONE, false, 6000);
  lost.opened(NEXT);
  expect(ask(lost, 6000, 9000)).toEqual([]);
  lost.closed(NEXT, false, 9000);
  expect(ask(lost, 9000, 19_000)).toEqual([[9400, NEXT]]);
});

it('tells of the newest that was lost: who was replaced may come and go', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(NEXT);
  lost.opened(ONE);
  lost.closed(ONE, true, 2000);
  lost.closed(ONE, false, 2000);
  expect(ask(lost, 2000, 3000)).toEqual([]);
  lost.closed(NEXT, false, 3000);
  expect(ask(lost, 3000, 9000)).toEqual([[3400, NEXT]]);
});

it.each([true, false])(
  'watches the older one on where its successor goes (ended: %s)',
  (isEnded) => {
    const lost = new LostPublishers();
    lost.opened(ONE);
    lost.heard(ONE, 0);
    lost.opened(NEXT);
    lost.heard(NEXT, 100);
    lost.closed(NEXT, isEnded, 100);
    expect(ask(lost, 100, 9000, ONE)).toEqual([]);
    lost.heard(ONE, 9000);
    lost.closed(ONE, false, 9000);
    expect(ask(lost, 9000, 19_000)).toEqual([[9400, isEnded ? ONE : NEXT]]);
  },
);

it('hears the older one that falls silent after its successor was refused', () => {
  const lost = new LostPublishers();
  lost.opened(NEXT);
  lost.opened(ONE);
  lost.closed(NEXT, true, 0);
  expect(ask(lost, 0, 3000, ONE)).toEqual([]);
  lost.heard(ONE, 3000);
  expect(ask(lost, 3000, 9000)).toEqual([[4500, ONE]]);
});

it('does not miss one whose successor was heard, whatever becomes of that one', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(NEXT);
  lost.closed(ONE, false, 0);
  expect(ask(lost, 0, 3000, NEXT)).toEqual([]);
  lost.closed(NEXT, true, 3000);
  expect(ask(lost, 3000, 9000)).toEqual([]);
});

it('takes one that stands still for no publisher where its successor is lost', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.heard(ONE, 0);
  lost.opened(NEXT);
  expect(ask(lost, 0, 5000, NEXT)).toEqual([]);
  lost.closed(NEXT, false, 5000);
  expect(ask(lost, 5000, 9000)).toEqual([[5400, NEXT]]);
});

it('watches the newest eight of a slot', () => {
  const lost = new LostPublishers();
  const all = Array.from({ length: 9 }, (_, at) => ({
    ...ONE,
    epoch: { timestamp: 5, attempt: at },
  }));
  all.forEach((one) => {
    lost.opened(one);
  });
  all.slice(1).forEach((one) => {
    lost.closed(one, false, 0);
  });
  expect(ask(lost, 0, 9000, all[0]!)).toEqual([[400, all[8]]]);
});

it('tells once of a publisher that is connected and says nothing any more', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(ONE);
  expect(ask(lost, 0, 60_000, ONE)).toEqual([]);
  lost.heard(ONE, 60_000);
  expect(ask(lost, 60_000, 90_000)).toEqual([[61_500, ONE]]);
  lost.heard(ONE, 90_000);
  lost.closed(ONE, true, 90_000);
  lost.closed(ONE, false, 90_000);
  expect(ask(lost, 90_000, 99_000)).toEqual([]);
});

it('waits for the first word of who has connected', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  expect(ask(lost, 0, 9000)).toEqual([]);
});

it('hears each slot and each successor for itself', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(OTHER);
  expect(ask(lost, 0, 3000, ONE, OTHER)).toEqual([]);
  lost.heard(ONE, 3000);
  expect(ask(lost, 3000, 5000, OTHER)).toEqual([[4500, ONE]]);
  lost.opened(NEXT);
  expect(ask(lost, 5000, 8000, NEXT, OTHER)).toEqual([]);
  lost.heard(NEXT, 8000);
  expect(ask(lost, 8000, 12_000, ONE, OTHER)).toEqual([[9500, NEXT]]);
});

it('takes nobody for lost where it stood still itself, and has not read what came', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(OTHER);
  expect(ask(lost, 0, 1000, ONE, OTHER)).toEqual([]);
  lost.closed(OTHER, false, 900);
  expect(lost.due(13_000)).toEqual([]);
  lost.opened(OTHER);
  expect(ask(lost, 13_100, 15_000, ONE, OTHER)).toEqual([]);
});
