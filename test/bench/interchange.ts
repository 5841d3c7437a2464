/** `npm run bench -- interchange [SECONDS]`: two workers that joined one feed 16 s apart, compared. */
import { pause } from '../../infra/kernel/lifecycle.ts';
import type { TranscodeJob } from '../../infra/kernel/wire.ts';
import { serveTestFeed } from '../../packager/worker/testFeed.ts';
import { interchangeOf, startWorkerOf } from '../../packager/worker/testInterchange.ts';
import { startTestOrigin, type TestOrigin } from '../../packager/worker/testOrigin.ts';

const APART_MS = 16_000;

const job: TranscodeJob = {
  broadcast: {
    id: 'demo',
    source: { kind: 'pixel-streaming', streamerId: 'demo' },
    ladder: {
      video: [{ name: 'v360', width: 640, height: 360, bitrateBps: 800_000 }],
      audio: [{ name: 'a128', bitrateBps: 128_000 }],
    },
    grid: { segmentMs: 2000, partMs: 500, chunkMs: 100, fps: 30 },
    redundancy: 1,
    createdMs: 0,
  },
  group: 'main',
  slot: 0,
};

/** Prints what of both is alike. */
export async function benchInterchange([seconds = '60']: readonly string[]): Promise<void> {
  const comparedMs = Number(seconds) * 1000;
  console.log('a feed that changes its size every 3 s is made ...');
  const feed = await serveTestFeed((APART_MS + comparedMs) / 1000 + 20);
  const origins: [TestOrigin, TestOrigin] = [await startTestOrigin(), await startTestOrigin()];
  const first = startWorkerOf(job, feed.url, origins[0]);
  await pause(APART_MS);
  console.log(`the second worker joins; compared for ${seconds} s ...`);
  const second = startWorkerOf(job, feed.url, origins[1]);
  // Its first and its last segment may not be whole.
  await pause(comparedMs + 3 * job.broadcast.grid.segmentMs);
  await Promise.all([first.stop(), second.stop()]);
  console.log(
    'track  segments  frames  kbit/s  asked  unlike in number, tfdt, frames  header  same bytes  alternate ones',
  );
  const { audio, video } = job.broadcast.ladder;
  for (const { name: track, bitrateBps } of [...video, ...audio]) {
    const ticks = track.startsWith('v') ? 180_000 : 96_000;
    const seen = await interchangeOf(origins, track, ticks);
    console.log(
      [
        seen.track.padEnd(5),
        `${seen.segments}`.padStart(9),
        `${seen.frames}`.padStart(7),
        (seen.bytes / seen.segments / 250).toFixed(0).padStart(7),
        (bitrateBps / 1000).toFixed(0).padStart(6),
        `${seen.unlike.length}`.padStart(31),
        (seen.isInitEqual ? 'same' : 'OTHER').padStart(7),
        `${seen.byteEqual}`.padStart(11),
        `  ${seen.decodeFault === '' ? 'decode' : seen.decodeFault}`,
      ].join(' '),
    );
    if (seen.unlike.length > 0 || !seen.isInitEqual || seen.decodeFault !== '') {
      process.exitCode = 1;
    }
  }
  feed.close();
  origins.forEach((origin) => {
    origin.close();
  });
}
