import { describe, expect, it } from 'vitest';
import { desiredBroadcasts, runOf } from './desired.ts';
import { memoryDirectory } from './memoryDirectory.ts';
import { gridSchema } from '../kernel/grid.ts';
import { DEFAULT_LADDER } from '../kernel/wire.ts';

const NOW = 1_795_204_000_000;

function setUp(maxBroadcasts = 2) {
  const { directory, saved } = memoryDirectory();
  const desired = desiredBroadcasts({
    directory,
    nowMs: () => NOW + 0.4,
    maxBroadcasts,
    ladder: DEFAULT_LADDER,
    grid: gridSchema.parse({}),
    redundancy: 1,
  });
  return { desired, saved };
}

describe('desired broadcasts', () => {
  it('are made with the defaults, of the streamer of their name', async () => {
    const { desired, saved } = setUp();
    expect(await desired.create({ id: 'demo' })).toMatchObject({ kind: 'done' });
    expect(saved.get('demo')).toEqual({
      id: 'demo',
      source: { kind: 'pixel-streaming', streamerId: 'demo' },
      ladder: DEFAULT_LADDER,
      grid: gridSchema.parse({}),
      redundancy: 1,
      createdMs: NOW,
    });
  });

  it('take a preset with its frame rate, unless a grid is wished with it', async () => {
    const { desired, saved } = setUp();
    await desired.create({ id: 'demo', ladder: '1080p60' });
    expect(saved.get('demo')).toMatchObject({
      grid: { fps: 60 },
      ladder: { video: { length: 4 } },
    });
    await desired.patch('demo', { ladder: '1080p', grid: gridSchema.parse({ fps: 50 }) });
    expect(saved.get('demo')).toMatchObject({
      grid: { fps: 50 },
      ladder: { video: { length: 4 } },
    });
  });

  it('stop and start in an order that the same millisecond does not blur', async () => {
    const { desired } = setUp();
    await desired.create({ id: 'demo' });
    const runs: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const stopped = await desired.stop('demo');
      expect(await desired.stop('demo')).toEqual(stopped);
      const started = await desired.start('demo');
      expect(await desired.start('demo')).toEqual(started);
      if (stopped.kind !== 'done' || started.kind !== 'done') {
        throw new Error('refused');
      }
      const { endedMs = 0 } = stopped.broadcast;
      expect(endedMs).toBeGreaterThan(runOf(stopped.broadcast));
      expect(runOf(started.broadcast)).toBeGreaterThan(endedMs);
      expect(started.broadcast.endedMs).toBeUndefined();
      runs.push(runOf(started.broadcast));
    }
    expect(runs).toEqual([NOW + 2, NOW + 4, NOW + 6]);
  });

  it('are not made twice while they run; an ended one is made anew', async () => {
    const { desired, saved } = setUp();
    await desired.create({ id: 'ext', source: { kind: 'publish' } });
    expect(await desired.create({ id: 'ext' })).toMatchObject({ kind: 'conflict' });
    await desired.stop('ext');
    expect(await desired.create({ id: 'ext' })).toMatchObject({ kind: 'done' });
    expect(saved.get('ext')?.source.kind).toBe('pixel-streaming');
  });

  it('are bounded; those that ended do not count', async () => {
    const { desired } = setUp(1);
    await desired.create({ id: 'a' });
    expect(await desired.create({ id: 'b' })).toMatchObject({ kind: 'full' });
    await desired.stop('a');
    expect(await desired.create({ id: 'b' })).toMatchObject({ kind: 'done' });
    expect(await desired.start('a')).toMatchObject({ kind: 'full' });
    expect(await desired.start('b')).toMatchObject({ kind: 'done' });
  });

  it.each(['stop', 'start', 'remove'] as const)('%s says where there is none', async (change) => {
    expect(await setUp().desired[change]('nobody')).toEqual({ kind: 'unknown' });
  });
});
