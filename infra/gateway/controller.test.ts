import { describe, expect, it } from 'vitest';
import { startController } from './controller.ts';
import { desiredBroadcasts, runOf } from './desired.ts';
import { memoryDirectory } from './memoryDirectory.ts';
import { gridSchema } from '../kernel/grid.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import { silentLogger } from '../kernel/logger.ts';
import {
  type Broadcast,
  DEFAULT_LADDER,
  type Epoch,
  formatEpoch,
  type TranscodeStatus,
} from '../kernel/wire.ts';

/** A queue that remembers what was wished for and tells when. */
function fakeQueue() {
  const ids = new Set<string>();
  const removed: string[] = [];
  const waiters: { readonly id: string; readonly resolve: () => void }[] = [];
  const queue: JobQueue = {
    ensure: (id) => {
      ids.add(id);
      waiters.filter((waiter) => waiter.id === id).forEach(({ resolve }) => resolve());
      return Promise.resolve();
    },
    remove: (id) => {
      removed.push(id);
      ids.delete(id);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const wished = (id: string): Promise<void> =>
    ids.has(id) ? Promise.resolve() : new Promise((resolve) => waiters.push({ id, resolve }));
  return { queue, ids, removed, wished };
}

function setUp(options: { autoBroadcast?: boolean; maxBroadcasts?: number } = {}) {
  const warnings: string[] = [];
  const { directory, saved } = memoryDirectory();
  const feeds = new Set<string>();
  const workers = [{ instance: 'a', host: 'one' }];
  const lost = new Map<string, Epoch>();
  const superseded = new Map<string, Epoch>();
  const marks = new Set<string>();
  const source = { height: 720 as number | undefined, runMs: undefined as number | undefined };
  const encoders = new Map<string, TranscodeStatus>();
  const clock = { nowMs: 1_795_204_000_000 };
  const ingest = fakeQueue();
  const transcode = fakeQueue();
  const maxBroadcasts = options.maxBroadcasts ?? 2;
  const desired = desiredBroadcasts({
    directory,
    nowMs: () => 1_795_204_000_000,
    maxBroadcasts,
    ladder: DEFAULT_LADDER,
    grid: gridSchema.parse({}),
    redundancy: 1,
    logger: silentLogger,
  });
  const controller = startController(
    {
      logger: { ...silentLogger, warn: (_fields, message) => void warnings.push(message) },
      ingestQueue: ingest.queue,
      transcodeQueue: transcode.queue,
      desired,
      nowMs: () => clock.nowMs,
      directory: {
        ...directory,
        workers: () => Promise.resolve(workers),
        lostJobs: () => Promise.resolve(lost),
        statusesOf: () =>
          Promise.resolve({
            ...{ transcode: undefined, origin: undefined, slots: encoders.size, encoders },
            ingest: {
              ...{ state: 'live', height: source.height, runMs: source.runMs },
              ...{ framesIn: 1, framesDamaged: 0, plisSent: 0, nacksSent: 0 },
            },
          }),
        superseded: () => Promise.resolve(superseded),
        supersede: (key, epoch) => Promise.resolve(void superseded.set(key, epoch)),
        keepMark: () => Promise.resolve(!marks.has('kept') && Boolean(marks.add('kept'))),
        feedOf: (id) =>
          Promise.resolve(
            feeds.has(id) ? { url: 'http://x', epoch: { timestamp: 1, attempt: 1 } } : undefined,
          ),
      },
    },
    { autoBroadcast: options.autoBroadcast ?? true, maxBroadcasts },
  );
  return {
    ...{ controller, desired, warnings, saved, feeds, ingest, transcode },
    ...{ directory, workers, lost, superseded, marks, source, encoders, clock },
  };
}

/** Who a broadcast of Pixel Streaming takes its picture from. */
function streamerOf(broadcast: Broadcast | undefined): string | undefined {
  return broadcast?.source.kind === 'pixel-streaming' ? broadcast.source.streamerId : undefined;
}

describe('the controller', () => {
  it('makes a broadcast of a streamer, and asks for a worker only once there is a feed', async () => {
    const { controller, saved, feeds, ingest, transcode } = setUp();
    controller.streamerIdentified('DefaultStreamer');
    await ingest.wished('s-defaultstreamer');
    expect(streamerOf(saved.get('s-defaultstreamer'))).toBe('DefaultStreamer');
    expect(transcode.ids.size).toBe(0);
    feeds.add('s-defaultstreamer');
    await transcode.wished('s-defaultstreamer.main.0');
    await controller.close('done');
  });

  it('does not broadcast more streamers than it may', async () => {
    const { controller, saved, ingest } = setUp({ maxBroadcasts: 1 });
    controller.streamerIdentified('one');
    await ingest.wished('one');
    controller.streamerIdentified('two');
    controller.streamerIdentified('one');
    await controller.close('done');
    expect([...saved.keys()]).toEqual(['one']);
  });

  it('says so where two streamer ids give one name', async () => {
    const { controller, saved, warnings, ingest } = setUp();
    controller.streamerIdentified('Stage 1');
    await ingest.wished('s-stage-1');
    controller.streamerIdentified('stage/1');
    controller.streamerIdentified('main');
    await ingest.wished('main');
    await controller.close('done');
    expect(streamerOf(saved.get('s-stage-1'))).toBe('Stage 1');
    expect(warnings).toEqual([expect.stringMatching(/name of another broadcast/)]);
  });

  it('leaves streamers alone without autoBroadcast', async () => {
    const { controller, saved } = setUp({ autoBroadcast: false });
    controller.streamerIdentified('one');
    await controller.close('done');
    expect(saved.size).toBe(0);
  });

  it('takes the jobs of a stopped broadcast back, and no streamer brings it to life', async () => {
    const { controller, desired, saved, warnings, ingest, transcode } = setUp();
    controller.streamerIdentified('one');
    await ingest.wished('one');
    await desired.stop('one');
    ingest.ids.clear();
    controller.streamerIdentified('one');
    controller.streamerIdentified('two');
    await ingest.wished('two');
    expect(saved.get('one')?.endedMs).toBeDefined();
    expect(ingest.ids).toEqual(new Set(['two']));
    expect(ingest.removed).toEqual(['one']);
    expect(new Set(transcode.removed)).toEqual(new Set(['one.main.0', 'one.main.1']));
    expect(warnings).toEqual([expect.stringMatching(/was stopped.*broadcast start one/)]);
    await desired.start('one');
    controller.streamerIdentified('one');
    await ingest.wished('one');
    await controller.close('done');
  });

  it('runs nothing for what somebody else publishes', async () => {
    const { controller, desired, feeds, ingest, transcode } = setUp();
    await desired.create({ id: 'ext', source: { kind: 'publish' } });
    feeds.add('ext');
    controller.streamerIdentified('one');
    await ingest.wished('one');
    await controller.close('done');
    expect(ingest.ids).toEqual(new Set(['one']));
    expect(transcode.ids.size).toBe(0);
  });

  it('wishes for a slot again under another id once an origin has lost its publisher', async () => {
    const { controller, feeds, lost, transcode } = setUp();
    controller.streamerIdentified('one');
    feeds.add('one');
    await transcode.wished('one.main.0');
    lost.set('one.main.0', { timestamp: 1000, attempt: 2 });
    await transcode.wished('one.main.0.1000-2');
    lost.set('one.main.0', { timestamp: 2000, attempt: 1 });
    await transcode.wished('one.main.0.2000-1');
    await controller.close('done');
  });

  it('wishes for an ingest again under another id once a worker has lost its feed', async () => {
    const { controller, lost, ingest } = setUp();
    controller.streamerIdentified('one');
    await ingest.wished('one');
    lost.set('one', { timestamp: 1000, attempt: 2 });
    await ingest.wished('one.1000-2');
    await controller.close('done');
  });

  it('encodes twice where that is desired and a second worker lives', async () => {
    const { controller, desired, feeds, transcode, workers } = setUp();
    await desired.create({ id: 'one', redundancy: 2 });
    feeds.add('one');
    await transcode.wished('one.main.0');
    expect(transcode.ids.has('one.main.1')).toBe(false);
    workers.push({ instance: 'b', host: 'two' });
    await transcode.wished('one.main.1');
    await controller.close('done');
  });

  it('encodes what is not above its source, and more of it once that has grown', async () => {
    const { controller, desired, encoders, feeds, saved, source, clock, transcode } = setUp();
    source.height = 360;
    await desired.create({ id: 'one' });
    const run = runOf(saved.get('one')!);
    feeds.add('one');
    const stops = setInterval(() => (clock.nowMs += 500), 1);
    await transcode.wished('one.main.0');
    expect(saved.get('one')?.ladder.video.map(({ name }) => name)).toEqual(['v360']);
    const epoch = { timestamp: run + 1, attempt: 1 };
    encoders.set('one.main.0', {
      ...{ state: 'encoding', encoder: 'x', encoderReason: '', epoch: formatEpoch(epoch) },
      ...{ framesIn: 1, framesOut: 1, restarts: 0, tracks: ['v360', 'a128'] },
    });
    source.height = 480;
    await transcode.wished(`one.main.0.${run + 1}-1`);
    clearInterval(stops);
    expect(saved.get('one')?.ladder.video.map(({ name }) => name)).toEqual(['v480', 'v360']);
    await controller.close('done');
    expect(transcode.ids.size).toBe(2);
  });

  it('does not take the source of the run before for that of this one', async () => {
    const { controller, desired, feeds, saved, source, clock, ingest, transcode } = setUp();
    await desired.create({ id: 'one' });
    feeds.add('one');
    await transcode.wished('one.main.0');
    source.runMs = runOf(saved.get('one')!);
    transcode.ids.clear();
    // Another source: its ingest has said nothing yet, and the one before is leased for 5 s.
    await desired.patch('one', { source: { kind: 'pixel-streaming', streamerId: 'small' } });
    for (let pass = 0; pass < 2; pass += 1) {
      clock.nowMs += 3000;
      ingest.ids.clear();
      controller.streamerIdentified('one');
      await ingest.wished('one');
    }
    expect(saved.get('one')?.measuredHeight).toBeUndefined();
    source.runMs = runOf(saved.get('one')!);
    source.height = 360;
    const stops = setInterval(() => (clock.nowMs += 500), 1);
    await transcode.wished('one.main.0');
    clearInterval(stops);
    expect(saved.get('one')?.measuredHeight).toBe(360);
    await controller.close('done');
  });

  it('gives a Redis that lost its data what was desired, and not what was deleted', async () => {
    const { controller, desired, directory, ingest, marks, saved } = setUp();
    await desired.create({ id: 'kept' });
    await desired.create({ id: 'deleted' });
    await ingest.wished('deleted');
    await desired.remove('deleted');
    ingest.ids.clear();
    await ingest.wished('kept');
    marks.clear();
    await directory.removeBroadcast('kept');
    ingest.ids.clear();
    await ingest.wished('kept');
    await controller.close('done');
    expect([...saved.keys()]).toEqual(['kept']);
  });

  it('knows jobs by the same ids after Redis lost its data, so that their runs go on', async () => {
    const { controller, desired, directory, ingest, lost, marks, superseded } = setUp();
    await desired.create({ id: 'one' });
    lost.set('one', { timestamp: 1000, attempt: 2 });
    await ingest.wished('one.1000-2');
    lost.clear();
    superseded.clear();
    marks.clear();
    await directory.removeBroadcast('one');
    ingest.ids.clear();
    await ingest.wished('one.1000-2');
    await controller.close('done');
    expect(ingest.ids).toEqual(new Set(['one.1000-2']));
  });
});
