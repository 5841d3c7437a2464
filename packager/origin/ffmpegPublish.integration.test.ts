/** The lines of PUBLISHING.md, run as they stand: plain ffmpeg pushes CMAF, and it lies on the grid. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { gridStart } from '../../infra/kernel/grid.ts';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { Secret } from '../../infra/kernel/secret.ts';
import { unixMs } from '../../infra/kernel/time.ts';
import { DEFAULT_LADDER } from '../../infra/kernel/wire.ts';
import { BROADCAST } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import { LostPublishers } from './lostPublishers.ts';
import { createPublishHandler } from './publishHandler.ts';

const TRACKS = ['v720', 'v480', 'v360', 'a128'];

it(
  'plain ffmpeg publishes segments on the grid, all tracks alike',
  { timeout: 60_000 },
  async () => {
    const guide = await readFile(new URL('PUBLISHING.md', import.meta.url), 'utf8');
    const script = /```sh\n([\s\S]*?)```/.exec(guide)?.[1] ?? '';
    const live = new LiveBroadcast(
      { ...BROADCAST, ladder: DEFAULT_LADDER },
      { windowSegments: 30, ringSegments: 45 },
      () => undefined,
    );
    const handle = createPublishHandler({
      logger: silentLogger,
      clock: { nowMs: () => unixMs(Date.now()) },
      internalToken: new Secret('secret-of-the-test'),
      refusals: noMetrics.counter('refusals', '', ['reason']),
      maxBoxBytes: 16_777_216,
      open: () => Promise.resolve(live),
      onConnection: () => undefined,
      lost: new LostPublishers(),
    });
    const server = createServer((request, response) => {
      handle(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ffmpeg = spawn('sh', ['-c', script], {
      env: {
        ...process.env,
        AT: `http://127.0.0.1:${port}/publish/demo`,
        TOKEN: 'secret-of-the-test',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    ffmpeg.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const ended = new Promise<void>((resolve) => {
      ffmpeg.once('exit', () => {
        resolve();
      });
    });
    try {
      const closed = (name: string): number =>
        live.track(name)?.ring.segments.filter(({ isClosed }) => isClosed).length ?? 0;
      await expect
        .poll(() => Math.min(...TRACKS.map(closed)), { timeout: 45_000, message: said })
        .toBeGreaterThanOrEqual(3);
      const first = TRACKS.map((name) => live.track(name)?.ring.segments[0]?.msn ?? 0);
      expect(new Set(first).size).toBe(1);
      for (const name of TRACKS) {
        const { timescale, ring } = live.track(name)!;
        for (const segment of ring.segments.slice(0, 3)) {
          const past = segment.start - gridStart(BROADCAST.grid, segment.msn, timescale);
          expect(past).toBeGreaterThanOrEqual(0);
          expect(past).toBeLessThan(name === 'a128' ? 1024 : 1);
          expect(segment.parts.map(({ isGap }) => isGap)).toEqual([false, false, false, false]);
          expect(segment.parts[0]?.isIndependent).toBe(true);
          const frames = segment.duration / (name === 'a128' ? 1024 : 3000);
          expect(name === 'a128' ? [93, 94] : [60]).toContain(frames);
        }
      }
      const { newestMs } = live.status(unixMs(Date.now()));
      expect(Math.abs((newestMs ?? 0) - Date.now())).toBeLessThan(10_000);
      expect(live.gapSegments).toBe(0);
      expect(live.presentation()?.windows).toHaveLength(4);
    } finally {
      ffmpeg.kill('SIGKILL');
      await ended;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  },
);
