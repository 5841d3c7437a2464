import { expect, it } from 'vitest';
import type { EncoderChoice } from '../../packager/worker/index.ts';
import { EncoderDesk } from './encoderDesk.ts';
import { silentLogger } from '../kernel/logger.ts';
import { noMetrics } from '../kernel/metrics.ts';
import type { TranscodeStatus } from '../kernel/wire.ts';

const ENCODER: EncoderChoice = {
  class: 'x264',
  name: 'libx264',
  reason: 'probed',
  preset: 'ultrafast',
  threads: 2,
};

function desk(capacity: number): EncoderDesk {
  const board = { faultOf: () => Promise.resolve(undefined), saveFault: () => Promise.resolve() };
  return new EncoderDesk(
    { ...{ logger: silentLogger, metrics: noMetrics, board }, nowMs: () => 0, onChange: () => {} },
    { encoder: ENCODER, capacity, capacityReason: 'set' },
  );
}

function said(epoch: string): TranscodeStatus {
  return {
    ...{ state: 'encoding', encoder: 'libx264', encoderReason: '', epoch },
    ...{ framesIn: 1, framesOut: 1, restarts: 0 },
  };
}

it('has a seat beside a run for the one that takes its place, and tells them apart by epoch', async () => {
  const one = desk(1);
  const [old, young] = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  const [before, after] = [
    { id: 'demo.main.0', epoch: { timestamp: 5, attempt: 1 } },
    { id: 'demo.main.0.5-1', epoch: { timestamp: 9, attempt: 1 } },
  ];
  const first = one.during(before, async () => {
    await old.promise;
  });
  expect(['demo.main.1', 'other.main.0', before.id].map((id) => one.hold(id))).toEqual([
    ...[false, false, false],
  ]);
  expect(one.hold(after.id)).toBe(true);
  const second = one.during(after, async () => {
    await young.promise;
  });
  one.took('demo', 0, said('9.1'));
  one.took('demo', 0, said('5.1'));
  expect(one.report().jobs.map(({ id, status }) => [id, status?.epoch])).toEqual([
    ['demo.main.0', '5.1'],
    ['demo.main.0.5-1', '9.1'],
  ]);
  old.resolve(undefined);
  await first;
  expect(one.hold('other.main.0')).toBe(false);
  young.resolve(undefined);
  await second;
  expect(one.hold('other.main.0')).toBe(true);
});

it('keeps seats for those that are considered at once', () => {
  const two = desk(2);
  expect(['a', 'b', 'c'].map((id) => two.hold(`${id}.main.0`))).toEqual([true, true, false]);
  two.letGo('a.main.0');
  expect(two.hold('c.main.0')).toBe(true);
});

it('counts a run beside an older one of the same job, which ends first', async () => {
  const two = desk(2);
  const [old, young] = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  const of = (timestamp: number) => ({ id: 'demo.main.0', epoch: { timestamp, attempt: 1 } });
  const first = two.during(of(5), async () => {
    await old.promise;
  });
  const second = two.during(of(9), async () => {
    await young.promise;
  });
  expect(two.hold('other.main.0')).toBe(false);
  old.resolve(undefined);
  await first;
  two.took('demo', 0, said('9.1'));
  expect(two.report().encoder.running).toBe(1);
  expect(two.report().jobs.map(({ id, status }) => [id, status?.epoch])).toEqual([
    ['demo.main.0', '9.1'],
  ]);
  expect(two.hold('other.main.0')).toBe(true);
  expect(two.hold('third.main.0')).toBe(false);
  young.resolve(undefined);
  await second;
});
