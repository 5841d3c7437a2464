/** For killed.integration.test.ts: what runs in the process that is killed. */
import { createHash } from 'node:crypto';
import { wholeSegment } from '../segmentRing.ts';
import { Station, TRACKS } from './fixtures.ts';

/**
 * Publishes into an archive in `directory` from segment `first` on, or from where it was killed,
 * without an end. Says on stdout what is published.
 */
export async function publishUntilKilled(directory: string, first: number): Promise<never> {
  const station = await Station.open(directory);
  const frontiers = TRACKS.flatMap((track) => station.live.track(track)?.frontierMsn ?? []);
  const from = frontiers.length === 0 ? first : Math.min(...frontiers);
  process.stdout.write(`begin ${from} ${station.restored === undefined ? 'new' : 'restored'}\n`);
  let told = from - 1;
  for (let at = from; ; at += 0.25) {
    station.publish(at, at + 0.25);
    for (; station.live.track('v180')?.ring.find(told + 1)?.isClosed === true; told += 1) {
      for (const track of TRACKS) {
        const segment = station.live.track(track)?.ring.find(told + 1);
        const whole = segment === undefined ? undefined : wholeSegment(segment);
        if (whole !== undefined) {
          const hash = createHash('sha256').update(whole).digest('hex');
          process.stdout.write(`closed ${track} ${told + 1} ${hash}\n`);
        }
      }
    }
    // The disk gets its turn, as it does between two chunks of a live track.
    await new Promise((resolve) => setImmediate(resolve));
    await station.archive.idle();
  }
}
