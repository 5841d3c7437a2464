import { describe, expect, it } from 'vitest';
import { startController } from './controller.ts';
import { gridSchema } from '../kernel/grid.ts';
import type { JobQueue } from '../kernel/jobs.ts';
import { silentLogger } from '../kernel/logger.ts';
import { type Broadcast, DEFAULT_LADDER } from '../kernel/wire.ts';

/** A queue that remembers what was wished for and tells when. */
function fakeQueue() {
  const ids = new Set<string>();
  const waiters: { readonly id: string; readonly resolve: () => void }[] = [];
  const queue: JobQueue = {
    ensure: (id) => {
      ids.add(id);
      waiters.filter((waiter) => waiter.id === id).forEach(({ resolve }) => resolve());
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const wished = (id: string): Promise<void> =>
    ids.has(id) ? Promise.resolve() : new Promise((resolve) => waiters.push({ id, resolve }));
  return { queue, ids, wished };
}

function setUp(options: { autoBroadcast?: boolean; maxBroadcasts?: number } = {}) {
  const warnings: string[] = [];
  const saved = new Map<string, Broadcast>();
  const feeds = new Set<string>();
  const ingest = fakeQueue();
  const transcode = fakeQueue();
  const controller = startController(
    {
      logger: { ...silentLogger, warn: (_fields, message) => void warnings.push(message) },
      nowMs: () => 1_795_204_000_000,
      ingestQueue: ingest.queue,
      transcodeQueue: transcode.queue,
      directory: {
        broadcasts: () => Promise.resolve([...saved.values()]),
        saveBroadcast: (broadcast) => {
          saved.set(broadcast.id, broadcast);
          return Promise.resolve();
        },
        feedOf: (id) =>
          Promise.resolve(
            feeds.has(id) ? { url: 'http://x', epoch: { timestamp: 1, attempt: 1 } } : undefined,
          ),
      },
    },
    {
      autoBroadcast: true,
      maxBroadcasts: 2,
      ladder: DEFAULT_LADDER,
      grid: gridSchema.parse({}),
      ...options,
    },
  );
  return { controller, warnings, saved, feeds, ingest, transcode };
}

describe('the controller', () => {
  it('makes a broadcast of a streamer, and asks for a worker only once there is a feed', async () => {
    const { controller, saved, feeds, ingest, transcode } = setUp();
    controller.streamerIdentified('DefaultStreamer');
    await ingest.wished('s-defaultstreamer');
    expect(saved.get('s-defaultstreamer')?.source.streamerId).toBe('DefaultStreamer');
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
    expect(saved.get('s-stage-1')?.source.streamerId).toBe('Stage 1');
    expect(warnings).toEqual([expect.stringMatching(/name of another broadcast/)]);
  });

  it('leaves streamers alone without autoBroadcast', async () => {
    const { controller, saved } = setUp({ autoBroadcast: false });
    controller.streamerIdentified('one');
    await controller.close('done');
    expect(saved.size).toBe(0);
  });
});
