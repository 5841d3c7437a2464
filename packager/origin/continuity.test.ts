/** What never goes back or changes: across sessions, restarts, holes and ladders. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { BoxSplitter, parseFragment, parseInit } from '../cmaf/index.ts';
import { renderMediaPlaylist } from '../playlists/index.ts';
import { CONFIG, Station, TRACKS } from './archive/fixtures.ts';
import { MemoryDisk } from './archive/memoryDisk.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { View } from './presentation.ts';
import type { Publisher } from './publisher.ts';

const VIEWS: readonly View[] = ['live', 'dvr'];

type Pair = { readonly v: Publisher; readonly a: Publisher };

function join(live: LiveBroadcast, attempt = 1): Pair {
  const identity = { slot: 0, epoch: { timestamp: 1, attempt } };
  return {
    v: live.addPublisher('v180', identity, VIDEO_HEADER),
    a: live.addPublisher('a128', identity, AUDIO_HEADER),
  };
}

function publish(live: LiveBroadcast, { v, a }: Pair, from: number, to: number): void {
  for (let at = from; at < to; at += 0.25) {
    live.publish('v180', v, video(at, Math.min(to, at + 0.25)));
    live.publish('a128', a, audio(at, Math.min(to, at + 0.25)));
  }
}

/** Numbers that a view lists, since the first. */
const listed = (live: LiveBroadcast, view: View, track = 0): number[] =>
  (live.presentation(view)?.windows[track]?.segments ?? []).map(({ msn }) => msn - N);

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe('another session', () => {
  it('[U01 U02] takes nothing from before its start: those names are taken', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 4.5);
    await station.end();
    const kept = await station.archive.read('demo', 'v180', N + 4);
    station.nowMs = (N + 5) * 2000;
    station.live.start();
    // It sends again what it has: two segments from before the start.
    publish(station.live, join(station.live, 2), N + 3, N + 8);
    await station.archive.idle();
    expect(listed(station.live, 'live')).toEqual([5, 6, 7]);
    expect(station.archive.state().state).toBe('ok');
    expect(await station.archive.read('demo', 'v180', N + 4)).toEqual(kept);
  });

  it('[U01] has nothing to play before its own first segment, whatever is sent', () => {
    const live = new LiveBroadcast(BROADCAST, DEPTH, () => undefined, {
      nowMs: () => unixMs((N + 10) * 2000),
    });
    publish(live, join(live), N, N + 4);
    live.end();
    live.start();
    publish(live, join(live, 2), N + 2, N + 10.5);
    expect(live.presentation()).toBeUndefined();
  });

  it('fences off publishers of the one before, that slept through the end', () => {
    const live = new LiveBroadcast(BROADCAST, DEPTH, () => undefined);
    const sleeper = join(live);
    publish(live, sleeper, N, N + 2);
    live.end();
    live.start();
    expect(live.publish('v180', sleeper.v, video(N + 2, N + 3))).toBe('fenced');
    join(live, 2);
    expect(live.publish('v180', sleeper.v, video(N + 3, N + 4))).toBe('fenced');
  });

  it('[H20] is what a date range is for: none is added to what has ended', () => {
    const live = new LiveBroadcast(BROADCAST, DEPTH, () => undefined);
    publish(live, join(live), N, N + 2);
    live.end();
    const text = renderMediaPlaylist(live.presentation()!, 'v180');
    expect(() => {
      live.addDateRange({ id: 'late', startMs: N * 2000 });
    }).toThrow(expect.objectContaining({ code: 'bad_request' }));
    expect(renderMediaPlaylist(live.presentation()!, 'v180')).toBe(text);
  });
});

const DEPTH = { windowSegments: 30, ringSegments: 45 };

describe('a hole', () => {
  it.each([[20], [31], [100]])(
    '[H19 U02] of %d segments leaves every view consecutive',
    async (hole) => {
      const archived = await Station.open('/media', { fileSystem: new MemoryDisk() });
      const inMemory = new LiveBroadcast(BROADCAST, DEPTH, () => undefined, {
        dvrWindowMs: 600_000,
      });
      for (const live of [archived.live, inMemory]) {
        const publishers = join(live);
        publish(live, publishers, N, N + 10);
        publish(live, publishers, N + 10 + hole, N + 14 + hole);
        const end = 14 + hole;
        expect(listed(live, 'live')).toEqual(numbers(Math.max(0, end - 30), end));
        for (const track of [0, 1]) {
          expect(listed(live, 'dvr', track)).toEqual(numbers(0, end));
        }
      }
    },
  );
});

describe('a segment that the disk lost', () => {
  it('[H19 M18] is a gap in dvr.m3u8, and a filler of its place where DASH asks for its number', async () => {
    const fileSystem = new MemoryDisk();
    const config = { ...CONFIG, windowMs: 600_000 };
    const station = await Station.open('/media', { fileSystem, config });
    await station.publishSlowly(N, N + 2);
    fileSystem.fault = 'ENOSPC';
    await station.publishSlowly(N + 2, N + 3);
    fileSystem.fault = undefined;
    await station.publishSlowly(N + 3, N + 60);
    const gaps = station.archive.list('demo', 'v180').filter(({ isGap }) => isGap);
    expect(gaps.length).toBeGreaterThan(0);
    for (const [name, bytes] of [
      ['v180', VIDEO_HEADER],
      ['a128', AUDIO_HEADER],
    ] as const) {
      for (const { msn } of gaps) {
        const { start, duration } = station.archive.list('demo', name)[msn - N]!;
        const filler = await station.archive.read('demo', name, msn);
        const boxes = new BoxSplitter().push(filler!);
        const at = boxes.findIndex(({ type }) => type === 'moof');
        const samples = parseFragment(boxes[at]!, boxes[at + 1]!, parseInit(bytes));
        expect(samples[0]?.dts).toBe(start);
        expect(samples.reduce((sum, sample) => sum + sample.duration, 0)).toBe(duration);
      }
    }
    expect(await station.archive.read('demo', 'v180', N + 70)).toBeUndefined();
  });
});

describe('a restart', () => {
  it('[U02 H18] at any instant, with the disk behind, begins no window further back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: 1, max: 8 }),
        async (quarters, behind, after) => {
          const config = { ...CONFIG, windowMs: 60_000 };
          const fileSystem = new MemoryDisk();
          const station = await Station.open('/media', { fileSystem, config });
          const until = N + 44 + quarters / 4;
          for (let at = N; at < until - behind / 4; at += 8) {
            station.publish(at, Math.min(at + 8, until - behind / 4));
            await station.archive.idle();
          }
          const disk = fileSystem.copy();
          station.publish(until - behind / 4, until);
          const first = VIEWS.map((view) => listed(station.live, view)[0] ?? 0);
          const again = await Station.open('/media', { fileSystem: disk, config });
          const check = (): void => {
            VIEWS.forEach((view, index) => {
              expect(listed(again.live, view)[0]).toBeGreaterThanOrEqual(first[index] ?? 0);
            });
          };
          check();
          again.publish(until - behind / 4, until + after / 4);
          check();
          expect(listed(again.live, 'live').length).toBeGreaterThanOrEqual(29);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('[U02] where bytes had run out begins the DVR window where it was', async () => {
    const fileSystem = new MemoryDisk();
    const config = { ...CONFIG, maxBytes: 1_200_000 };
    const station = await Station.open('/media', { fileSystem, config });
    await station.publishSlowly(N, N + 120);
    const first = listed(station.live, 'dvr')[0];
    expect(first).toBeGreaterThan(8);
    const again = await Station.open('/media', { fileSystem: fileSystem.copy(), config });
    expect(listed(again.live, 'dvr')[0]).toBeGreaterThanOrEqual(first ?? 0);
  });

  it('[U01] between the last bytes of a segment and their line in the journal loses nothing', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 3);
    await station.archive.idle();
    const disk = fileSystem.copy();
    for (const [path, bytes] of disk.files) {
      const lines = Buffer.from(bytes).toString().split('\n');
      const isUnwritten = (line: string): boolean =>
        line.includes(`"msn":${N + 2}`) && /"close"|"part":\{"index":3/.test(line);
      if (path.endsWith('.jsonl')) {
        expect(lines.filter(isUnwritten)).toHaveLength(2);
        const kept = lines.filter((line) => !isUnwritten(line));
        disk.files.set(path, Buffer.from(kept.join('\n')));
      }
    }
    const again = await Station.open('/media', { fileSystem: disk });
    const segments = (live: LiveBroadcast): unknown =>
      live.presentation()?.windows.map((window) => [window.segments, window.open]);
    expect(segments(again.live)).toEqual(segments(station.live));
    await again.archive.idle();
    for (const name of TRACKS) {
      expect(again.archive.list('demo', name)).toEqual(station.archive.list('demo', name));
    }
  });

  it('[H20] keeps date ranges, and no id is used again', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    const scte = new Uint8Array([252, 48, 1]);
    const range = { id: 'ad', startMs: N * 2000, endMs: N * 2000 + 4000, attributes: { 'X-A': 1 } };
    station.live.addDateRange({ id: 'before', startMs: N * 2000, endMs: N * 2000 + 1 });
    station.publish(N, N + 4);
    station.live.addDateRange({
      ...range,
      attributes: { 'SCTE35-OUT': scte, ...range.attributes },
    });
    await station.archive.idle();
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(again.live.presentation()?.dateRanges).toEqual(station.live.presentation()?.dateRanges);
    expect(renderMediaPlaylist(again.live.presentation()!, 'v180')).toContain(
      'SCTE35-OUT=0xFC3001',
    );
    const { version } = again.live;
    again.live.addDateRange({ ...range, attributes: { 'X-A': 1, 'SCTE35-OUT': scte } });
    expect(again.live.version).toBe(version);
    for (const id of ['ad', 'before']) {
      expect(() => {
        again.live.addDateRange({ id, startMs: N * 2000 + 5 });
      }).toThrow(expect.objectContaining({ code: 'bad_request' }));
    }
  });

  it('keeps nothing going that has left the ladder', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 4);
    await station.archive.idle();
    const broadcast = { ...BROADCAST, ladder: { ...BROADCAST.ladder, audio: [] } };
    const restored = await (
      await Station.open('/media', { fileSystem: fileSystem.copy() })
    ).archive.restore(broadcast, 45);
    const live = new LiveBroadcast(broadcast, DEPTH, () => undefined, { restored });
    const identity = { slot: 0, epoch: { timestamp: 1, attempt: 1 } };
    live.publish('v180', live.addPublisher('v180', identity, VIDEO_HEADER), video(N + 4, N + 9));
    live.giveUpOnLateTracks(unixMs((N + 9) * 2000));
    live.giveUpOnLateTracks(unixMs((N + 39) * 2000));
    expect(live.track('a128')).toBeUndefined();
    expect(live.gapSegments).toBe(0);
  });

  it('[M03] shows a track that was not found in a Period of its own', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 4);
    await station.archive.idle();
    const disk = fileSystem.copy();
    [...disk.files.keys()]
      .filter((path) => path.includes('/a128/'))
      .forEach((path) => disk.files.delete(path));
    const again = await Station.open('/media', { fileSystem: disk });
    again.publish(N + 4, N + 6);
    expect(TRACKS.map((name) => again.live.track(name)?.ring.segments.at(-1)?.era)).toEqual([1, 1]);
  });
});
