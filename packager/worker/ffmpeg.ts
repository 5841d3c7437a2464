/** The one door to fluent-ffmpeg: starts a command line and hands the process to supervision. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import ffmpeg from 'fluent-ffmpeg';
import { type RunningChild, superviseChild } from '../../infra/kernel/childProcess.ts';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { FfmpegArguments } from './arguments.ts';

/**
 * Starts ffmpeg with `source` on its stdin. fluent-ffmpeg pipes with back-pressure: while ffmpeg
 * does not read, `source` is paused.
 *
 * @throws GatewayError `ffmpeg_failed` where it cannot be started
 */
export function startFfmpeg(
  args: FfmpegArguments,
  source: Readable,
  options: { readonly ffmpegPath: string; readonly onLine: (line: string) => void },
): Promise<RunningChild> {
  const command = ffmpeg({ stdoutLines: 1 })
    .setFfmpegPath(options.ffmpegPath)
    .input(source)
    .inputOptions([...args.input])
    .complexFilter(args.filter);
  for (const output of args.outputs) {
    command.output(output.target).outputOptions([...output.options]);
  }
  return new Promise((resolve, reject) => {
    command.once('start', () => {
      // Not in the typings: set just before `start` is emitted (fluent-ffmpeg 2.1.3, processor.js).
      const { ffmpegProc } = command as unknown as { ffmpegProc: ChildProcess };
      resolve(superviseChild(ffmpegProc, options.onLine));
    });
    // Also said when a running ffmpeg fails; then the supervised child's `exited` tells.
    command.on('error', (error: unknown) => {
      reject(
        new GatewayError('ffmpeg_failed', `ffmpeg did not start: ${errorText(error)}`, {
          cause: error,
        }),
      );
    });
    command.run();
  });
}
