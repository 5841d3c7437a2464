/**
 * The publishing interface: `PUT /publish/{broadcast}/{track}`, one chunked request per track that
 * lasts as long as its encoder, and `GET` on the same path for a resume (PUBLISHING.md). Owns the
 * requests and their answers; a fault closes that publish only.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../infra/kernel/broadcastClock.ts';
import { type ErrorCode, errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { CounterMetric } from '../../infra/kernel/metrics.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import type { LostPublishers } from './lostPublishers.ts';
import { PublishSession } from './publishSession.ts';
import { mayPublish, parseTarget, type Target } from './publishTarget.ts';

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
  readonly lost: Pick<LostPublishers, 'opened' | 'heard' | 'closed'>;
};

// Longer than any encoder is silent while its source is slate.
const MAX_SILENCE_MS = 20_000;
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
  if (!mayPublish(request.headers.authorization, deps.internalToken)) {
    throw new GatewayError('unauthorized', 'publishing needs the internal token');
  }
  const target = parseTarget(request.url ?? '', deps.clock.nowMs());
  const live = await deps.open(target.broadcast, target.track);
  await live.ready;
  if (response.destroyed) {
    return;
  }
  if (request.method === 'GET') {
    sendState(response, live, target);
  } else if (request.method === 'PUT' || request.method === 'POST') {
    receive(deps, request, response, live, target);
  } else {
    response.writeHead(405, { Allow: 'GET, PUT, POST', Connection: 'close' }).end();
  }
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
  deps.lost.opened(target);
  let isEnded = false;
  logger.info({}, 'publish begins');
  request.setTimeout(MAX_SILENCE_MS, () => {
    logger.warn({ silenceMs: MAX_SILENCE_MS }, 'publish is silent');
    request.destroy();
  });
  request.on('data', (slice: Uint8Array) => {
    if (response.writableEnded) {
      return;
    }
    deps.lost.heard(target, deps.clock.nowMs());
    try {
      session.push(slice);
    } catch (error) {
      session.end();
      refuse(deps, request, response, error);
    }
  });
  request.once('end', () => {
    isEnded = true;
    session.end();
    if (!response.writableEnded) {
      sendJson(response, 200, { nextTicks: live.track(target.track)?.frontier ?? null });
    }
  });
  request.once('close', () => {
    session.end();
    // One that was refused was not lost.
    deps.lost.closed(target, isEnded || response.writableEnded, deps.clock.nowMs());
    logger.info({ fragments: session.fragments }, 'publish ended');
  });
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
    // Overtaken, or at the end of its broadcast: nothing is wrong.
    deps.logger[code === 'fenced' ? 'info' : 'warn'](fields, 'publish refused');
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
