import { describe, expect, it } from 'vitest';
import { desiredBroadcasts, leftOutOf, runOf } from './desired.ts';
import { memoryDirectory } from './memoryDirectory.ts';
import { gridSchema } from '../kernel/grid.ts';
import { DEFAULT_LADDER } from '../kernel/wire.ts';

const NOW = 1_795_204_000_000;

function setUp(maxBroadcasts = 2, sourceHeight?: number) {
  const { directory, saved } = memoryDirectory();
  const said: unknown[] = [];
  const desired = desiredBroadcasts({
    directory,
    nowMs: () => NOW + 0.4,
    maxBroadcasts,
    ladder: DEFAULT_LADDER,
    grid: gridSchema.parse({}),
    redundancy: 1,
    ...(sourceHeight === undefined ? {} : { sourceHeight }),
    logger: { info: (fields) => void said.push(fields) },
  });
  return { desired, saved, said };
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

  it('have no rung above a source whose height is declared, and all again once it is not', async () => {
    const { desired, saved, said } = setUp(2, 480);
    const rungs = () => saved.get('demo')?.ladder.video.map(({ name }) => name);
    const reason = 'above the source, which is declared to be 480 pixels high';
    await desired.create({ id: 'demo' });
    expect(rungs()).toEqual(['v480', 'v360']);
    expect(leftOutOf(saved.get('demo')!)).toEqual({ tracks: ['v720'], reason });
    expect(said).toEqual([{ broadcast: 'demo', tracks: ['v720'], reason }]);

    // Another ladder is held to the same source, and another source brings rungs back.
    await desired.patch('demo', { ladder: '1080p' });
    expect(rungs()).toEqual(['v480', 'v360']);
    const run = runOf(saved.get('demo')!);
    await desired.patch('demo', { sourceHeight: 720 });
    expect(rungs()).toEqual(['v720', 'v480', 'v360']);
    expect(runOf(saved.get('demo')!)).toBeGreaterThan(run);
    await desired.patch('demo', { sourceHeight: null });
    expect(rungs()).toEqual(['v1080', 'v720', 'v480', 'v360']);
    expect(saved.get('demo')).not.toHaveProperty('wholeLadder');
    expect(saved.get('demo')).not.toHaveProperty('sourceHeight');
  });

  it('have no rung above what is measured: it only grows, and another run is measured anew', async () => {
    const { desired, saved, said } = setUp();
    const rungs = () => saved.get('demo')?.ladder.video.map(({ name }) => name);
    await desired.create({ id: 'demo' });
    const run = runOf(saved.get('demo')!);
    await desired.measured('demo', run, 360);
    expect(rungs()).toEqual(['v360']);
    const reason = 'above the source, which is 360 pixels high';
    expect(leftOutOf(saved.get('demo')!)).toEqual({ tracks: ['v720', 'v480'], reason });
    await desired.measured('demo', run, 500);
    expect(rungs()).toEqual(['v480', 'v360']);
    await desired.measured('demo', run, 360);
    await desired.measured('demo', run - 1, 1080);
    expect(saved.get('demo')).toMatchObject({ measuredHeight: 500 });
    expect(said).toHaveLength(2);

    // Under its viewers the same is encoded.
    await desired.patch('demo', { redundancy: 2 });
    expect(saved.get('demo')).toMatchObject({
      measuredHeight: 500,
      ladder: { video: { length: 2 } },
    });
    await desired.stop('demo');
    await desired.start('demo');
    expect(saved.get('demo')?.measuredHeight).toBeUndefined();
    await desired.measured('demo', runOf(saved.get('demo')!), 720);
    expect(rungs()).toEqual(['v720', 'v480', 'v360']);
    expect(leftOutOf(saved.get('demo')!)).toBeUndefined();
    await desired.patch('demo', { sourceHeight: 480 });
    await desired.measured('demo', runOf(saved.get('demo')!), 720);
    expect(rungs()).toEqual(['v480', 'v360']);
    await desired.patch('demo', { sourceHeight: null });
    expect(rungs()).toEqual(['v720', 'v480', 'v360']);
    expect(await desired.measured('other', 1, 720)).toEqual({ kind: 'unknown' });
  });

  it('have the rungs of who encodes them elsewhere, unless its own wish says otherwise', async () => {
    const { desired, saved } = setUp(2, 360);
    await desired.create({ id: 'ext', source: { kind: 'publish' } });
    await desired.create({ id: 'one', source: { kind: 'publish' }, sourceHeight: 480 });
    expect([...saved.values()].map(({ ladder }) => ladder.video.length)).toEqual([3, 2]);
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
