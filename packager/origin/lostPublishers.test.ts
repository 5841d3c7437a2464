import { expect, it } from 'vitest';
import { type LostPublisher, LostPublishers } from './lostPublishers.ts';

const ONE: LostPublisher = { broadcast: 'demo', slot: 0, epoch: { timestamp: 5, attempt: 1 } };
const NEXT: LostPublisher = { ...ONE, epoch: { timestamp: 5, attempt: 2 } };

it('tells once of a slot whose connections broke off and that nobody came back to', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.opened(ONE);
  lost.closed(ONE, false, 1000);
  expect(lost.due(9000)).toEqual([]);
  lost.closed(ONE, false, 9000);
  expect(lost.due(9399)).toEqual([]);
  expect(lost.due(9400)).toEqual([ONE]);
  expect(lost.due(99_000)).toEqual([]);
});

it('takes no end of a body for a loss, nor one who is back, himself or a successor', () => {
  const lost = new LostPublishers();
  lost.opened(ONE);
  lost.closed(ONE, true, 0);
  expect(lost.due(5000)).toEqual([]);
  lost.opened(ONE);
  lost.closed(ONE, false, 5000);
  lost.opened(NEXT);
  expect(lost.due(9000)).toEqual([]);
  lost.closed(NEXT, false, 9000);
  expect(lost.due(9400)).toEqual([NEXT]);
});
