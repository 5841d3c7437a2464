import { expect, it } from 'vitest';
import type { EncoderClass } from '../kernel/encoders.ts';
import type { WorkerReport } from '../kernel/workerReport.ts';
import { chooseClass } from './transcodeChoice.ts';
import type { JobFault } from './workerBoard.ts';

const NOW = 1_795_204_000_000;
const JOB = 'a.main.0';

/** A worker by `class running/limit` of its encoders and the jobs it has. */
function worker(
  encoders: Record<string, string>,
  jobs: Record<string, EncoderClass> = {},
): WorkerReport {
  return {
    ...{ instance: 'w', host: 'h' },
    encoders: Object.entries(encoders).map(([name, seats]) => {
      const [running = 0, limit = 0] = seats.split('/').map(Number);
      return {
        ...{ class: name as EncoderClass, name, reason: '', capacity: 2, capacityReason: '' },
        ...{ limit, running },
        ...(limit < 2 ? { limitReason: 'no session' } : {}),
      };
    }),
    jobs: Object.entries(jobs).map(([id, one]) => ({
      ...{ id, broadcast: id.split('.')[0] ?? '', class: one, startedMs: NOW },
    })),
  };
}

const fault = (more: Partial<JobFault> = {}): JobFault => ({
  ...{ reason: 'it broke', count: 2, avoid: [], untilMs: NOW },
  ...more,
});
const full = 'no worker is free: jobs at once, nvenc 0 of 0 (no session), x264 2 of 2';

it.each([
  ['no worker', [], undefined, undefined, { kind: 'hold', reason: 'no worker lives' }],
  [
    'both free',
    [worker({ nvenc: '0/2', x264: '0/2' })],
    undefined,
    undefined,
    { kind: 'wait', class: 'nvenc' },
  ],
  [
    'the GPU rests',
    [worker({ nvenc: '0/0', x264: '0/2' })],
    'nvenc',
    undefined,
    { kind: 'wait', class: 'x264' },
  ],
  [
    'where it waits is room',
    [worker({ nvenc: '0/2', x264: '1/2' })],
    'x264',
    undefined,
    { kind: 'wait', class: 'x264' },
  ],
  [
    'all full',
    [worker({ nvenc: '0/0', x264: '2/2' })],
    'x264',
    undefined,
    { kind: 'wait', class: 'x264', reason: full },
  ],
  [
    'all full after a fault',
    [worker({ nvenc: '0/0', x264: '2/2' })],
    'x264',
    fault(),
    { kind: 'wait', class: 'x264', reason: `${full}; it failed before: it broke` },
  ],
  [
    'another worker has room',
    [worker({ x264: '2/2' }), worker({ x264: '1/2' })],
    'x264',
    undefined,
    { kind: 'wait', class: 'x264' },
  ],
  [
    'it runs',
    [worker({ nvenc: '0/2', x264: '1/2' }, { [JOB]: 'x264' })],
    'x264',
    undefined,
    { kind: 'runs', class: 'x264' },
  ],
  [
    'its other slot runs on x264',
    [worker({ nvenc: '0/2', x264: '1/2' }, { 'a.main.1.1795-2': 'x264' })],
    undefined,
    undefined,
    { kind: 'wait', class: 'x264' },
  ],
  [
    'it takes the place of a run on x264',
    [worker({ nvenc: '0/2', x264: '2/2' }, { 'a.main.0.1795-2': 'x264' })],
    undefined,
    undefined,
    { kind: 'wait', class: 'x264', reason: 'no worker is free: jobs at once, x264 2 of 2' },
  ],
  [
    'it takes the place of a run on a class that cannot encode what it is to',
    [worker({ nvenc: '1/2', x264: '0/2' }, { 'a.main.0.1795-2': 'nvenc' })],
    'nvenc',
    fault({ avoid: ['nvenc'] }),
    { kind: 'wait', class: 'x264' },
  ],
  [
    'it has just failed, and the report is older than that',
    [worker({ x264: '1/2' }, { [JOB]: 'x264' })],
    'x264',
    fault({ untilMs: NOW + 5000 }),
    { kind: 'hold', reason: 'it failed 2 times, the next try is at 19:46:45 UTC: it broke' },
  ],
  [
    'one class cannot',
    [worker({ nvenc: '0/2', x264: '0/2' })],
    'nvenc',
    fault({ avoid: ['nvenc'] }),
    { kind: 'wait', class: 'x264' },
  ],
  [
    'no class can',
    [worker({ x264: '0/2' })],
    'x264',
    fault({ avoid: ['x264'] }),
    { kind: 'hold', reason: 'no worker can encode it: it broke' },
  ],
] as const)('%s', (_title, workers, before, failed, choice) => {
  expect(chooseClass(JOB, { workers, before, fault: failed, nowMs: NOW })).toEqual(choice);
});
