/** The faults: how each is done, always to single processes by their pid, and what must hold. */
import { pause } from '../../infra/kernel/lifecycle.ts';
import type { Figures } from './figures.ts';
import type { Encoder, Rig } from './rig.ts';
import { nowMs } from './segmentWatch.ts';

/** A condition on the figures of a run. */
export type Target = { readonly text: string; readonly holds: (figures: Figures) => boolean };

/** A fault. */
export type Fault = {
  readonly name: string;
  readonly about: string;
  readonly redundancy: 1 | 2;
  readonly times: number;
  /** Is looked at for this long after it is over, before the cluster must be ready again (ms). */
  readonly lookMs: number;
  /** Does it; gives when it struck (Unix ms) and whom. Resolves when the fault is over. */
  readonly strike: (rig: Rig) => Promise<{ readonly atMs: number; readonly text: string }>;
  readonly targets: readonly Target[];
};

const FROZEN_MS = 10_000;
/** As long as whatever keeps processes running needs to notice (ms). */
const NOTICE_MS = 500;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
const longestMs = (spans: readonly { readonly lengthMs: number }[]): number =>
  Math.max(0, ...spans.map(({ lengthMs }) => lengthMs));

const UNCHANGED: Target = {
  text: 'every segment equal at both origins and unchanged later',
  holds: ({ unlike, changed, compared }) => unlike === 0 && changed === 0 && compared > 0,
};
const NOTHING_MISSING: Target = {
  text: 'no segment missing, short, or a gap',
  holds: ({ missing, gaps, short }) => missing + gaps + short === 0,
};
const GAPS_ONLY_WHERE_LOST: Target = {
  text: 'gaps only for what nobody encoded',
  holds: ({ missing, needless }) => missing + needless === 0,
};
const stallsBelow = (ms: number): Target => ({
  text: `no stall over ${ms} ms`,
  holds: ({ stalls }) => longestMs(stalls) <= ms,
});
const backWithin = (ms: number): Target => ({
  text: `published again within ${ms / 1000} s (median)`,
  holds: ({ recoveriesMs }) => median(recoveriesMs) <= ms,
});
const everyBackWithin = (ms: number): Target => ({
  text: `published again within ${ms / 1000} s each time`,
  holds: ({ recoveriesMs }) => Math.max(0, ...recoveriesMs) <= ms,
});

const nameOf = ({ member, slot, pid }: Encoder): string =>
  `${member.plan.name} (${member.pid ?? '-'}), slot ${slot}, ffmpeg ${pid}`;

/** Ends the followed worker by `signal`, and starts it again. */
async function endWorker(rig: Rig, signal: 'SIGKILL' | 'SIGTERM') {
  const target = await rig.followed();
  const text = nameOf(target);
  const atMs = nowMs();
  await target.member.signal(signal);
  await pause(NOTICE_MS);
  await target.member.start();
  return { atMs, text };
}

/** Stops the pids, one by one, and lets them go on after `FROZEN_MS`. */
async function freeze(pids: readonly (number | undefined)[]): Promise<number> {
  const known = pids.filter((pid) => pid !== undefined);
  const atMs = nowMs();
  known.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  await pause(FROZEN_MS);
  known.forEach((pid) => {
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // A watchdog has ended it meanwhile.
    }
  });
  return atMs;
}

async function restartRedis({ cluster: { redis } }: Rig, isEmpty: boolean) {
  const text = `Redis (${redis.pid ?? '-'})`;
  const atMs = nowMs();
  await redis.kill();
  await pause(isEmpty ? NOTICE_MS : FROZEN_MS);
  await redis.start({ isEmpty });
  return { atMs, text };
}

async function restartMember(rig: Rig, role: 'ingest' | 'origin') {
  const [target] = rig.cluster.of(role);
  const text = `${target?.plan.name ?? ''} (${target?.pid ?? '-'})`;
  const atMs = nowMs();
  await target?.signal('SIGKILL');
  await pause(NOTICE_MS);
  await target?.start();
  return { atMs, text };
}

/** Every fault, in the order in which they are shown. */
export const FAULTS: readonly Fault[] = [
  {
    ...{ name: 'none', about: 'nothing at all, to compare with', redundancy: 1, times: 3 },
    lookMs: 5000,
    strike: () => Promise.resolve({ atMs: nowMs(), text: 'nobody' }),
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(300)],
  },
  {
    ...{ name: 'kill-worker', about: 'kill -9 of the followed of two workers', redundancy: 2 },
    ...{ times: 20, lookMs: 4000 },
    strike: (rig) => endWorker(rig, 'SIGKILL'),
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(300)],
  },
  {
    ...{ name: 'kill-worker-single', about: 'kill -9 of the only worker, another is free' },
    ...{ redundancy: 1, times: 10, lookMs: 9000 },
    strike: (rig) => endWorker(rig, 'SIGKILL'),
    targets: [backWithin(7000), GAPS_ONLY_WHERE_LOST, UNCHANGED],
  },
  {
    ...{ name: 'term-worker', about: 'SIGTERM of the worker: a rolling deploy', redundancy: 1 },
    ...{ times: 10, lookMs: 4000 },
    strike: (rig) => endWorker(rig, 'SIGTERM'),
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(100)],
  },
  {
    ...{ name: 'term-worker-double', about: 'the same with two encoders', redundancy: 2 },
    ...{ times: 10, lookMs: 4000 },
    strike: (rig) => endWorker(rig, 'SIGTERM'),
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(100)],
  },
  {
    ...{ name: 'freeze-worker', about: 'worker and ffmpeg frozen for 10 s', redundancy: 1 },
    ...{ times: 3, lookMs: 6000 },
    async strike(rig) {
      const target = await rig.followed();
      return { atMs: await freeze([target.member.pid, target.pid]), text: nameOf(target) };
    },
    targets: [backWithin(7000), GAPS_ONLY_WHERE_LOST, UNCHANGED],
  },
  {
    ...{ name: 'kill-ffmpeg', about: 'kill -9 of ffmpeg', redundancy: 1, times: 5, lookMs: 5000 },
    async strike(rig) {
      const target = await rig.followed();
      const atMs = nowMs();
      process.kill(target.pid, 'SIGKILL');
      return { atMs, text: nameOf(target) };
    },
    targets: [everyBackWithin(3000), GAPS_ONLY_WHERE_LOST, UNCHANGED],
  },
  {
    ...{ name: 'freeze-ffmpeg', about: 'ffmpeg frozen for 10 s', redundancy: 1, times: 3 },
    lookMs: 3000,
    async strike(rig) {
      const target = await rig.followed();
      return { atMs: await freeze([target.pid]), text: nameOf(target) };
    },
    targets: [everyBackWithin(3000), GAPS_ONLY_WHERE_LOST, UNCHANGED],
  },
  {
    ...{ name: 'freeze-redis', about: 'Redis frozen for 10 s', redundancy: 1, times: 3 },
    lookMs: 8000,
    async strike(rig) {
      const { pid } = rig.cluster.redis;
      return { atMs: await freeze([pid]), text: `Redis (${pid ?? '-'})` };
    },
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(300)],
  },
  {
    ...{ name: 'restart-redis', about: 'Redis away for 10 s, its data kept', redundancy: 1 },
    ...{ times: 3, lookMs: 8000 },
    strike: (rig) => restartRedis(rig, false),
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(300)],
  },
  {
    ...{ name: 'wipe-redis', about: 'Redis started again without its data', redundancy: 1 },
    ...{ times: 3, lookMs: 10_000 },
    strike: (rig) => restartRedis(rig, true),
    targets: [NOTHING_MISSING, UNCHANGED, stallsBelow(300)],
  },
  {
    ...{ name: 'kill-ingest', about: 'kill -9 of the only ingest', redundancy: 1, times: 3 },
    lookMs: 10_000,
    strike: (rig) => restartMember(rig, 'ingest'),
    targets: [backWithin(5000), GAPS_ONLY_WHERE_LOST, UNCHANGED],
  },
  {
    ...{ name: 'kill-origin', about: 'kill -9 of the origin that is watched', redundancy: 1 },
    ...{ times: 3, lookMs: 6000 },
    strike: (rig) => restartMember(rig, 'origin'),
    targets: [GAPS_ONLY_WHERE_LOST, UNCHANGED],
  },
];
