import { expect, it } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import type { TimelineAnchor } from '../../infra/kernel/wire.ts';
import { TimelineKeeper } from './keeper.ts';

const NOW_MS = 1_795_196_400_000;
const ANCHOR: TimelineAnchor = {
  ...{ newestMs: NOW_MS - 3000, pictureMs: NOW_MS - 3200, transitMs: 25, codec: 'h264' },
  runMs: 7,
};

function make(stored: TimelineAnchor | Error | undefined): {
  keeper: TimelineKeeper;
  kept: { anchor(): Omit<TimelineAnchor, 'runMs'>; resume(anchor: TimelineAnchor): void };
  resumed: TimelineAnchor[];
  written: { anchor: TimelineAnchor; keepMs: number }[];
} {
  const resumed: TimelineAnchor[] = [];
  const written: { anchor: TimelineAnchor; keepMs: number }[] = [];
  const keeper = new TimelineKeeper(
    {
      logger: silentLogger,
      clock: { nowMs: () => unixMs(NOW_MS) },
      anchors: {
        timelineAnchor: () =>
          stored instanceof Error ? Promise.reject(stored) : Promise.resolve(stored),
        keepTimelineAnchor: (_id, anchor, keepMs) =>
          Promise.resolve(void written.push({ anchor, keepMs })),
      },
    },
    { id: 'demo', startedMs: 7, createdMs: 1 },
    { slate: { maxMs: 600_000 } },
  );
  const { newestMs, pictureMs, transitMs, codec } = ANCHOR;
  const anchor = { newestMs, pictureMs, transitMs, codec };
  const kept = { anchor: () => anchor, resume: (from: TimelineAnchor) => void resumed.push(from) };
  return { keeper, kept, resumed, written };
}

it('goes on above all that the ingest before may have stamped since it wrote', async () => {
  const { keeper, kept, resumed } = make(ANCHOR);
  expect(await keeper.restore(kept)).toBe(true);
  expect(resumed).toEqual([{ ...ANCHOR, newestMs: NOW_MS - 1500 }]);
});

it.each([
  ['nothing is known', undefined],
  ['it is of another run of the broadcast', { ...ANCHOR, runMs: 6 }],
  [
    'it is farther ahead of our clock than an origin takes',
    { ...ANCHOR, newestMs: NOW_MS + 26_000 },
  ],
  ['Redis is away', new Error('connection lost')],
])('begins anew where %s', async (_why, stored) => {
  const { keeper, kept, resumed } = make(stored);
  expect(await keeper.restore(kept)).toBe(false);
  expect(resumed).toEqual([]);
});

it('writes where it stands, for longer than the slate', async () => {
  const { keeper, kept, written } = make(undefined);
  await keeper.keep(kept);
  expect(written).toEqual([{ anchor: ANCHOR, keepMs: 660_000 }]);
});
