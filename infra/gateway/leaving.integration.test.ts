/** A rolling deploy of workers as processes: one of two that publish a broadcast is told to stop. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startChild } from '../kernel/childProcess.ts';
import { type CloseStack, closeStack } from '../kernel/lifecycle.ts';
import {
  freePorts,
  type GatewayProcess,
  startGatewayProcess,
} from '../../test/support/gatewayProcess.ts';
import { until } from '../../test/support/until.ts';

const BIN = join(import.meta.dirname, 'bin.mjs');
const WAIT_MS = 60_000;
const VIDEO = [{ name: 'v180', width: 320, height: 180, bitrateBps: 300_000 }];

let stack: CloseStack;
let environment: Record<string, string>;
let house: GatewayProcess;

async function open(roles: string): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({
    isDemo: false,
    environment: { ...environment, GRANDSTAND_ROLES: roles },
  });
  stack.defer(async () => {
    await gateway.stop();
  });
  return gateway;
}

beforeAll(async () => {
  stack = closeStack((error) => {
    throw error;
  });
  const directory = await mkdtemp(join(tmpdir(), 'gs-leave-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  stack.push(
    startChild('redis-server', [
      ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory],
    ]),
  );
  environment = {
    GRANDSTAND_REDIS_URL: `redis://127.0.0.1:${port}`,
    GRANDSTAND_WORKER_CONCURRENCY: '1',
    GRANDSTAND_BROADCAST_REDUNDANCY: '2',
    GRANDSTAND_BROADCAST_LADDER_VIDEO: JSON.stringify(VIDEO),
  };
  house = await open('signalling,ingest,origin');
}, WAIT_MS);
afterAll(() => stack.close('test over'));

/** Waits until the broadcast plays and its `reason` is as wanted. */
async function untilReason(text: string, wanted: RegExp | undefined): Promise<void> {
  await until(text, WAIT_MS, async () => {
    const { state, reason } = await house.broadcast('one');
    const isAsWanted = wanted === undefined ? reason === undefined : wanted.test(reason ?? '');
    return state === 'live' && isAsWanted ? true : undefined;
  });
}

const lines = ({ log }: GatewayProcess, text: string): number =>
  log.filter((line) => line.includes(text)).length;

it('its run ends at once, its job waits for a worker that comes, and no segment is lost', async () => {
  const [first, second] = await Promise.all([open('worker'), open('worker')]);
  const flags = ['--id', 'one', '--size', '320x180', '--fps', '15', '--bitrate', '300000'];
  const child = spawn(process.execPath, [BIN, 'demo', '--url', house.streamerUrl, ...flags], {
    stdio: 'ignore',
  });
  stack.defer(() => void child.kill('SIGTERM'));
  await untilReason('both slots encode', undefined);
  await until('both say so', WAIT_MS, async () => {
    const text = await (await fetch(`${house.url}/api/v1/workers`)).text();
    return text.split('"encoding"').length === 3 ? true : undefined;
  });

  expect(await first.stop('SIGTERM')).toBe(0);
  expect(first.log.find((line) => line.includes('job handed back'))).toMatch(/goesOn\W+false/);
  await untilReason(
    'the API says what is missing',
    /degraded: 1 of 2 .* needs another free worker/,
  );
  expect(lines(second, 'job begins')).toBe(1);

  const third = await open('worker');
  await untilReason('both slots encode again', undefined);
  expect(lines(third, 'job begins')).toBe(1);
  expect(lines(second, 'job begins')).toBe(1);
  const main = await (await fetch(`${house.url}/live/one/main.m3u8`)).text();
  const uri = main.split('\n').find((line) => line !== '' && !line.startsWith('#')) ?? '';
  const list = await (await fetch(new URL(uri, `${house.url}/live/one/main.m3u8`))).text();
  expect(list).toContain('#EXTINF');
  expect(list).not.toContain('#EXT-X-GAP');
}, 150_000);
