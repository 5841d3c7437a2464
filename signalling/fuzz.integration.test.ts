/**
 * Every socket against a kept corpus and its mutations: the process stays up, others are served, and
 * memory stays flat. A frame that ever does harm goes into corpus/ (one frame per file, as sent).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type CloseStack, closeStack } from '../infra/kernel/lifecycle.ts';
import { silentLogger } from '../infra/kernel/logger.ts';
import { type House, openHouse, type Peer } from './testPeer.ts';

const CORPUS_DIRECTORY = join(import.meta.dirname, 'corpus');
const CORPUS = readdirSync(CORPUS_DIRECTORY)
  .filter((name) => name.endsWith('.txt'))
  .sort()
  .map((name) => ({ name, frame: readFileSync(join(CORPUS_DIRECTORY, name), 'utf8') }));
const FRAMES = 100_000;
const BUDGET_MS = 12_000;
const BATCH = 250;
const MAX_GROWTH_BYTES = 24 * 1024 * 1024;

let stack: CloseStack;
let faults: string[];

beforeEach(() => {
  faults = [];
  stack = closeStack((error) => {
    throw error;
  });
});
afterEach(() => stack.close('test over'));

/** No limits but those on the frame itself: the limits have their own tests. */
function open(mode: 'open' | 'presenter'): Promise<House> {
  const none = { perSecond: 0, burst: 1 };
  const logger = {
    ...silentLogger,
    error: (fields: object) => void faults.push(JSON.stringify(fields)),
  };
  return openHouse(
    stack,
    {
      ...{ mode, maxPlayers: 2, connectionRate: none, messageRate: none, probeTimeoutMs: 5000 },
      ...(mode === 'open' ? { sfu: { port: 0 } } : {}),
    },
    { logger },
  );
}

const doors = (house: House, mode: 'open' | 'presenter'): (() => Promise<Peer>)[] => [
  () => house.player(),
  () => house.streamer('fuzzed'),
  () => house.ingest(),
  ...(mode === 'open' ? [() => house.sfu()] : []),
];

it.each(['open', 'presenter'] as const)(
  'survives the corpus at every door in mode %s',
  async (mode) => {
    const house = await open(mode);
    const witness = await house.streamer('demo');
    for (const enter of doors(house, mode)) {
      for (const { frame } of CORPUS) {
        for (const data of [frame, Buffer.from(frame)]) {
          const peer = await enter();
          peer.socket.send(data);
          peer.say({ type: 'ping', time: 1 });
          await Promise.race([peer.next('pong').catch(() => undefined), peer.closed]);
          peer.socket.terminate();
        }
      }
    }
    await witness.answers();
    expect(faults).toEqual([]);
  },
  60_000,
);

it('survives 100,000 mutated frames with its memory flat', async () => {
  const house = await open('open');
  const random = generator(20261120);
  const witness = await house.streamer('demo');
  const listener = await house.player();
  const enter = doors(house, 'open');
  const peers: (Peer | undefined)[] = enter.map(() => undefined);
  const startedMs = performance.now();
  let sent = 0;
  let baseBytes = 0;
  for (let batch = 0; sent < FRAMES && performance.now() - startedMs < BUDGET_MS; batch += 1) {
    const door = batch % enter.length;
    let peer = peers[door];
    if (peer?.socket.readyState !== WebSocket.OPEN) {
      peer = await enter[door]!();
      peers[door] = peer;
    }
    for (let index = 0; index < BATCH; index += 1) {
      const { frame } = CORPUS[random(CORPUS.length)]!;
      const data = mutated(Buffer.from(frame), random);
      peer.socket.send(random(4) === 0 ? data : data.toString('latin1'));
      sent += 1;
    }
    peer.say({ type: 'ping', time: 1 });
    await Promise.race([peer.next('pong').catch(() => undefined), peer.closed]);
    // What it heard is of no interest, and is not the server's memory.
    peers.forEach((each) => each?.log.splice(0));
    if (baseBytes === 0 && sent >= FRAMES / 5) {
      baseBytes = heapBytes();
    }
  }
  await witness.answers();
  await listener.answers();
  witness.log.splice(0);
  listener.log.splice(0);
  expect(sent).toBeGreaterThan(FRAMES / 4);
  expect(heapBytes() - baseBytes).toBeLessThan(MAX_GROWTH_BYTES);
  expect(house.signalling.snapshot().players.length).toBeLessThan(10);
  expect(faults).toEqual([]);
}, 60_000);

/** Flips, cuts, repeats and splices; now and then leaves the frame as it is. */
function mutated(frame: Buffer, random: (below: number) => number): Buffer {
  let bytes = frame;
  for (let round = random(4); round > 0 && bytes.length > 0; round -= 1) {
    const at = random(bytes.length);
    const to = at + random(bytes.length - at + 1);
    const kinds = [
      () =>
        Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at + 1)]),
      () => bytes.subarray(0, at),
      () => Buffer.concat([bytes.subarray(0, to), bytes.subarray(at, to), bytes.subarray(to)]),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]),
      () => {
        const other = CORPUS[random(CORPUS.length)]!.frame;
        return Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from(other.slice(random(other.length + 1))),
        ]);
      },
      () =>
        Buffer.from(bytes.toString('latin1').replace(/\d+/, () => DIGITS[random(DIGITS.length)]!)),
    ];
    bytes = kinds[random(kinds.length)]!();
  }
  return bytes;
}

const DIGITS = ['-1', '0', '1e999', '9007199254740993', '101', '102', '103', 'null', '"x"', '{}'];

/** Numbers that are the same in each run (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Bytes in use after a full collection. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
