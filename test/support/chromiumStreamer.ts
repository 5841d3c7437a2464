/**
 * A streamer that is real libwebrtc: a Chromium page (test/browser/streamer.ts) that sends a canvas
 * with the timecode strip and a beep each second, in one video codec. For what the demo's own sender
 * cannot show: congestion control, keyframes only on request, changing frame times.
 */
import type { PeerStats, StreamerOptions } from '../browser/streamerWire.ts';
import { type Closeable, closeStack } from '../../infra/kernel/lifecycle.ts';
import { launchBrowser } from './browser.ts';
import { startModuleServer } from './moduleServer.ts';

/** A running page. */
export type ChromiumStreamer = Closeable & {
  /** The id that the signalling server committed. */
  readonly streamerId: string;
  /** One entry for each connected player. */
  stats(): Promise<readonly PeerStats[]>;
  /** Draws in another size from now on, as a presenter's window that is resized makes Unreal do. */
  resize(width: number, height: number): Promise<void>;
  /** Names of the data-channel messages that players sent, oldest first. */
  received(): Promise<readonly string[]>;
};

/** Starts Chromium and the page; resolves when the signalling server has confirmed its id. */
export async function startChromiumStreamer(
  options: Pick<StreamerOptions, 'signallingUrl' | 'streamerId'> & Partial<StreamerOptions>,
): Promise<ChromiumStreamer> {
  const stack = closeStack((error) => {
    throw error;
  });
  try {
    const server = stack.push(await startModuleServer());
    const browser = stack.push(await launchBrowser({ viewport: { width: 1280, height: 720 } }));
    const page = await browser.context.newPage();
    await page.goto(`${server.origin}/`);
    const settings: StreamerOptions = {
      width: 1280,
      height: 720,
      fps: 30,
      codec: 'H264',
      maxBitrateBps: 4_000_000,
      ...options,
    };
    // As text: Vitest would rewrite a dynamic import in a function before the page gets it.
    const streamerId = await page.evaluate<string>(
      `import('/test/browser/streamer.ts').then((page) => page.startStreamer(${JSON.stringify(settings)}))`,
    );
    // The page's own expressions: this side has no DOM types.
    return {
      streamerId,
      stats: () => page.evaluate<readonly PeerStats[]>('window.streamer.stats()'),
      resize: (width, height) => page.evaluate(`window.streamer.resize(${width}, ${height})`),
      received: () => page.evaluate<readonly string[]>('window.streamer.received'),
      close: (reason) => stack.close(reason),
    };
  } catch (error) {
    await stack.close('did not start');
    throw error;
  }
}
