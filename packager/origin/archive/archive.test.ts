import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../cmaf/index.ts';
import { BROADCAST, FIRST_MSN as N } from '../fixtures.ts';
import { wholeSegment } from '../segmentRing.ts';
import { CONFIG, Station, TRACKS } from './fixtures.ts';
import { MemoryDisk } from './memoryDisk.ts';

const HOME = '/media/demo';

/** `0 1 2`: numbers since the first; `x` behind those that are gaps. */
function numbers(segments: readonly { msn: number; isGap: boolean }[]): string {
  return segments.map(({ msn, isGap }) => `${msn - N}${isGap ? 'x' : ''}`).join(' ');
}

const listed = ({ archive }: Station, track = 'v180'): string =>
  numbers(archive.list('demo', track));

const mediaFiles = (disk: MemoryDisk, track = 'v180'): string =>
  [...disk.files.keys()]
    .flatMap((path) => /\/(\d+)\.m4s$/.exec(path.startsWith(`${HOME}/${track}/`) ? path : '') ?? [])
    .filter((_match, index) => index % 2 === 1)
    .map((msn) => Number(msn) - N)
    .sort((a, b) => a - b)
    .join(' ');

describe('an archive', () => {
  it('[U01] keeps what was served: the same bytes under the same numbers', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 3.5);
    await station.archive.idle();
    expect(station.archive.state()).toMatchObject({ state: 'ok' });
    for (const track of TRACKS) {
      expect(listed(station, track)).toBe('0 1 2');
      for (const segment of station.live.track(track)!.ring.segments) {
        const path = `${HOME}/${track}/${segment.msn}.m4s`;
        expect(fileSystem.files.get(path)).toEqual(concatBytes(segment.chunks));
        const whole = wholeSegment(segment);
        expect(whole === undefined).toBe(segment.msn === N + 3);
        expect(await station.archive.read('demo', track, segment.msn)).toEqual(whole);
      }
      const header = [...station.live.track(track)!.headers.values()][0]!;
      expect(await station.archive.readHeader('demo', track, header.uri)).toEqual(header.bytes);
    }
    expect(await station.archive.read('demo', 'v180', N, { offset: 8, length: 4 })).toEqual(
      fileSystem.files.get(`${HOME}/v180/${N}.m4s`)!.subarray(8, 12),
    );
    expect(await station.archive.readHeader('demo', 'v180', '../a128/init-0.mp4')).toBeUndefined();
  });

  it('answers for what has not reached the disk yet', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    fileSystem.hang();
    station.publish(N, N + 2);
    const whole = wholeSegment(station.live.track('v180')!.ring.find(N)!);
    expect(await station.archive.read('demo', 'v180', N)).toEqual(whole);
    fileSystem.release();
    await station.archive.idle();
    expect(await station.archive.read('demo', 'v180', N)).toEqual(whole);
  });

  it('[H19 U02] lists a hole as gaps, with their filler where DASH asks for it', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 2);
    station.publish(N + 4, N + 5);
    await station.archive.idle();
    expect(listed(station)).toBe('0 1 2x 3x 4');
    const gap = station.live.track('v180')!.ring.find(N + 2)!;
    expect(gap.chunks).toHaveLength(1);
    expect(await station.archive.read('demo', 'v180', N + 2)).toEqual(gap.chunks[0]);
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(again.restored?.tracks[0]?.closed[2]?.chunks).toEqual(gap.chunks);
  });
});

describe('a restart', () => {
  it('[U01 U02 H18] finds everything, and goes on with the open segment', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 3.6);
    await station.archive.idle();
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(again.restored).toMatchObject({ eras: [{ era: 0, firstMsn: 0 }], isEnded: false });
    for (const track of TRACKS) {
      const before = station.live.track(track)!.ring.segments;
      const after = again.live.track(track)!.ring.segments;
      expect(after.map(({ msn, isClosed }) => [msn - N, isClosed])).toEqual([
        [0, true],
        [1, true],
        [2, true],
        [3, false],
      ]);
      expect(after.map(({ chunks }) => concatBytes(chunks))).toEqual(
        before.map(({ chunks }) => concatBytes(chunks)),
      );
      expect(
        after.map(({ parts }) => parts.map(({ index, duration }) => [index, duration])),
      ).toEqual(before.map(({ parts }) => parts.map(({ index, duration }) => [index, duration])));
    }
    // Nothing that was listed reads differently, and the same samples make the same bytes.
    expect(again.live.presentation()?.windows.map(({ segments }) => segments)).toEqual(
      station.live.presentation()?.windows.map(({ segments }) => segments),
    );
    station.publish(N + 3.5, N + 5);
    again.publish(N + 3.5, N + 5);
    await again.archive.idle();
    for (const track of TRACKS) {
      expect(
        again.live.track(track)!.ring.segments.map(({ chunks }) => concatBytes(chunks)),
      ).toEqual(station.live.track(track)!.ring.segments.map(({ chunks }) => concatBytes(chunks)));
      expect(listed(again, track)).toBe('0 1 2 3 4');
    }
  });

  it('[M03] finds an era where it was agreed on, not where this origin would have had it', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 2);
    station.archive.era('demo', { era: 1, firstMsn: N + 2 });
    station.archive.era('demo', { era: 1, firstMsn: N + 3 });
    await station.archive.idle();
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(again.restored?.eras).toEqual([
      { era: 0, firstMsn: 0 },
      { era: 1, firstMsn: N + 3 },
    ]);
  });

  it('[U01 U02] at any byte of any write leaves only what is whole, and nothing changes', async () => {
    const whole = new MemoryDisk();
    const reference = await Station.open('/media', { fileSystem: whole });
    const budget = 1_000_000;
    whole.life = budget;
    await reference.publishSlowly(N, N + 5);
    const spent = budget - whole.life;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: spent }),
        fc.integer({ min: 0, max: spent }),
        async (first, second) => {
          let disk = new MemoryDisk();
          let from = N;
          for (const life of [first, second]) {
            const station = await Station.open('/media', { fileSystem: disk });
            disk.life = life;
            await station.publishSlowly(from, N + 5);
            disk = disk.copy();
            from = N;
          }
          const last = await Station.open('/media', { fileSystem: disk });
          for (const track of TRACKS) {
            const records = last.archive.list('demo', track);
            records.forEach(({ msn }, index) => {
              expect(msn).toBe((records[0]?.msn ?? 0) + index);
            });
            for (const { msn, bytes } of records) {
              const made = whole.files.get(`${HOME}/${track}/${msn}.m4s`)!;
              if (bytes > 0) {
                expect(await last.archive.read('demo', track, msn)).toEqual(made);
              }
            }
            const open = last.restored?.tracks.find(({ name }) => name === track)?.open;
            if (open !== undefined) {
              const made = whole.files.get(`${HOME}/${track}/${open.record.msn}.m4s`)!;
              const found = concatBytes(open.chunks);
              expect(found).toEqual(made.subarray(0, found.length));
            }
            // What is not listed and not open is not there either.
            const there = new Set(
              [...records, ...(open ? [open.record] : [])].map(({ msn }) => msn),
            );
            const files = mediaFiles(disk, track)
              .split(' ')
              .filter((text) => text !== '');
            expect(files.filter((msn) => !there.has(Number(msn) + N))).toEqual([]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leaves out files that are cut short or too long, and such as nobody knows', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 5);
    await station.archive.idle();
    const disk = fileSystem.copy();
    const at = (msn: number): string => `${HOME}/v180/${msn}.m4s`;
    const bytes = (msn: number): Uint8Array => disk.files.get(at(msn))!;
    disk.files.set(at(N + 1), bytes(N + 1).slice(0, -1));
    disk.files.set(at(N + 2), concatBytes([bytes(N + 2), Uint8Array.of(0)]));
    disk.files.set(at(N + 77), bytes(N + 3));
    disk.files.delete(at(N + 3));
    const journal = [...disk.files.keys()].find((path) => /v180\/.*\.jsonl$/.test(path))!;
    disk.files.set(journal, concatBytes([disk.files.get(journal)!, Buffer.from('\n{"kind":"clo')]));
    const again = await Station.open('/media', { fileSystem: disk });
    expect(listed(again)).toBe('0 1x 2x 3x 4');
    expect(listed(again, 'a128')).toBe('0 1 2 3 4');
    expect(mediaFiles(disk)).toBe('0 4');
    // DASH is given the same in their place, from memory and from disk.
    const { chunks } = again.live.track('v180')!.ring.find(N + 2)!;
    expect(await again.archive.read('demo', 'v180', N + 2)).toEqual(chunks[0]);
    // The gaps keep their place and length: nothing behind them moves.
    const before = station.archive.list('demo', 'v180');
    again.archive.list('demo', 'v180').forEach(({ start, duration }, index) => {
      expect([start, duration]).toEqual([before[index]!.start, before[index]!.duration]);
    });
    // The journal was written anew and reads the same.
    expect(listed(await Station.open('/media', { fileSystem: disk.copy() }))).toBe('0 1x 2x 3x 4');
  });

  it('cuts an open segment back to its last whole chunk', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    station.publish(N, N + 1.5);
    await station.archive.idle();
    const disk = fileSystem.copy();
    const path = `${HOME}/v180/${N + 1}.m4s`;
    disk.files.set(path, disk.files.get(path)!.slice(0, -5));
    const again = await Station.open('/media', { fileSystem: disk });
    const open = again.restored?.tracks.find(({ name }) => name === 'v180')?.open;
    expect(open?.chunks).toEqual(station.live.track('v180')!.ring.newest!.chunks.slice(0, -1));
    expect(disk.files.get(path)).toEqual(concatBytes(open?.chunks ?? []));
  });
});

describe('a disk that fails', () => {
  it.each([
    ['ENOSPC', 'full', 'no space left on the device (ENOSPC)'],
    ['EROFS', 'failing', 'the file system is read-only (EROFS)'],
    ['EACCES', 'failing', 'the media directory may not be written (EACCES)'],
  ])('%s: live goes on, the state says why, and it recovers', async (code, state, reason) => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    await station.publishSlowly(N, N + 2);
    fileSystem.fault = code;
    await station.publishSlowly(N + 2, N + 4);
    expect(station.archive.state()).toMatchObject({ state, reason });
    expect(station.live.track('v180')!.ring.segments.at(-1)!.isClosed).toBe(true);
    fileSystem.fault = undefined;
    await station.publishSlowly(N + 4, N + 14);
    expect(station.archive.state()).toMatchObject({ state: 'ok' });
    const segments = listed(station).split(' ');
    expect(segments).toHaveLength(14);
    expect(segments.slice(0, 4)).toEqual(['0', '1', '2x', '3x']);
    expect(segments.at(-1)).toBe('13');
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(listed(again)).toBe(segments.join(' '));
  });

  it('that hangs: what waits is bounded, whole segments are left out, and it recovers', async () => {
    const fileSystem = new MemoryDisk();
    const queued: number[] = [];
    const gauge = (name: string): { set(value: number): void } => ({
      set: (value) => {
        if (name.endsWith('queued_bytes')) {
          queued.push(value);
        }
      },
    });
    const station = await Station.open('/media', {
      fileSystem,
      maxQueuedBytes: 20_000,
      metrics: {
        counter: () => ({ add: () => undefined }),
        histogram: () => ({ observe: () => undefined }),
        gauge,
      },
    });
    fileSystem.hang();
    for (let at = N; at < N + 40; at += 1) {
      station.publish(at, at + 1);
      station.archive.sweep();
    }
    expect(Math.max(...queued)).toBeLessThanOrEqual(20_000);
    expect(station.archive.state()).toMatchObject({ state: 'slow' });
    fileSystem.release();
    await station.archive.idle();
    await station.publishSlowly(N + 40, N + 42);
    expect(station.archive.state()).toMatchObject({ state: 'ok' });
    const segments = listed(station).split(' ');
    expect(segments[0]).toBe('0');
    expect(segments).toContain('20x');
    expect(segments.slice(-2)).toEqual(['40', '41']);
    const kept = segments.filter((text) => !text.endsWith('x')).join(' ');
    expect(mediaFiles(fileSystem)).toBe(kept);
  });

  it('whose directory is taken away: it is made again', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    await station.publishSlowly(N, N + 2);
    fileSystem.files.clear();
    fileSystem.directories.clear();
    await station.publishSlowly(N + 2, N + 8);
    expect(station.archive.state()).toMatchObject({ state: 'ok' });
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(listed(again).split(' ').at(-1)).toBe('7');
    expect(again.live.presentation()).toBeDefined();
  });
});

describe('room and time', () => {
  /** Both tracks. */
  const SEGMENT_BYTES = 9000;

  it('lists the window, keeps more for the recording, and lets the oldest go for want of room', async () => {
    const fileSystem = new MemoryDisk();
    const config = { windowMs: 60_000, maxBytes: 60 * SEGMENT_BYTES, retentionMs: 86_400_000 };
    const station = await Station.open('/media', { fileSystem, config, ringSegments: 8 });
    await station.publishSlowly(N, N + 40);
    expect(listed(station).split(' ')[0]).toBe('10');
    expect(listed(station).split(' ')).toHaveLength(30);
    expect(mediaFiles(fileSystem).split(' ')[0]).toBe('0');
    await station.publishSlowly(N + 40, N + 120);
    const { bytes } = station.archive.state();
    expect(bytes).toBeLessThanOrEqual(config.maxBytes);
    expect(bytes).toBeGreaterThan(config.maxBytes * 0.9);
    for (const track of TRACKS) {
      expect(mediaFiles(fileSystem, track).split(' ')[0]).toBe(
        mediaFiles(fileSystem).split(' ')[0],
      );
    }
    const again = await Station.open('/media', { fileSystem: fileSystem.copy(), config });
    expect(listed(again)).toBe(listed(station));
  });

  it('[U05] lists less than it has where bytes run out inside the window', async () => {
    const fileSystem = new MemoryDisk();
    const config = { windowMs: 7_200_000, maxBytes: 40 * SEGMENT_BYTES, retentionMs: 86_400_000 };
    const station = await Station.open('/media', { fileSystem, config, ringSegments: 8 });
    await station.publishSlowly(N, N + 90);
    const oldest = Number(mediaFiles(fileSystem).split(' ')[0]);
    expect(oldest).toBeGreaterThan(0);
    expect(Number(listed(station).split(' ')[0])).toBe(oldest + 8);
  });

  it('deletes a running recording that is past its retention', async () => {
    const fileSystem = new MemoryDisk();
    const config = { windowMs: 60_000, maxBytes: 2 ** 40, retentionMs: 60_000 };
    const station = await Station.open('/media', { fileSystem, config, ringSegments: 8 });
    await station.publishSlowly(N, N + 60);
    const files = mediaFiles(fileSystem).split(' ');
    expect(files.length).toBeLessThan(42);
    expect(listed(station).split(' ')).toHaveLength(30);
  });

  it('writes a journal anew that says too much of what is gone', async () => {
    const fileSystem = new MemoryDisk();
    const config = { windowMs: 60_000, maxBytes: 20 * SEGMENT_BYTES, retentionMs: 86_400_000 };
    const station = await Station.open('/media', { fileSystem, config, ringSegments: 8 });
    await station.publishSlowly(N, N + 600);
    const journal = [...fileSystem.files].find(([path]) => /v180\/.*\.jsonl$/.test(path))?.[1];
    const lines = Buffer.from(journal!)
      .toString()
      .split('\n')
      .filter((row) => row !== '');
    expect(lines.length).toBeLessThan(1500);
    const again = await Station.open('/media', { fileSystem: fileSystem.copy(), config });
    expect(listed(again).split(' ').at(-1)).toBe('599');
  });
});

describe('the end', () => {
  it('[U06 M17] makes a recording of what was written, which a restart still has', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    await station.publishSlowly(N, N + 60.25);
    const { recording } = station.archive.session('demo')!;
    expect(recording).toBe('20261120t180004z');
    expect(station.archive.recordings('demo')).toEqual([]);
    await station.end();
    station.archive.end('demo', station.live.presentation('dvr')!);
    const ended = { ...BROADCAST, endedMs: (N + 61) * 2000 };
    const again = await Station.open('/media', {
      fileSystem: fileSystem.copy(),
      broadcast: ended,
    });
    expect(again.restored?.isEnded).toBe(true);
    expect(again.live.isEnded).toBe(true);
    expect(again.live.presentation()).toMatchObject({ isEnded: true });
    for (const { archive } of [station, again]) {
      const [summary, ...others] = archive.recordings('demo');
      expect(others).toEqual([]);
      expect(summary).toMatchObject({
        id: recording,
        fromMs: N * 2000,
        toMs: expect.closeTo((N + 60.25) * 2000, -2) as number,
      });
      const presentation = archive.recording('demo', recording)!;
      expect(presentation).toMatchObject({ view: 'vod', isEnded: true });
      const [video, sound] = presentation.windows;
      expect(video?.segments).toHaveLength(61);
      expect(sound?.segments.map(({ msn }) => msn)).toEqual(video?.segments.map(({ msn }) => msn));
      expect(video?.track.codecs).toBe('avc1.42C00D');
      expect(video?.initUris.get(0)).toMatch(/^init-[0-9a-f]{16}\.mp4$/);
      expect(video?.segments.at(-1)!.duration).toBe(45_000);
      for (const { msn, bytes } of video?.segments ?? []) {
        expect((await archive.read('demo', 'v180', msn))?.length).toBe(bytes);
      }
    }
  });

  it('[U02] another start is another session: nothing of the one before in its window', async () => {
    const fileSystem = new MemoryDisk();
    const station = await Station.open('/media', { fileSystem });
    await station.publishSlowly(N, N + 4);
    await station.end();
    station.nowMs = (N + 10) * 2000;
    station.live.start();
    await station.publishSlowly(N + 11, N + 14, 2);
    expect(listed(station)).toBe('11 12 13');
    expect(station.archive.recordings('demo').map(({ id }) => id)).toEqual(['20261120t180004z']);
    expect(station.archive.session('demo')?.recording).toBe('20261120t180026z');
    const again = await Station.open('/media', { fileSystem: fileSystem.copy() });
    expect(listed(again)).toBe('11 12 13');
    expect(again.restored?.eras.at(-1)?.era).toBe(1);
    await station.end();
    expect(station.archive.recordings('demo')).toHaveLength(2);
  });

  it('keeps recordings for their time, and the oldest goes first where bytes run out', async () => {
    const fileSystem = new MemoryDisk();
    const config = { ...CONFIG, retentionMs: 3_600_000 };
    const station = await Station.open('/media', { fileSystem, config });
    for (const [attempt, from] of [N, N + 20].entries()) {
      station.nowMs = from * 2000;
      station.live.start();
      await station.publishSlowly(from, from + 4, attempt + 1);
      await station.end();
    }
    const ids = ['20261120t180004z', '20261120t180044z'];
    expect(station.archive.recordings('demo').map(({ id }) => id)).toEqual(ids);
    const { bytes } = station.archive.state();
    const tight = await Station.open('/media', {
      fileSystem: fileSystem.copy(),
      config: { ...config, maxBytes: bytes - 1 },
    });
    tight.archive.sweep();
    expect(tight.archive.recordings('demo').map(({ id }) => id)).toEqual([ids[1]]);
    station.nowMs = (N + 4) * 2000 + 3_600_001;
    station.archive.sweep();
    await station.archive.idle();
    expect(station.archive.recordings('demo').map(({ id }) => id)).toEqual([ids[1]]);
    expect(mediaFiles(fileSystem)).toBe('20 21 22 23');
    station.nowMs = (N + 24) * 2000 + 3_600_001;
    station.archive.sweep();
    await station.archive.idle();
    expect(station.archive.recording('demo', ids[1]!)).toBeUndefined();
    expect([...fileSystem.files.keys()]).toEqual([]);
  });
});
