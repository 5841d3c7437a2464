/** An archive on a real disk whose process is killed at random instants. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FIRST_MSN as N } from '../fixtures.ts';
import { Station, TRACKS } from './fixtures.ts';
import { publishUntilKilled } from './killed.ts';

const ROUNDS = 8;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'grandstand-killed-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Runs the writer until it has said `lines` lines and a little more, then kills it. */
async function killed(lines: number, delayMs: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [
      '-e',
      `import(${JSON.stringify(join(import.meta.dirname, 'killed.ts'))})
        .then((killed) => killed.${publishUntilKilled.name}(${JSON.stringify(directory)}, ${N}))`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  const said: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const allSaid = once(reader, 'close');
  reader.on('line', (line) => {
    said.push(line);
    if (said.length === lines) {
      setTimeout(() => child.kill('SIGKILL'), delayMs);
    }
  });
  const [code, signal] = (await ended) as [number | null, string | null];
  await allSaid;
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  return said;
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Notes what the writer said; what it said before must be the same. */
function note(said: readonly string[], published: Map<string, string>): void {
  for (const line of said) {
    const [kind = '', track = '', msn = '', hash = ''] = line.split(' ');
    // The last line may be torn.
    if (kind === 'closed' && hash.length === 64) {
      const key = `${track}/${msn}`;
      expect(published.get(key) ?? hash).toBe(hash);
      published.set(key, hash);
    }
  }
}

/** Checks a track as it was found: whole, consecutive, nothing else in its directory. */
async function check(station: Station, track: string): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  const records = station.archive.list('demo', track);
  expect(records.map(({ msn }) => msn)).toEqual(records.map((_record, index) => N + index));
  for (const { msn, isGap, bytes } of records) {
    const read = (await station.archive.read('demo', track, msn)) ?? new Uint8Array();
    expect([isGap, read.length]).toEqual([false, bytes]);
    hashes.set(`${track}/${msn}`, hashOf(read));
  }
  const restored = station.restored?.tracks.find(({ name }) => name === track);
  const names = await readdir(join(directory, 'demo', track));
  const media = names.filter((name) => name.endsWith('.m4s')).map((name) => parseInt(name, 10));
  // One that was open with all of its bytes is closed by now.
  const open = restored?.open === undefined ? [] : [restored.open.record];
  const known = new Set([...records, ...open].map(({ msn }) => msn));
  expect(media.sort((a, b) => a - b)).toEqual([...known]);
  return hashes;
}

it('[U01 U02] kill -9 at any instant: what is listed is whole, what was published keeps its bytes', async () => {
  const published = new Map<string, string>();
  const listed = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const said = await killed(4 + Math.floor(Math.random() * 60), Math.random() * 10);
    expect(said[0]).toMatch(round === 0 ? /^begin \d+ new$/ : /^begin \d+ restored$/);
    note(said, published);
    const station = await Station.open(directory);
    for (const track of TRACKS) {
      for (const [key, hash] of await check(station, track)) {
        expect([published.get(key) ?? hash, listed.get(key) ?? hash]).toEqual([hash, hash]);
        listed.set(key, hash);
      }
    }
    // All that was said to be published is there, but for what was on its way to the disk.
    const lost = [...published.keys()].filter((key) => !listed.has(key));
    expect(lost.length).toBeLessThanOrEqual(TRACKS.length * 2);
    await station.archive.close('test');
  }
  expect(listed.size).toBeGreaterThan(ROUNDS * TRACKS.length);
});

it('goes on without a disk where the directory is none', async () => {
  const file = join(directory, 'media');
  await writeFile(file, 'not a directory');
  const station = await Station.open(file);
  expect(station.archive.state()).toMatchObject({ state: 'failing' });
  await station.publishSlowly(N, N + 3);
  expect(station.archive.state()).toEqual({
    state: 'failing',
    reason: 'the media directory is not a directory (ENOTDIR)',
    bytes: 0,
  });
  expect(station.live.presentation()?.windows).toHaveLength(2);
  await rm(file);
  await station.publishSlowly(N + 3, N + 14);
  expect(station.archive.state()).toMatchObject({ state: 'ok' });
  expect(await readdir(file)).toEqual(['demo']);
});
