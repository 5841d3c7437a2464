/**
 * Three broadcasts on one machine that takes two jobs, behind an ffmpeg whose GPU passes the probe
 * and fails at run time; and jobs that nobody can run.
 */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { z } from 'zod';
import { openJobQueue } from '../kernel/jobs.ts';
import { silentLogger } from '../kernel/logger.ts';
import { type CloseStack, closeStack } from '../kernel/lifecycle.ts';
import { type GatewayProcess, startGatewayProcess } from '../../test/support/gatewayProcess.ts';
import { until } from '../../test/support/until.ts';
import { workersSchema } from './http/api/schemas.ts';
import { transcodeQueueName } from './transcodeQueues.ts';

const BIN = join(import.meta.dirname, 'bin.mjs');
const SESSION_LIMIT = 'OpenEncodeSessionEx failed: incompatible client key (21)';
const WAIT_MS = 60_000;
const VIDEO = [{ name: 'v180', width: 320, height: 180, bitrateBps: 300_000 }];

let stack: CloseStack;
let gateway: GatewayProcess;
let directory: string;

beforeAll(async () => {
  stack = closeStack((error) => {
    throw error;
  });
  directory = await mkdtemp(join(tmpdir(), 'gs-cap-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const ffmpegPath = join(directory, 'ffmpeg');
  await writeFile(
    ffmpegPath,
    `#!/bin/bash
case "$*" in
  *-f\\ lavfi*h264_nvenc*) exit 0;;
  *h264_nvenc*) echo "[h264_nvenc @ 0x1] [error] ${SESSION_LIMIT}: (no details)" >&2; exit 1;;
esac
exec ffmpeg "$@"
`,
  );
  await chmod(ffmpegPath, 0o755);
  gateway = await startGatewayProcess({
    isDemo: false,
    environment: {
      GRANDSTAND_DATA_DIR: join(directory, 'data'),
      GRANDSTAND_WORKER_FFMPEG_PATH: ffmpegPath,
      GRANDSTAND_WORKER_CONCURRENCY: '2',
      GRANDSTAND_BROADCAST_LADDER_VIDEO: JSON.stringify(VIDEO),
    },
  });
  stack.defer(async () => {
    await gateway.stop();
  });
}, WAIT_MS);
afterAll(() => stack.close('test over'));

function startStreamer(id: string): void {
  const flags = ['--id', id, '--size', '320x180', '--fps', '15', '--bitrate', '300000'];
  const child = spawn(process.execPath, [BIN, 'demo', '--url', gateway.streamerUrl, ...flags], {
    stdio: 'ignore',
  });
  stack.defer(() => void child.kill('SIGTERM'));
}

async function workers(): Promise<z.output<typeof workersSchema>['workers']> {
  const response = await fetch(`${gateway.url}/api/v1/workers`);
  return workersSchema.parse(await response.json()).workers;
}

async function stop(id: string): Promise<void> {
  const answer = await fetch(`${gateway.url}/api/v1/broadcasts/${id}/stop`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(answer.status).toBe(200);
}

async function metric(line: RegExp): Promise<string | undefined> {
  const response = await fetch(`${gateway.internalUrl}/metrics`, {
    headers: { authorization: `Bearer ${gateway.internalToken}` },
  });
  return line.exec(await response.text())?.[1];
}

it('the job that a GPU refuses moves to software with the reason kept; the third waits and says why', async () => {
  startStreamer('one');
  expect((await gateway.untilLive('one', WAIT_MS)).encoder).toBe('libx264');
  startStreamer('two');
  await gateway.untilLive('two', WAIT_MS);
  startStreamer('three');
  const queued = await until('the third waits', WAIT_MS, async () => {
    const answer = await gateway.broadcast('three');
    return answer.state === 'queued' && /x264 2 of 2/.test(answer.reason ?? '')
      ? answer
      : undefined;
  });
  expect(queued.reason).toMatch(/^no worker is free: jobs at once, nvenc 0 of \d.*, x264 2 of 2/);
  // The third may just be tried on the GPU, whose rest after a fault is over by then.
  const worker = await until('the GPU has none and software both', 20_000, async () => {
    const [one] = await workers();
    const running = one?.encoders.map((encoder) => `${encoder.name} ${encoder.running}`).join();
    return running === 'h264_nvenc 0,libx264 2' ? one : undefined;
  });
  expect(worker.jobs.map(({ id }) => id).sort()).toEqual(['one.main.0', 'two.main.0']);
  const status = worker.jobs.find(({ id }) => id === 'one.main.0')?.status;
  expect(status).toMatchObject({ state: 'encoding', encoder: 'libx264', restarts: 0 });
  expect(status?.videoDelayMs).toBeGreaterThan(0);
  expect(gateway.log.join('\n')).toContain(SESSION_LIMIT);
  expect(Number(await metric(/jobs_failed_total\{code="encoder_failed"\} (\d+)/))).toBeGreaterThan(
    0,
  );

  await stop('one');
  expect((await gateway.untilLive('three', WAIT_MS)).encoder).toBe('libx264');
}, 180_000);

it('a malformed job and one of an unknown broadcast fail once, with the reason', async () => {
  // Its seat is theirs.
  await stop('two');
  const path = join(directory, 'data', 'redis.sock');
  const location = { kind: 'socket', path } as const;
  const queue = openJobQueue(location, transcodeQueueName('x264'), silentLogger);
  stack.push(queue);
  const broadcast = {
    ...{ id: 'ghost', source: { kind: 'publish' }, createdMs: 1, redundancy: 1 },
    ladder: { video: VIDEO, audio: [{ name: 'a128', bitrateBps: 128_000 }] },
    grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
  };
  await queue.ensure('bad.main.0', { broadcast: 7 });
  await queue.ensure('ghost.main.0', { broadcast, group: 'main', slot: 0 });
  const failed = (text: string): string[] =>
    gateway.log.filter((line) => line.includes('job failed') && line.includes(text));
  await until('both have failed', WAIT_MS, () =>
    failed('the job is malformed').length > 0 && failed("nobody wants broadcast 'ghost'").length > 0
      ? true
      : undefined,
  );
  // Another job through the same queue has its turn before either could have been tried again.
  await queue.ensure('bad.main.1', { broadcast: 8 });
  await until('a third has failed', WAIT_MS, () =>
    failed('the job is malformed').length > 1 ? true : undefined,
  );
  expect(failed('the job is malformed')).toHaveLength(2);
  expect(failed("'ghost'")).toHaveLength(1);
  // Its slot is nobody's: the sister is not left to another worker for ever.
  await queue.ensure('ghost.main.1', { broadcast, group: 'main', slot: 1 });
  await until('its sister has failed', WAIT_MS, () =>
    failed("'ghost'").length > 1 ? true : undefined,
  );
  expect(await metric(/jobs_failed_total\{code="bad_message"\} (\d+)/)).toBe('2');
  expect(await metric(/jobs_failed_total\{code="not_found"\} (\d+)/)).toBe('2');
}, 90_000);
