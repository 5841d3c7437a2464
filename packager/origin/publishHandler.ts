/**
 * The internal side: `PUT /publish/{broadcast}/{track}?slot=S&epoch=E`, one chunked request per track
 * that lasts as long as its encoder, and `GET` on the same path for a resume. A fault closes that
 * publish only; a fragment is taken whole or not at all.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import { type ErrorCode, errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { CounterMetric } from '../../infra/kernel/metrics.ts';
import { isAuthorized, type Secret } from '../../infra/kernel/secret.ts';
import { unixMsFromTicks } from '../../infra/kernel/time.ts';
import { broadcastIdSchema, parseEpoch, trackNameSchema } from '../../infra/kernel/wire.ts';
import { type Sample, type TrackEvent, TrackReader } from '../cmaf/index.ts';
import type { PublisherIdentity } from './follow.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import type { Publisher } from './turns.ts';

/** What the handler needs. */
export type PublishDeps = {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly internalToken: Secret;
  readonly refusals: CounterMetric;
  readonly maxBoxBytes: number;
  /** The live state of a broadcast that is desired and has this track. @throws GatewayError `not_found` */
  open(broadcastId: string, track: string): Promise<LiveBroadcast>;
  /** Told of each publish as it begins and ends, so that close can end them. */
  onConnection(response: ServerResponse): void;
};

type Target = PublisherIdentity & { readonly broadcast: string; readonly track: string };

const MAX_CLOCK_DISTANCE_MS = 30_000;
const DRAIN_MS = 1000;

// The one table from fault to status on this side (wire.ts, PublishRefusal).
const STATUS: Partial<Record<ErrorCode, number>> = {
  unauthorized: 401,
  not_found: 404,
  fenced: 409,
  bad_request: 404,
  too_busy: 503,
};
const STATUS_OF_BAD_MEDIA = 422;

/** Makes the handler; it answers false where the path is not its own. */
export function createPublishHandler(
  deps: PublishDeps,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    if (request.url?.startsWith('/publish/') !== true) {
      return false;
    }
    // A publisher that goes away says so by 'close'; the error itself tells nothing more.
    request.on('error', () => undefined);
    serve(deps, request, response).catch((error: unknown) => {
      refuse(deps, request, response, error);
    });
    return true;
  };
}

async function serve(
  deps: PublishDeps,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!isAuthorized(request.headers.authorization, deps.internalToken)) {
    throw new GatewayError('unauthorized', 'publishing needs the internal token');
  }
  const target = parseTarget(request.url ?? '');
  const live = await deps.open(target.broadcast, target.track);
  if (response.destroyed) {
    return;
  }
  if (request.method === 'GET') {
    sendState(response, live, target);
  } else if (request.method === 'PUT') {
    receive(deps, request, response, live, target);
  } else {
    response.writeHead(405, { Allow: 'GET, PUT', Connection: 'close' }).end();
  }
}

function parseTarget(url: string): Target {
  const [path = '', query = ''] = url.split('?', 2);
  const [, , broadcast, track, ...rest] = path.split('/');
  const values = new URLSearchParams(query);
  const slot = values.get('slot') ?? '';
  const epoch = parseEpoch(values.get('epoch') ?? '');
  if (
    !broadcastIdSchema.safeParse(broadcast).success ||
    !trackNameSchema.safeParse(track).success ||
    rest.length > 0 ||
    !/^[01]$/.test(slot) ||
    epoch === undefined
  ) {
    throw new GatewayError(
      'bad_request',
      'not a publish path: /publish/{broadcast}/{track}?slot&epoch',
    );
  }
  return { broadcast: broadcast ?? '', track: track ?? '', slot: Number(slot), epoch };
}

function sendState(response: ServerResponse, live: LiveBroadcast, target: Target): void {
  const track = live.track(target.track);
  if (track?.isFenced(target) === true) {
    throw new GatewayError('fenced', 'a newer publisher is followed');
  }
  sendJson(response, 200, { nextTicks: track?.frontier ?? null });
}

function receive(
  deps: PublishDeps,
  request: IncomingMessage,
  response: ServerResponse,
  live: LiveBroadcast,
  target: Target,
): void {
  const logger = deps.logger.child({
    broadcast: target.broadcast,
    track: target.track,
    slot: target.slot,
    attempt: target.epoch.attempt,
  });
  const session = new PublishSession(live, target, deps);
  deps.onConnection(response);
  logger.info({}, 'publish begins');
  request.on('data', (slice: Uint8Array) => {
    if (response.writableEnded) {
      return;
    }
    try {
      session.push(slice);
    } catch (error) {
      session.end();
      refuse(deps, request, response, error);
    }
  });
  request.once('end', () => {
    session.end();
    if (!response.writableEnded) {
      sendJson(response, 200, { nextTicks: live.track(target.track)?.frontier ?? null });
    }
  });
  request.once('close', () => {
    session.end();
    logger.info({ fragments: session.fragments }, 'publish ended');
  });
}

/** One publish: bytes in, samples offered. Throws what the publish is refused for. */
class PublishSession {
  readonly #live: LiveBroadcast;
  readonly #target: Target;
  readonly #clock: Clock;
  readonly #reader: TrackReader;
  #publisher: Publisher | undefined;
  #newest = -1;
  #fragments = 0;

  constructor(
    live: LiveBroadcast,
    target: Target,
    deps: Pick<PublishDeps, 'clock' | 'maxBoxBytes'>,
  ) {
    this.#live = live;
    this.#target = target;
    this.#clock = deps.clock;
    this.#reader = new TrackReader({ maxBoxBytes: deps.maxBoxBytes });
    if (live.track(target.track)?.isFenced(target) === true) {
      throw new GatewayError('fenced', 'a newer publisher is followed');
    }
  }

  get fragments(): number {
    return this.#fragments;
  }

  push(slice: Uint8Array): void {
    for (const event of this.#reader.push(slice)) {
      this.#take(event);
    }
  }

  end(): void {
    if (this.#publisher !== undefined) {
      this.#publisher.isGone = true;
    }
  }

  #take(event: TrackEvent): void {
    if (event.kind === 'init') {
      this.#takeHeader(event.bytes);
      return;
    }
    const publisher = this.#publisher;
    if (publisher === undefined) {
      throw new GatewayError('bad_media', 'media before its header');
    }
    this.#fragments += 1;
    this.#checkTimes(event.samples, publisher);
    if (this.#live.publish(this.#target.track, publisher, event.samples) === 'fenced') {
      throw new GatewayError('fenced', 'a newer publisher is followed');
    }
  }

  #takeHeader(bytes: Uint8Array): void {
    const { slot, epoch, track } = this.#target;
    const before = this.#publisher;
    this.#publisher = this.#live.addPublisher(track, { slot, epoch }, bytes);
    if (before !== undefined && before.header.uri !== this.#publisher.header.uri) {
      throw new GatewayError('fenced', 'the header changed inside a publish');
    }
  }

  #checkTimes(samples: readonly Sample[], publisher: Publisher): void {
    const nowMs = this.#clock.nowMs();
    for (const { dts } of samples) {
      const distanceMs = unixMsFromTicks(dts, publisher.header.init.timescale) - nowMs;
      if (Math.abs(distanceMs) > MAX_CLOCK_DISTANCE_MS) {
        throw new GatewayError(
          'off_grid',
          `decode time ${dts} is ${Math.round(distanceMs / 1000)} s from the broadcast clock (at most 30)`,
        );
      }
      if (dts <= this.#newest) {
        throw new GatewayError('bad_media', `decode time ${dts} does not grow`);
      }
      this.#newest = dts;
    }
  }
}

/** Answers why and closes the connection; what still arrives is read for a moment, unheeded. */
function refuse(
  deps: PublishDeps,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const code = error instanceof GatewayError ? error.code : undefined;
  const status = code === undefined ? 500 : (STATUS[code] ?? STATUS_OF_BAD_MEDIA);
  deps.refusals.add(1, { reason: code ?? 'internal' });
  const fields = { status, reason: errorText(error), path: (request.url ?? '').slice(0, 200) };
  if (code === undefined) {
    deps.logger.error({ ...fields, error }, 'publish failed');
  } else {
    deps.logger.warn(fields, 'publish refused');
  }
  if (response.writableEnded || response.destroyed) {
    return;
  }
  sendJson(response, status, { error: code ?? 'internal', message: errorText(error) });
  request.resume();
  const timer = setTimeout(() => {
    request.destroy();
  }, DRAIN_MS);
  timer.unref();
  request.once('close', () => {
    clearTimeout(timer);
  });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...(status >= 400 ? { Connection: 'close' } : {}),
  });
  response.end(body);
}
