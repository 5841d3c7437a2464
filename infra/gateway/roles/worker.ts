/** The role `worker`: one ffmpeg per transcode job, of the class that this machine can encode. */
import { createWorker, probeEncoder } from '../../../packager/worker/index.ts';
import { startJobRunner } from '../../kernel/jobs.ts';
import { transcodeJobSchema } from '../../kernel/wire.ts';
import { runWhileWanted, wantOf } from '../jobWatch.ts';
import { transcodeQueueName } from '../transcodeQueues.ts';
import type { House, RolePart } from './house.ts';

/** Builds it; finds the encoder by a probe encode. */
export async function buildWorker(house: House): Promise<RolePart> {
  const { config, area, metrics, clock, directory, internalToken, stack, location } = house;
  const encoder = await probeEncoder(config.worker, area('worker'));
  const worker = createWorker(
    { metrics, clock, directory, board: directory, internalToken, logger: area('worker'), encoder },
    config.worker,
  );
  const name = transcodeQueueName(encoder.class);
  return {
    encoder,
    leases: [{ role: 'worker', value: encoder.class }],
    work() {
      const options = { location, name, concurrency: config.worker.concurrency };
      const process = async ({ payload, epoch, signal }: Job): Promise<void> => {
        const job = transcodeJobSchema.parse(payload);
        const { id } = job.broadcast;
        await runWhileWanted(
          signal,
          async () => {
            const want = wantOf(job.broadcast, await directory.broadcast(id));
            return want === 'wanted' && (await directory.feedOf(id)) === undefined ? 'idle' : want;
          },
          (wanted) => worker.run(job, epoch, wanted),
        );
      };
      stack.push(startJobRunner(options, process, area('queue')));
    },
  };
}

type Job = Parameters<Parameters<typeof startJobRunner>[1]>[0];
