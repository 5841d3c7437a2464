/** Opens the contribution feed: live Matroska over HTTP from whichever ingest has it. */
import { get, type IncomingMessage } from 'node:http';
import { pipeline, type Readable, Transform } from 'node:stream';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { FEED_NEWEST_HEADER } from '../../infra/kernel/wire.ts';
import { FeedScan, type FeedUnit } from './feedScan.ts';

/** A feed that is being read, and the newest stamp in it at the join. */
export type OpenFeed = { readonly body: Readable; readonly newestMs: UnixMs };

const CONNECT_TIMEOUT_MS = 5000;

/** Where the feed was announced nobody has it: its ingest is lost, or has just given it back. */
export class FeedGone extends GatewayError {
  constructor(reason: string, cause?: unknown) {
    super('feed_unavailable', `feed: ${reason}`, { cause });
  }
}

/**
 * Joins the feed at `url`. The caller destroys `body`.
 *
 * @throws FeedGone where nobody listens, or who listens has no such broadcast
 * @throws GatewayError `feed_unavailable` (no answer, no picture yet), `unauthorized`, `bad_media`
 */
export async function openFeed(url: string, token: Secret, signal: AbortSignal): Promise<OpenFeed> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = get(url, {
      agent: false,
      signal,
      timeout: CONNECT_TIMEOUT_MS,
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
    request.once('timeout', () => {
      request.destroy(new Error(`no answer in ${CONNECT_TIMEOUT_MS} ms`));
    });
    request.once('error', (error) => {
      if ('code' in error && error.code === 'ECONNREFUSED') {
        reject(new FeedGone(errorText(error), error));
        return;
      }
      reject(new GatewayError('feed_unavailable', `feed: ${errorText(error)}`, { cause: error }));
    });
    request.once('response', (answer) => {
      request.setTimeout(0);
      resolve(answer);
    });
  });
  const header = response.headers[FEED_NEWEST_HEADER];
  const newestMs = typeof header === 'string' && header !== '' ? Number(header) : Number.NaN;
  if (response.statusCode === 200 && Number.isFinite(newestMs)) {
    return { body: response, newestMs: unixMs(newestMs) };
  }
  response.destroy();
  const status = response.statusCode ?? 0;
  switch (status) {
    case 200:
      throw new GatewayError('bad_media', `feed without a valid ${FEED_NEWEST_HEADER} header`);
    case 401:
      throw new GatewayError('unauthorized', 'the feed refused the internal token (401)');
    case 404:
      throw new FeedGone('no such broadcast there (404)');
    default:
      throw new GatewayError('feed_unavailable', `feed not ready (${status})`);
  }
}

/** Who is told of a feed as it passes by. */
export type FeedObserver = {
  /** An access unit has begun to arrive. */
  unit(unit: FeedUnit): void;
  /** What comes cannot be read here: no more is told of this feed. At most once. */
  unreadable(why: string): void;
};

/**
 * The feed with its access units told as they come. Every byte passes: what is no Matroska is for
 * ffmpeg to judge, which reads on behind much that is damaged. Destroying the body destroys the
 * feed's.
 */
export function meteredFeed({ body, newestMs }: OpenFeed, observer: FeedObserver): OpenFeed {
  let scan: FeedScan | undefined = new FeedScan();
  const metered = new Transform({
    transform(slice: Buffer, _encoding, done) {
      try {
        scan?.push(slice).forEach((unit) => {
          observer.unit(unit);
        });
      } catch (error) {
        scan = undefined;
        observer.unreadable(errorText(error));
      }
      done(null, slice);
    },
  });
  // Whoever reads the body is told of its faults there.
  pipeline(body, metered, () => undefined);
  return { body: metered, newestMs };
}
