import { describe, expect, it } from 'vitest';
import type { WorkerReport } from '../kernel/workerReport.ts';
import { lingersOnLeave } from './leaving.ts';

const EPOCH = { timestamp: 1_795_204_000_000, attempt: 2 };
type Status = NonNullable<WorkerReport['jobs'][number]['status']>;

/** A worker of one encoder, `running` of two seats taken. */
function worker(
  instance: string,
  running: number,
  more: { job?: string; status?: Partial<Status>; isStopping?: boolean; class?: 'nvenc' } = {},
): WorkerReport {
  const encoder = {
    class: more.class ?? 'x264',
    name: 'e',
    reason: '',
    capacityReason: '',
  } as const;
  const status: Status = {
    ...{ state: 'encoding', encoder: 'e', encoderReason: '', framesIn: 1, framesOut: 1 },
    ...{ restarts: 0, epoch: `${EPOCH.timestamp}.${EPOCH.attempt}` },
    ...more.status,
  };
  return {
    ...{ instance, host: 'h' },
    ...(more.isStopping === undefined ? {} : { isStopping: more.isStopping }),
    encoders: [{ ...encoder, capacity: 2, limit: 2, running }],
    jobs:
      more.job === undefined
        ? []
        : [{ id: more.job, broadcast: 'a', class: encoder.class, startedMs: 0, status }],
  };
}

const ME = worker('me', 1, { job: 'a.main.0' });
const SISTER = worker('b', 1, { job: 'a.main.1' });
const FREE = worker('c', 0);

describe('a worker that leaves', () => {
  it.each([
    ['there is nobody else', [], false],
    ['another could take its job', [FREE], true],
    ['the other is full', [worker('c', 2)], false],
    ['the other has encoders of another class', [worker('c', 0, { class: 'nvenc' })], false],
    ['the other stops too', [worker('c', 0, { isStopping: true })], false],
    ['the sister slot is published', [SISTER], false],
    ['the sister slot is published, and a third could take its job', [SISTER, FREE], false],
    [
      'the sister slot is published in another life',
      [worker('b', 1, { job: 'a.main.1.5-1' }), FREE],
      false,
    ],
    ['the sister slot is another broadcast’s', [worker('b', 1, { job: 'b.main.1' })], true],
    [
      'the sister has not begun',
      [worker('b', 1, { job: 'a.main.1', status: { state: 'starting' } }), FREE],
      true,
    ],
    [
      'nobody but who has the sister slot has room',
      [worker('b', 1, { job: 'a.main.1', status: { state: 'restarting' } })],
      false,
    ],
    [
      'an origin gets nothing of the sister',
      [worker('b', 1, { job: 'a.main.1', status: { reason: 'refused' } }), FREE],
      true,
    ],
    ['the sister stops too', [worker('b', 1, { job: 'a.main.1', isStopping: true }), FREE], true],
  ] satisfies [string, WorkerReport[], boolean][])('where %s', (_where, others, goesOn) => {
    const leave = { me: 'me', class: 'x264', workers: [ME, ...others], lost: new Map() } as const;
    expect(lingersOnLeave('a.main.0', leave)).toBe(goesOn);
  });

  it('where no origin takes what it encodes', () => {
    const me = worker('me', 1, { job: 'a.main.0', status: { isTaken: false } });
    const leave = { me: 'me', class: 'x264', workers: [me, FREE], lost: new Map() } as const;
    expect(lingersOnLeave('a.main.0', leave)).toBe(false);
  });

  it.each([
    ['of this life', EPOCH, true],
    ['of a life before', { ...EPOCH, attempt: 1 }, false],
  ])('where the origins have lost the sister %s', (_which, epoch, goesOn) => {
    const lost = new Map([['a.main.1', epoch]]);
    const leave = { me: 'me', class: 'x264', workers: [ME, SISTER, FREE], lost } as const;
    expect(lingersOnLeave('a.main.0.7-1', leave)).toBe(goesOn);
  });
});
