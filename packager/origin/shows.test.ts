import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import type { Broadcast } from '../../infra/kernel/wire.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { renderMediaPlaylist } from '../playlists/index.ts';
import { type DiskArchive, openArchive } from './archive/archive.ts';
import { MemoryDisk } from './archive/memoryDisk.ts';
import { originConfigSchema } from './config.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import { Shows } from './shows.ts';
import { type Archive, noArchive } from './storage.ts';

const CONFIG = originConfigSchema.parse({ maxBroadcasts: 2 });
let nowMs: number;
let disk: MemoryDisk;
let archive: DiskArchive;
let desired: Map<string, Broadcast>;
let changes: string[];

beforeEach(() => {
  nowMs = N * 2000;
  disk = new MemoryDisk();
  desired = new Map([['demo', BROADCAST]]);
  changes = [];
});

/** An origin's shows over `disk`, as a process that starts now has them. */
async function start(instead: { archive?: Archive } = {}): Promise<Shows> {
  const clock = { nowMs: () => unixMs(nowMs) };
  const deps = { clock, logger: silentLogger, metrics: noMetrics, fileSystem: disk };
  archive = await openArchive(deps, CONFIG.dvr, '/media');
  const shows = new Shows(
    {
      clock,
      logger: silentLogger,
      directory: {
        broadcast: (id) => Promise.resolve(desired.get(id)),
        broadcasts: () => Promise.resolve([...desired.values()]),
      },
      archive: instead.archive ?? archive,
      agreement: undefined,
      onChange: (_live, track, change) => {
        changes.push(`${track} ${change}`);
      },
    },
    CONFIG,
  );
  await shows.follow();
  return shows;
}

function publish(live: LiveBroadcast, from: number, to: number, attempt = 1): void {
  const identity = { slot: 0, epoch: { timestamp: 1, attempt } };
  const v = live.addPublisher('v180', identity, VIDEO_HEADER);
  const a = live.addPublisher('a128', identity, AUDIO_HEADER);
  for (let at = from; at < to; at += 0.25) {
    live.publish('v180', v, video(at, at + 0.25));
    live.publish('a128', a, audio(at, at + 0.25));
  }
  nowMs = to * 2000;
}

function playlist(live: LiveBroadcast | undefined): string {
  const presentation = live?.presentation();
  return presentation === undefined ? '' : renderMediaPlaylist(presentation, 'v180');
}

describe('what is desired', () => {
  it('is made at the first publish, once, and only where it is desired', async () => {
    const shows = await start();
    await expect(shows.forPublish('other', 'v180')).rejects.toMatchObject({ code: 'not_found' });
    await expect(shows.forPublish('demo', 'v720')).rejects.toMatchObject({ code: 'not_found' });
    const [one, two] = await Promise.all([
      shows.forPublish('demo', 'v180'),
      shows.forPublish('demo', 'a128'),
    ]);
    expect(one).toBe(two);
    desired.set('b', { ...BROADCAST, id: 'b' }).set('c', { ...BROADCAST, id: 'c' });
    await shows.forPublish('b', 'v180');
    await expect(shows.forPublish('c', 'v180')).rejects.toMatchObject({ code: 'too_busy' });
  });

  it('[U06 M17] ends within the second: ENDLIST, waiters woken, publishers refused', async () => {
    const shows = await start();
    const live = await shows.forPublish('demo', 'v180');
    publish(live, N, N + 4.5);
    changes = [];
    desired.set('demo', { ...BROADCAST, endedMs: nowMs });
    await shows.follow();
    expect(changes).toContain('v180 part');
    expect(changes).toContain('a128 part');
    expect(playlist(live)).toMatch(/#EXT-X-ENDLIST\n$/);
    expect(live.status(unixMs(nowMs))).toMatchObject({ isEnded: true });
    expect(() => {
      publish(live, N + 5, N + 6, 2);
    }).toThrow('has ended');
    expect(archive.recordings('demo')).toHaveLength(1);
  });

  it('[U02] starts again: another session, numbers go on', async () => {
    const shows = await start();
    const live = await shows.forPublish('demo', 'v180');
    publish(live, N, N + 4);
    desired.set('demo', { ...BROADCAST, endedMs: nowMs });
    await shows.follow();
    desired.set('demo', { ...BROADCAST, endedMs: nowMs, startedMs: nowMs + 10_000 });
    nowMs += 10_000;
    // A publisher may be quicker than the second.
    expect(await shows.forPublish('demo', 'v180')).toBe(live);
    publish(live, N + 10, N + 14, 2);
    expect(playlist(live)).toContain(`#EXT-X-MEDIA-SEQUENCE:${N + 10}\n`);
    expect(playlist(live)).toContain('#EXT-X-DISCONTINUITY-SEQUENCE:1\n');
    expect(playlist(live)).not.toContain('ENDLIST');
  });

  it('is forgotten when nobody wants it, and its waiters are told', async () => {
    const shows = await start();
    publish(await shows.forPublish('demo', 'v180'), N, N + 4);
    desired.delete('demo');
    changes = [];
    await shows.follow();
    nowMs += 9999;
    await shows.follow();
    // A Redis without its data says the same for a moment.
    expect(shows.get('demo')?.live.isEnded).toBe(false);
    nowMs += 1;
    await shows.follow();
    expect(changes).toContain('v180 part');
    expect(shows.get('demo')).toBeUndefined();
    expect(archive.recordings('demo')).toHaveLength(1);
  });

  it('that cannot be read changes nothing', async () => {
    const shows = await start();
    publish(await shows.forPublish('demo', 'v180'), N, N + 4);
    desired.get = () => {
      throw new Error('Redis is away');
    };
    await shows.follow();
    expect(shows.get('demo')?.live.isEnded).toBe(false);
  });
});

describe('another ladder', () => {
  it('ends what was there for good, also while the disk is read for the new one', async () => {
    let read: (() => void) | undefined;
    const slow: Archive = {
      ...noArchive,
      restore: ({ ladder }) =>
        ladder === BROADCAST.ladder
          ? Promise.resolve(undefined)
          : new Promise((resolve) => {
              read = () => {
                resolve(undefined);
              };
            }),
    };
    const shows = await start({ archive: slow });
    const old = await shows.forPublish('demo', 'v180');
    const ladder = { ...BROADCAST.ladder, audio: [{ name: 'a96', bitrateBps: 96_000 }] };
    desired.set('demo', { ...BROADCAST, ladder });
    const opening = shows.forPublish('demo', 'v180');
    await shows.follow();
    expect(old.isEnded).toBe(true);
    read?.();
    expect(await opening).not.toBe(old);
    expect(old.isEnded).toBe(true);
  });

  it.each([['a disk'], ['memory only']])(
    '[U01 U02 H18] is another session, with %s: names that are taken stay as they are',
    async (where) => {
      const shows = await start(where === 'a disk' ? {} : { archive: noArchive });
      publish(await shows.forPublish('demo', 'v180'), N, N + 4.5);
      const video = BROADCAST.ladder.video.map((rung) => ({ ...rung, bitrateBps: 500_000 }));
      desired.set('demo', { ...BROADCAST, ladder: { ...BROADCAST.ladder, video } });
      const live = await shows.forPublish('demo', 'v180');
      publish(live, N + 3, N + 8, 2);
      expect(playlist(live)).toContain(`#EXT-X-MEDIA-SEQUENCE:${N + 5}\n`);
      expect(playlist(live)).toContain('#EXT-X-DISCONTINUITY-SEQUENCE:1\n');
    },
  );
});

describe('a ladder that grows', () => {
  const rung = { name: 'v180-2', width: 320, height: 180, bitrateBps: 200_000 };
  const grown: Broadcast = {
    ...BROADCAST,
    ladder: { ...BROADCAST.ladder, video: [...BROADCAST.ladder.video, rung] },
  };

  it('goes on in its session: the new rung is listed from its first segment on', async () => {
    const shows = await start();
    const live = await shows.forPublish('demo', 'v180');
    publish(live, N, N + 2);
    const before = playlist(live);
    expect(before).toContain(`\n${N + 1}.m4s`);
    desired.set('demo', grown);
    expect(await shows.forPublish('demo', 'v180-2')).toBe(live);
    // Nobody publishes it yet: what is listed stays.
    expect(playlist(live)).toBe(before);
    const identity = { slot: 0, epoch: { timestamp: 1, attempt: 2 } };
    const makers = ['v180', 'v180-2', 'a128'].map((name) => ({
      name,
      publisher: live.addPublisher(name, identity, name === 'a128' ? AUDIO_HEADER : VIDEO_HEADER),
    }));
    for (let at = N + 2; at < N + 6; at += 0.25) {
      for (const { name, publisher } of makers) {
        const samples = name === 'a128' ? audio(at, at + 0.25) : video(at, at + 0.25);
        live.publish(name, publisher, samples);
      }
    }
    const presentation = live.presentation()!;
    expect(presentation.windows.map(({ track }) => track.name)).toEqual([
      ...['v180', 'v180-2', 'a128'],
    ]);
    expect(presentation.windows.map(({ segments }) => segments.at(-1)?.msn)).toEqual([
      ...[N + 5, N + 5, N + 5],
    ]);
    expect(presentation.windows[1]?.segments[0]?.msn).toBe(presentation.eras.at(-1)?.firstMsn);
    expect(live.gapSegments).toBe(0);

    // A Redis that lost the newest of its data takes nothing away.
    desired.set('demo', BROADCAST);
    expect(await shows.forPublish('demo', 'v180')).toBe(live);
    expect(live.broadcast).toBe(grown);
    desired.set('demo', { ...grown, startedMs: 5 });
    expect(await shows.forPublish('demo', 'v180')).toBe(live);
  });

  it('[U01 U02] grows over a restart too, before its new rung is there and after', async () => {
    const shows = await start();
    publish(await shows.forPublish('demo', 'v180'), N, N + 4);
    desired.set('demo', grown);
    let attempt = 2;
    const whole = async (from: number, to: number): Promise<LiveBroadcast> => {
      await archive.idle();
      const again = await start();
      const live = again.get('demo')!.live;
      expect(live.broadcast).toEqual(grown);
      await live.ready;
      attempt += 1;
      const identity = { slot: 0, epoch: { timestamp: 1, attempt } };
      const makers = ['v180', 'v180-2', 'a128'].map((name) => ({
        name,
        publisher: live.addPublisher(name, identity, name === 'a128' ? AUDIO_HEADER : VIDEO_HEADER),
      }));
      for (let at = from; at < to; at += 0.25) {
        for (const { name, publisher } of makers) {
          const samples = name === 'a128' ? audio(at, at + 0.25) : video(at, at + 0.25);
          live.publish(name, publisher, samples);
        }
        nowMs = (at + 0.25) * 2000;
        live.giveUpOnLateTracks(unixMs(nowMs));
      }
      return live;
    };
    const rungs = (live: LiveBroadcast): unknown[] =>
      live
        .presentation()!
        .windows.map(({ track, segments }) => [
          track.name,
          segments.at(-1)!.msn - N,
          segments.filter(({ isGap }) => isGap).length,
        ]);
    const all = (msn: number): unknown[] =>
      ['v180', 'v180-2', 'a128'].map((name) => [name, msn, 0]);
    expect(rungs(await whole(N + 4, N + 6))).toEqual(all(5));
    expect(rungs(await whole(N + 6, N + 8))).toEqual(all(7));
  });

  it('is another session in another run', async () => {
    const shows = await start();
    const live = await shows.forPublish('demo', 'v180');
    desired.set('demo', { ...grown, startedMs: N * 2000 });
    expect(await shows.forPublish('demo', 'v180-2')).not.toBe(live);
  });
});

describe('a restart', () => {
  it('[U01 U02] serves what disk has before its publishers return', async () => {
    const before = await (await start()).forPublish('demo', 'v180');
    publish(before, N, N + 4);
    await archive.idle();
    disk = disk.copy();
    const shows = await start();
    const text = playlist(shows.get('demo')?.live);
    expect(text).toContain(`${N + 3}.m4s`);
    expect(text).toBe(playlist(before));
  });

  it('[U06] of an ended broadcast serves ENDLIST until another start', async () => {
    const before = await start();
    publish(await before.forPublish('demo', 'v180'), N, N + 4);
    desired.set('demo', { ...BROADCAST, endedMs: nowMs });
    await before.follow();
    await archive.idle();
    disk = disk.copy();
    const shows = await start();
    expect(playlist(shows.get('demo')?.live)).toMatch(/#EXT-X-ENDLIST\n$/);
    nowMs += 60_000;
    desired.set('demo', { ...BROADCAST, endedMs: nowMs - 60_000, startedMs: nowMs });
    await shows.follow();
    expect(playlist(shows.get('demo')?.live)).toBe('');
    publish(await shows.forPublish('demo', 'v180'), N + 40, N + 44);
    expect(playlist(shows.get('demo')?.live)).toContain(`#EXT-X-MEDIA-SEQUENCE:${N + 40}\n`);
  });

  it('holds no bytes of what ended a while ago: the disk has them', async () => {
    const shows = await start();
    const live = await shows.forPublish('demo', 'v180');
    publish(live, N, N + 4);
    desired.set('demo', { ...BROADCAST, endedMs: nowMs });
    await shows.follow();
    await archive.idle();
    const text = playlist(live);
    nowMs += 61_000;
    await shows.follow();
    expect(live.track('v180')?.ring.segments).toEqual([]);
    expect(playlist(live)).toBe(text);
    expect(await archive.read('demo', 'v180', N + 3)).toBeDefined();
  });
});
