/**
 * The ingest role: runs one session per job and serves the feeds of all of them. Owns which
 * session of a broadcast is the present one; leaves everything about media to the session.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import { isAuthorized } from '../infra/kernel/secret.ts';
import { compareEpochs, type Epoch, type IngestJob } from '../infra/kernel/wire.ts';
import type { IngestConfig } from './config.ts';
import { type IngestDeps, IngestSession } from './session.ts';

/** The ingest role. */
export type Ingest = Closeable & {
  /** Holds the peer of a broadcast until `signal` aborts; reconnects by itself. */
  run(job: IngestJob, epoch: Epoch, signal: AbortSignal): Promise<void>;
  /** Answers `GET /feed/{broadcast}`; false where the path is not a feed's. */
  handleFeed(request: IncomingMessage, response: ServerResponse): boolean;
};

type Running = {
  readonly session: IngestSession;
  readonly epoch: Epoch;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
};

const FEED_PATH = /^\/feed\/([a-z0-9_-]{1,64})(?:\?.*)?$/;

/** Makes the role; nothing runs until a job does. */
export function createIngest(deps: IngestDeps, config: IngestConfig): Ingest {
  const running = new Map<string, Running>();
  let isClosed = false;

  const answerFeed = (request: IncomingMessage, response: ServerResponse): void => {
    if (!isAuthorized(request.headers.authorization, deps.internalToken)) {
      refuse(response, 401, 'a bearer token is needed');
      return;
    }
    if (request.method !== 'GET') {
      refuse(response, 405, 'a feed can only be read');
      return;
    }
    const id = FEED_PATH.exec(request.url ?? '')?.[1] ?? '';
    const found = running.get(id);
    if (found === undefined) {
      refuse(response, 404, 'no such broadcast is ingested here');
      return;
    }
    found.session.contribution.handle(request, response);
  };

  return {
    async run(job, epoch, signal) {
      const { broadcast } = job;
      // A job that was taken for stalled runs twice; the newer run is the one that counts. While
      // one waits for the run before it, another may have come in between: look again.
      for (
        let before = running.get(broadcast.id);
        before !== undefined;
        before = running.get(broadcast.id)
      ) {
        if (compareEpochs(before.epoch, epoch) > 0) {
          return;
        }
        before.stop.abort();
        await before.ended;
      }
      if (isClosed) {
        return;
      }
      const stop = new AbortController();
      const session = new IngestSession(deps, config, { broadcast, epoch });
      // Gone from the map before anybody who waits for its end looks there again.
      const ended = session.run(AbortSignal.any([signal, stop.signal])).finally(() => {
        running.delete(broadcast.id);
      });
      running.set(broadcast.id, { session, epoch, stop, ended });
      await ended;
    },
    handleFeed(request, response) {
      if (!(request.url ?? '').startsWith('/feed/')) {
        return false;
      }
      answerFeed(request, response);
      return true;
    },
    async close() {
      isClosed = true;
      const all = [...running.values()];
      for (const { stop } of all) {
        stop.abort();
      }
      await Promise.allSettled(all.map(({ ended }) => ended));
    },
  };
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  });
  response.end(`${text}\n`);
}
