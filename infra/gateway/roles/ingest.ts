/** The role `ingest`: a WebRTC peer per broadcast, its feed on the internal listener. */
import { createIngest } from '../../../ingest/index.ts';
import { type JobContext, type Offer, startJobRunner } from '../../kernel/jobs.ts';
import { compareEpochs, ingestJobSchema } from '../../kernel/wire.ts';
import { runOf } from '../desired.ts';
import { runWhileWanted, type Want, wantOf } from '../jobWatch.ts';
import { jobIdOf } from '../reconcile.ts';
import type { House, RolePart } from './house.ts';

/** Builds it. */
export function buildIngest(house: House): RolePart {
  const { config, area, metrics, clock, directory, internalToken, stack, location } = house;
  const application = area('application');
  const ingest = stack.push(
    createIngest(
      {
        ...{ metrics, clock, directory, board: directory, anchors: directory, internalToken },
        ffmpegPath: config.worker.ffmpegPath,
        logger: area('ingest'),
        internalBaseUrl: house.internalUrl,
        onApplicationEvent: ({ broadcastId, kind, mediaMs }) => {
          application.debug({ broadcast: broadcastId, kind, mediaMs }, 'application event');
        },
      },
      config.ingest,
    ),
  );
  return {
    handleInternal: (request, response) => ingest.handleFeed(request, response),
    work() {
      const options = {
        ...{ location, name: 'ingest', concurrency: config.maxBroadcasts, identityOf },
        /** One whose feed was lost has another id since. */
        async consider({ id, payload }: Pick<JobContext, 'id' | 'payload'>): Promise<Offer> {
          const { data: job } = ingestJobSchema.safeParse(payload);
          const key = job?.broadcast.id ?? id;
          return id === jobIdOf(key, (await directory.superseded()).get(key)) ? 'run' : 'drop';
        },
      };
      const process = async ({ payload, epoch, signal }: JobContext): Promise<void> => {
        const job = ingestJobSchema.parse(payload);
        const { id } = job.broadcast;
        const want = async (): Promise<Want> => {
          const feed = await directory.feedOf(id);
          // It was taken for lost, and is not: who took its place has a feed by now.
          return feed !== undefined && compareEpochs(feed.epoch, epoch) > 0
            ? 'over'
            : wantOf(job.broadcast, await directory.broadcast(id));
        };
        await runWhileWanted(signal, want, (wanted) => ingest.run(job, epoch, wanted));
      };
      stack.push(startJobRunner(options, process, area('queue')));
    },
  };
}

/** Another source is another run of its broadcast. */
function identityOf(payload: unknown): string {
  const { data } = ingestJobSchema.safeParse(payload);
  return JSON.stringify(data === undefined ? payload : [data.broadcast.id, runOf(data.broadcast)]);
}
