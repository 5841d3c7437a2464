/** A broadcast over time: restart, end, another session, holes, late tracks, date ranges, bandwidth. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { concatBytes } from '../cmaf/index.ts';
import { renderMediaPlaylist } from '../playlists/index.ts';
import { lastPartOf } from '../playlists/model.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast, type LiveBroadcastOptions } from './liveBroadcast.ts';
import { memoryArchive } from './memoryArchive.ts';
import type { Publisher } from './publisher.ts';
import type { Loss } from './seals.ts';

const DEPTH = { windowSegments: 6, ringSegments: 8 };
const OTHER_HEADER = VIDEO_HEADER.map((byte, index) => (index === 15 ? 1 : byte));
const AT = (N + 100) * 2000;
let clockMs = AT;

function broadcast(options: LiveBroadcastOptions = {}): LiveBroadcast {
  return new LiveBroadcast(BROADCAST, DEPTH, () => undefined, {
    nowMs: () => unixMs(clockMs),
    ...options,
  });
}

function join(live: LiveBroadcast, name: string, attempt = 1, header?: Uint8Array): Publisher {
  const bytes = header ?? (name === 'v180' ? VIDEO_HEADER : AUDIO_HEADER);
  return live.addPublisher(name, { slot: 0, epoch: { timestamp: 1, attempt } }, bytes);
}

function both(live: LiveBroadcast, from: number, to: number, v: Publisher, a: Publisher): void {
  for (let at = from; at < to; at += 0.25) {
    live.publish('v180', v, video(at, Math.min(at + 0.25, to)));
    live.publish('a128', a, audio(at, Math.min(at + 0.25, to)));
  }
}

function started(options: LiveBroadcastOptions = {}): {
  live: LiveBroadcast;
  v: Publisher;
  a: Publisher;
} {
  const live = broadcast(options);
  return { live, v: join(live, 'v180'), a: join(live, 'a128') };
}

const bytesOf = (live: LiveBroadcast, name: string): (readonly [number, string])[] =>
  (live.track(name)?.ring.segments ?? []).map(
    ({ msn, chunks }) => [msn, Buffer.from(concatBytes(chunks)).toString('base64')] as const,
  );
const shape = (live: LiveBroadcast, name: string): string[] =>
  (live.track(name)?.ring.segments ?? []).map(
    ({ msn, isGap, parts, era }) =>
      `${msn - N} ${isGap ? 'GAP' : parts.map((part) => (part.isGap ? 'x' : '.')).join('')} e${era}`,
  );

describe('a restart', () => {
  it.each([[1.25], [1.3], [1.45], [2], [2.05]])(
    '[U01 U02 B29] after %d segments goes on as if nothing had happened',
    (until) => {
      const archive = memoryArchive(DEPTH.ringSegments);
      const before = started({ archive });
      both(before.live, N, N + until, before.v, before.a);
      const whole = started();
      both(whole.live, N, N + until, whole.v, whole.a);
      const published = ['v180', 'a128'].map((name) => bytesOf(before.live, name));

      const live = broadcast({ archive, restored: archive.found() });
      expect(live.presentation()?.windows.map(lastPartOf)).toEqual(
        before.live.presentation()?.windows.map(lastPartOf),
      );
      for (const [index, name] of ['v180', 'a128'].entries()) {
        for (const [msn, bytes] of bytesOf(live, name)) {
          const old = new Map(published[index]).get(msn);
          expect(old?.startsWith(bytes.replace(/=+$/, '').slice(0, -1))).toBe(true);
        }
        // The worker asks where to go on, and sends what is missing.
        const { frontier, timescale } = live.track(name)!;
        const samples = (name === 'v180' ? video : audio)(N, N + 4).filter(
          ({ dts }) => dts >= frontier!,
        );
        expect(frontier! / timescale / 2).toBeGreaterThan(N + until - 0.06);
        live.publish(name, join(live, name), samples);
      }
      both(whole.live, N + until, N + 4, whole.v, whole.a);
      expect(shape(live, 'v180')).toEqual(['0 .... e0', '1 .... e0', '2 .... e0', '3 .... e0']);
      expect(shape(live, 'a128')).toEqual(shape(live, 'v180'));
      expect(bytesOf(live, 'v180')).toEqual(bytesOf(whole.live, 'v180'));
    },
  );

  it('[H19] cuts the open segment short where another publisher comes, with what misses GAP', () => {
    const archive = memoryArchive(DEPTH.ringSegments);
    const { live, v, a } = started({ archive });
    both(live, N, N + 1.5, v, a);
    const again = broadcast({ archive, restored: archive.found() });
    both(again, N + 1.5, N + 3, join(again, 'v180', 2), join(again, 'a128', 2));
    expect(shape(again, 'v180')).toEqual(['0 .... e0', '1 ..xx e0', '2 .... e0']);
    expect(again.track('v180')?.isFenced({ slot: 0, epoch: { timestamp: 1, attempt: 1 } })).toBe(
      true,
    );
  });

  it('[H18] with another header counts the era on', () => {
    const archive = memoryArchive(DEPTH.ringSegments);
    const { live, v, a } = started({ archive });
    both(live, N, N + 2, v, a);
    const again = broadcast({ archive, restored: archive.found() });
    both(again, N + 2, N + 4, join(again, 'v180', 2, OTHER_HEADER), join(again, 'a128', 2));
    expect(shape(again, 'v180')).toEqual(['0 .... e0', '1 .... e0', '2 .... e1', '3 .... e1']);
    const third = broadcast({ archive, restored: archive.found() });
    both(third, N + 4, N + 5, join(third, 'v180', 3), join(third, 'a128', 3));
    expect(shape(third, 'a128').at(-1)).toBe('4 .... e2');
  });
});

describe('the end', () => {
  it('[U06 M17] closes what is open with its true length, and refuses what comes', () => {
    const archive = memoryArchive(DEPTH.ringSegments);
    const { live, v, a } = started({ archive });
    both(live, N, N + 1.3, v, a);
    live.end();
    const presentation = live.presentation();
    expect(presentation?.isEnded).toBe(true);
    expect(presentation?.windows.map(({ open }) => open)).toEqual([undefined, undefined]);
    const last = presentation?.windows[0]?.segments.at(-1);
    expect(last).toMatchObject({ msn: N + 1, duration: 54_000 });
    expect(last?.parts.map(({ duration }) => duration)).toEqual([45_000, 9000]);
    expect(archive.ended.map(({ isEnded }) => isEnded)).toEqual([true]);
    expect(live.publish('v180', v, video(N + 1.3, N + 2))).toBe('fenced');
    expect(() => join(live, 'v180', 2)).toThrow('has ended');
    expect(live.status(unixMs(AT)).isEnded).toBe(true);
  });

  it.each([
    ['a connection closes', 'after'],
    ['another origin answers late', 'before'],
  ])('[U06 M17] is the last of it, also where %s', (_name, lost) => {
    const archive = memoryArchive(DEPTH.ringSegments);
    const losses: Loss[] = [];
    const { live, v, a } = started({ archive, onLoss: (_track, loss) => losses.push(loss) });
    both(live, N, N + 0.75, v, a);
    const other = live.addPublisher('v180', { slot: 1, epoch: v.epoch }, VIDEO_HEADER);
    live.publish('v180', other, video(N, N + 1.25));
    if (lost === 'before') {
      live.leave('v180', v);
    }
    live.end();
    const told = (): unknown => [live.version, bytesOf(live, 'v180'), archive.found().tracks];
    const before = told();
    live.leave('v180', v);
    for (const loss of losses) {
      live.settle('v180', loss, video(N + 0.75, N + 1));
    }
    expect(live.lostElsewhere('v180', { slot: 0, epoch: v.epoch, fromTicks: 0 })).toEqual([]);
    expect(losses).toHaveLength(lost === 'before' ? 1 : 0);
    expect(told()).toEqual(before);
  });

  it('[U02 H18] is followed by another session: numbers and eras go on, the list is fresh', () => {
    const { live, v, a } = started();
    both(live, N, N + 2, v, a);
    live.end();
    live.start();
    expect(live.presentation()).toBeUndefined();
    both(live, N + 100, N + 102, join(live, 'v180', 2), join(live, 'a128', 2));
    expect(shape(live, 'v180')).toEqual(['100 .... e1', '101 .... e1']);
    expect(live.presentation()?.eras).toEqual([{ era: 1, firstMsn: N + 100 }]);
    expect(live.presentation()?.isEnded).toBeUndefined();
  });
});

describe('the whole window', () => {
  it('reaches back past the ring, and no further than it may', () => {
    const archive = memoryArchive(DEPTH.ringSegments);
    const { live, v, a } = started({ archive, dvrWindowMs: 30_000 });
    both(live, N, N + 20, v, a);
    const live6 = live
      .presentation()
      ?.windows.map(({ segments }) => segments.map(({ msn }) => msn - N));
    expect(live6?.[0]).toEqual([14, 15, 16, 17, 18, 19]);
    const dvr = live.presentation('dvr');
    expect(dvr).toMatchObject({ view: 'dvr', windowMs: 30_000 });
    for (const { segments } of dvr!.windows) {
      const msns = segments.map(({ msn }) => msn);
      expect(msns[0]).toBeLessThan(N + 12);
      expect(msns.every((msn, index) => msn === (msns[0] ?? 0) + index)).toBe(true);
    }
  });
});

describe('sister tracks', () => {
  it('[H14] show nothing behind a hole before all are within a part of each other', () => {
    const { live, v, a } = started();
    both(live, N, N + 1.5, v, a);
    const before = live.presentation();
    const { version } = live;
    live.publish('v180', v, video(N + 4, N + 4.5));
    expect(live.version).toBe(version);
    expect(live.presentation()).toBe(before);
    live.publish('a128', a, audio(N + 4, N + 4.3));
    const lasts = live.presentation()?.windows.map(lastPartOf);
    expect(lasts).toEqual([
      { msn: N + 4, part: 1 },
      { msn: N + 4, part: 0 },
    ]);
  });

  it('[H14] wait for one that does not come no longer than a part lasts', () => {
    const { live, v, a } = started();
    both(live, N, N + 1.5, v, a);
    live.publish('v180', v, video(N + 4, N + 4.5));
    live.giveUpOnLateTracks(unixMs((N + 4.5) * 2000));
    expect(live.presentation()?.windows[0]?.segments).toHaveLength(1);
    live.giveUpOnLateTracks(unixMs((N + 4.5) * 2000 + 500));
    expect(shape(live, 'a128').at(-1)).toBe('3 GAP e0');
    expect(live.presentation()?.windows.map((window) => lastPartOf(window)?.msn)).toEqual([
      N + 4,
      N + 3,
    ]);
  });

  it('[M03] that come late are shown from a new era on, when they have something to show', () => {
    const live = broadcast();
    const v = join(live, 'v180');
    live.publish('v180', v, video(N, N + 4.5));
    expect(live.presentation()?.windows.map(({ track }) => track.name)).toEqual(['v180']);
    const a = join(live, 'a128');
    both(live, N + 4.5, N + 5.5, v, a);
    // The Period without it goes on; the new one comes with all its tracks at once.
    expect(live.presentation()?.windows).toHaveLength(1);
    expect(live.presentation()?.eras).toEqual([{ era: 0, firstMsn: 0 }]);
    both(live, N + 5.5, N + 6.5, v, a);
    expect(live.presentation()?.eras).toEqual([
      { era: 0, firstMsn: 0 },
      { era: 1, firstMsn: N + 5 },
    ]);
    expect(live.presentation()?.windows.map(({ initUris }) => [...initUris.keys()])).toEqual([
      [0, 1],
      [1],
    ]);
    expect(shape(live, 'a128')[0]).toBe('5 .... e1');
  });
});

describe('date ranges', () => {
  beforeEach(() => {
    clockMs = N * 2000;
  });
  afterEach(() => {
    clockMs = AT;
  });

  it('are bounded: past the cap one is refused, until old ones have left the window', () => {
    const { live } = started();
    for (let index = 0; index < 256; index += 1) {
      live.addDateRange({ ...range, id: `r${index}` });
    }
    expect(() => {
      live.addDateRange({ ...range, id: 'more' });
    }).toThrow(expect.objectContaining({ code: 'too_busy' }));
    clockMs += 20_000;
    live.addDateRange({ ...range, id: 'more', endMs: clockMs });
  });

  const range = { id: 'ad-1', startMs: N * 2000, endMs: N * 2000 + 3000 };

  it('[H20] are listed while they map to a listed segment, the same for all tracks', () => {
    const { live, v, a } = started();
    both(live, N, N + 2, v, a);
    const { version } = live;
    live.addDateRange(range);
    expect(live.version).toBe(version + 1);
    const said = [{ ...range, listedMs: (N + 2) * 2000 }];
    const tagged = (): boolean =>
      renderMediaPlaylist(live.presentation()!, 'v180').includes('#EXT-X-DATERANGE:ID="ad-1"');
    expect(live.presentation()?.dateRanges).toEqual(said);
    both(live, N + 2, N + 7, v, a);
    expect(live.presentation()?.dateRanges).toEqual(said);
    expect(tagged()).toBe(true);
    // Kept for six target durations more: delta updates say that it was removed.
    both(live, N + 7, N + 10, v, a);
    expect(tagged()).toBe(false);
    expect(live.presentation()?.dateRanges).toEqual(said);
    both(live, N + 10, N + 16, v, a);
    expect(live.presentation()?.dateRanges).toBeUndefined();
  });

  it.each([
    ['an id that was used', { ...range, endMs: range.endMs + 1 }],
    ['an end before its start', { ...range, id: 'x', endMs: 1 }],
    ['END-ON-NEXT without CLASS', { id: 'x', startMs: 1, isEndOnNext: true }],
    ['END-ON-NEXT with an end', { ...range, id: 'x', class: 'c', isEndOnNext: true }],
    ['a negative duration', { id: 'x', startMs: 1, plannedDurationMs: -1 }],
    ['a quote in a string', { ...range, id: 'x"' }],
    ['an attribute of another name', { ...range, id: 'x', attributes: { DURATION: 1 } }],
    ['SCTE35 that is not bytes', { ...range, id: 'x', attributes: { 'SCTE35-OUT': 'FC' } }],
  ])('[H20] with %s are refused', (_name, bad) => {
    const { live } = started();
    live.addDateRange(range);
    live.addDateRange({ ...range });
    expect(() => {
      live.addDateRange(bad);
    }).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });
});

it('measures bandwidth once five segments are whole, and what it says only grows', () => {
  const { live, v, a } = started();
  both(live, N, N + 4, v, a);
  const measured = (): unknown => live.presentation()?.windows[0]?.track.measured;
  expect(measured()).toBeUndefined();
  both(live, N + 4, N + 5, v, a);
  const first = measured();
  // 60 pictures of 40 bytes, and 20 chunks around them, in 2 s.
  expect(first).toEqual({ peakBps: 20_000, averageBps: 20_000 });
  const thin = video(N + 5, N + 8).map((sample) => ({ ...sample, data: sample.data.slice(39) }));
  live.publish('v180', v, thin);
  expect(measured()).toEqual(first);
});
