/**
 * The demo: a stand-in Unreal application in a process of its own. Wires options, studio and
 * streamer; ends on SIGTERM, SIGINT, or with its parent.
 */
import nodeDataChannel from 'node-datachannel';
import { systemBroadcastClock } from '../kernel/broadcastClock.ts';
import { errorText } from '../kernel/errors.ts';
import { closeStack } from '../kernel/lifecycle.ts';
import { createLogger } from '../kernel/logger.ts';
import { type DemoOptions, parseOptions } from './options.ts';
import { startStreamer } from './streamer.ts';
import { startStudio, type Studio } from './studio.ts';

const PARENT_CHECK_MS = 500;

function run(options: DemoOptions): void {
  const logger = createLogger({
    level: 'info',
    format: options.logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json'),
  }).child({ area: 'demo' });
  const clock = systemBroadcastClock();
  const stack = closeStack((error) => {
    logger.warn({ error: errorText(error) }, 'demo did not close in order');
  });
  // Made after the streamer, which the studio needs for its audience.
  const studio: { current?: Studio } = {};
  const streamer = stack.push(
    startStreamer(
      { logger, clock },
      {
        url: options.url,
        id: options.id,
        settings: () => initialSettings(options),
        onInput: (input) => studio.current?.apply(input),
      },
    ),
  );
  studio.current = stack.push(
    startStudio(
      { logger, clock },
      { ...options.size, fps: options.fps, bitrateBps: options.bitrate },
      streamer,
    ),
  );
  const end = (reason: string): void => {
    void stack.close(reason).then(() => {
      nodeDataChannel.cleanup();
      process.exit(0);
    });
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  if (options.withParent) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) {
        end('parent is gone');
      }
    }, PARENT_CHECK_MS).unref();
  }
}

/** What UE sends as InitialSettings; the frontend fills its settings panel from it. */
function initialSettings(options: DemoOptions): unknown {
  return {
    PixelStreaming: { AllowPixelStreamingCommands: false, DisableLatencyTest: true },
    Encoder: { TargetBitrate: options.bitrate, MinQuality: 0, MaxQuality: 100 },
    WebRTC: { FPS: options.fps, MinBitrate: options.bitrate, MaxBitrate: options.bitrate },
  };
}

try {
  run(parseOptions(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${errorText(error)}\n`);
  process.exit(1);
}
