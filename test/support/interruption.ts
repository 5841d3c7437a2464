/** A streamer of our own that can be killed, and what the feed showed around that. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FeedPicture } from './mediaWatch.ts';

const DEMO = join(import.meta.dirname, '..', '..', 'infra', 'demo', 'main.ts');
/** The feed counts in 0.1 ms. */
const ROUNDING_MS = 0.11;

/** A demo streamer in a process of its own. */
export type KillableStreamer = { readonly pid: number; kill(): Promise<void> };

/** Starts it; it ends with this process. */
export function startStreamer(url: string, size = '1280x720'): KillableStreamer {
  const args = [DEMO, '--url', url, '--size', size, '--with-parent'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'ignore'] });
  return {
    pid: child.pid ?? 0,
    async kill() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      }
    },
  };
}

/** Where in the feed the slate began and ended. */
export type SlateSpan = {
  readonly lastLive: FeedPicture;
  readonly firstSlate: FeedPicture;
  readonly lastSlate: FeedPicture | undefined;
  /** The first picture off the slate's frame grid. */
  readonly firstLive: FeedPicture | undefined;
};

/**
 * Finds the slate among the pictures that came since `sinceMs`: it begins with a keyframe behind a
 * silence of more than half a second and keeps one frame's distance until the source is back.
 */
export function findSlate(
  pictures: readonly FeedPicture[],
  sinceMs: number,
  fps: number,
): SlateSpan | undefined {
  const at = pictures.findIndex(
    (picture, index) =>
      picture.arrivedMs > sinceMs &&
      picture.isKeyframe &&
      picture.arrivedMs - (pictures[index - 1]?.arrivedMs ?? picture.arrivedMs) > 500,
  );
  const [lastLive, firstSlate] = [pictures[at - 1], pictures[at]];
  if (lastLive === undefined || firstSlate === undefined) {
    return undefined;
  }
  const isOnGrid = ({ stampMs }: FeedPicture): boolean => {
    const frames = ((stampMs - firstSlate.stampMs) * fps) / 1000;
    return (Math.abs(frames - Math.round(frames)) * 1000) / fps <= ROUNDING_MS;
  };
  const back = pictures.findIndex((picture, index) => index > at && !isOnGrid(picture));
  return {
    ...{ lastLive, firstSlate },
    lastSlate: back < 0 ? pictures.at(-1) : pictures[back - 1],
    firstLive: back < 0 ? undefined : pictures[back],
  };
}
