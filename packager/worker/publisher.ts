/**
 * Publishes one track to one origin: one long chunked PUT per encoder run, resumed at the first
 * fragment that the origin lacks. Reads the track's log at its own pace; leaves to the log what is
 * kept, and to its owner which origins there are.
 */
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import { backoffMs, pause, withDeadline } from '../../infra/kernel/lifecycle.ts';
import type { Secret } from '../../infra/kernel/secret.ts';
import { PUBLISH_BEAT_MS, publishStateSchema } from '../../infra/kernel/wire.ts';
import type { SharedRetry } from './sharedRetry.ts';
import type { TrackLog } from './trackLog.ts';

/** What a publisher says while it runs. */
export interface PublishObserver {
  /** An attempt failed; the next comes by itself. */
  fault(error: GatewayError): void;
  /** A PUT is accepted so far and carries media. */
  connected(): void;
  /** Fragments that this origin will never get: it was slower than what is kept. */
  dropped(fragments: number): void;
}

/** Where and what to publish. */
export type PublishTarget = {
  /** Base URL of the origin's internal listener. */
  readonly origin: string;
  /** From `publishPath`. */
  readonly path: string;
  readonly kind: 'video' | 'audio';
  readonly token: Secret;
  readonly log: TrackLog;
  /** When it is tried again after it was away; shared by all tracks to this origin. */
  readonly retry: SharedRetry;
};

type Answer = { readonly status: number; readonly text: string };

const ANSWER_TIMEOUT_MS = 5000;
const STUCK_MS = 5000;
/** An origin that refuses is asked less and less often, down to once in this. */
const REFUSED_RETRY_MS = 2000;
/** A publish that lived this long starts the back-off anew. */
const HEALTHY_PUT_MS = 10_000;
const MAX_ANSWER_BYTES = 4096;
/** An empty `free` box (ISO/IEC 14496-12 §8.1.2): nothing to send, and alive. */
const BEAT = Uint8Array.of(0, 0, 0, 8, 0x66, 0x72, 0x65, 0x65);

/**
 * Publishes until the log is closed and sent, or `signal` aborts.
 *
 * @throws GatewayError `fenced`: this job has been superseded and must stop
 */
export async function publishTrack(
  target: PublishTarget,
  observer: PublishObserver,
  signal: AbortSignal,
): Promise<void> {
  const { log } = target;
  const wake = new Wake();
  const unsubscribe = log.onChange(wake.notify);
  signal.addEventListener('abort', wake.notify);
  try {
    let attempt = 0;
    const progress = new Progress(observer);
    const hasSentAll = (): boolean => progress.isWhole && log.nextIndex <= (progress.index ?? 0);
    while (!signal.aborted && !(log.isClosed && hasSentAll())) {
      if (hasSentAll()) {
        await wake.wait();
        continue;
      }
      const startedMs = performance.now();
      try {
        await publishRun(target, { observer, progress }, wake, signal);
        progress.isWhole = true;
        attempt = 0;
      } catch (error) {
        progress.isWhole = false;
        const fault = asGatewayError(error);
        if (isAborted(signal)) {
          return;
        }
        if (fault.code === 'fenced') {
          throw fault;
        }
        observer.fault(fault);
        if (isAway(fault)) {
          await target.retry.wait(signal);
          continue;
        }
        attempt = performance.now() - startedMs > HEALTHY_PUT_MS ? 0 : attempt;
        await pause(backoffMs(attempt, { capMs: REFUSED_RETRY_MS }), signal);
        attempt += 1;
      }
    }
  } finally {
    unsubscribe();
    signal.removeEventListener('abort', wake.notify);
  }
}

/** Whether the origin gave no answer, as against one that refuses. */
function isAway(fault: GatewayError): boolean {
  return fault.cause !== undefined;
}

/** How far a track has come to an origin, over all its PUTs. */
class Progress {
  /** Index after the last fragment sent or dropped; undefined before the first PUT. */
  index: number | undefined;
  /** The last PUT was taken to its end. */
  isWhole = true;
  readonly #observer: PublishObserver;

  constructor(observer: PublishObserver) {
    this.#observer = observer;
  }

  /** Goes on at `index`: the origin will never get what lies between. */
  skipTo(index: number): void {
    const from = this.index ?? index;
    if (index > from) {
      this.#observer.dropped(index - from);
    }
    this.index = index;
  }
}

/** Where the next PUT begins, once that is kept; undefined where none will come. */
async function resume(
  target: PublishTarget,
  progress: Progress,
  wake: Wake,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { log } = target;
  const nextTicks = await publishState(target, signal);
  target.retry.answered();
  let index = log.resumeIndex(nextTicks);
  while (index === undefined) {
    if (log.isClosed || signal.aborted) {
      progress.index = log.nextIndex;
      return undefined;
    }
    await wake.wait();
    index = log.resumeIndex(nextTicks);
  }
  if (log.at(index)?.fragment.dts === nextTicks) {
    // The origin lacks nothing before it, whoever sent it that.
    progress.index = index;
  } else {
    progress.skipTo(index);
  }
  return index;
}

/** One PUT: the rest of one encoder run. */
async function publishRun(
  target: PublishTarget,
  { observer, progress }: { readonly observer: PublishObserver; readonly progress: Progress },
  wake: Wake,
  signal: AbortSignal,
): Promise<void> {
  const { log } = target;
  let index = await resume(target, progress, wake, signal);
  if (index === undefined) {
    return;
  }
  const run = log.at(index)?.run ?? 0;
  const put = new Put(target, wake.notify, signal);
  try {
    put.write(log.init ?? new Uint8Array());
    observer.connected();
    for (;;) {
      put.throwIfFailed();
      if (index < log.firstIndex) {
        index = log.segmentStartFrom(log.firstIndex) ?? log.nextIndex;
        progress.skipTo(index);
      }
      const entry = log.at(index);
      if (put.isBlocked || (entry === undefined && !log.hasEnded(run))) {
        await wake.wait();
      } else if (entry?.run === run) {
        put.write(entry.fragment.bytes);
        index += 1;
        progress.index = index;
      } else {
        await put.end();
        return;
      }
    }
  } finally {
    put.destroy();
  }
}

/** A wait that any of several events ends; whoever waits then looks at the state itself. */
class Wake {
  #resolve: (() => void) | undefined;

  readonly notify = (): void => {
    this.#resolve?.();
    this.#resolve = undefined;
  };

  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}

/** One chunked PUT that says when it has nothing to send. Tells `onChange` of room after a block and of failure. */
class Put {
  readonly #target: PublishTarget;
  readonly #request: ClientRequest;
  readonly #answer: Promise<Answer>;
  #fault: GatewayError | undefined;
  #isEnding = false;
  #blockedTimer: NodeJS.Timeout | undefined;
  readonly #beat: NodeJS.Timeout;

  constructor(target: PublishTarget, onChange: () => void, signal: AbortSignal) {
    this.#target = target;
    this.#request = httpRequest(new URL(target.path, target.origin), {
      method: 'PUT',
      agent: false,
      signal,
      headers: {
        authorization: `Bearer ${target.token.reveal()}`,
        'content-type': `${target.kind}/mp4`,
        'transfer-encoding': 'chunked',
      },
    });
    this.#request.setNoDelay(true);
    this.#request.on('drain', () => {
      this.#unblock();
      onChange();
    });
    this.#beat = setTimeout(() => {
      this.#sayAlive();
    }, PUBLISH_BEAT_MS);
    this.#answer = answerOf(this.#request);
    this.#answer
      .then(({ status, text }) => {
        if (!this.#isEnding) {
          throw refusal(target, status, text === '' ? 'ended the publish' : text);
        }
      })
      .catch((error: unknown) => {
        this.#fault = asGatewayError(error);
        onChange();
      });
  }

  /** Whether the origin has yet to take what was written. */
  get isBlocked(): boolean {
    return this.#blockedTimer !== undefined;
  }

  throwIfFailed(): void {
    if (this.#fault !== undefined) {
      throw this.#fault;
    }
  }

  /** @param bytes whole boxes: others may come between */
  write(bytes: Uint8Array): void {
    this.#beat.refresh();
    if (!this.#request.write(bytes)) {
      this.#blockedTimer ??= setTimeout(() => {
        this.#request.destroy(new Error(`takes nothing for ${STUCK_MS} ms`));
      }, STUCK_MS);
    }
  }

  /** Ends the body and waits for the answer. */
  async end(): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#beat);
    this.#request.end();
    const { status, text } = await withinDeadline(this.#answer);
    if (status >= 300) {
      throw refusal(this.#target, status, text);
    }
  }

  destroy(): void {
    this.#unblock();
    clearTimeout(this.#beat);
    this.#request.destroy();
  }

  /** What is blocked has enough to send. */
  #sayAlive(): void {
    if (this.isBlocked) {
      this.#beat.refresh();
    } else {
      this.write(BEAT);
    }
  }

  #unblock(): void {
    clearTimeout(this.#blockedTimer);
    this.#blockedTimer = undefined;
  }
}

/** First decode time that the origin lacks; null where it has nothing. */
async function publishState(target: PublishTarget, signal: AbortSignal): Promise<number | null> {
  const request = httpRequest(new URL(target.path, target.origin), {
    agent: false,
    signal,
    headers: { authorization: `Bearer ${target.token.reveal()}` },
  });
  const answer = answerOf(request);
  request.end();
  try {
    const { status, text } = await withinDeadline(answer);
    if (status !== 200) {
      throw refusal(target, status, text);
    }
    return publishStateSchema.parse(JSON.parse(text)).nextTicks;
  } finally {
    request.destroy();
  }
}

function answerOf(request: ClientRequest): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    request.on('error', reject);
    request.once('close', () => {
      reject(new Error('connection closed'));
    });
    request.once('response', (response: IncomingMessage) => {
      let text = '';
      const done = (): void => {
        resolve({ status: response.statusCode ?? 0, text: text.trim() });
      };
      response.setEncoding('utf8');
      response.on('data', (slice: string) => {
        text = (text + slice).slice(0, MAX_ANSWER_BYTES);
      });
      // A refusal may be cut short by the origin closing while media is still on its way.
      response.once('end', done);
      response.once('error', done);
      response.once('close', done);
    });
  });
  answer.catch(() => undefined);
  return answer;
}

function refusal(target: PublishTarget, status: number, text: string): GatewayError {
  const message = `${target.origin}${target.path}: ${status} ${text}`;
  switch (status) {
    case 401:
      return new GatewayError('unauthorized', message);
    case 404:
      return new GatewayError('not_found', message);
    case 409:
      return new GatewayError('fenced', message);
    case 422:
      return new GatewayError('off_grid', message);
    default:
      return new GatewayError('origin_unavailable', message);
  }
}

function asGatewayError(error: unknown): GatewayError {
  return error instanceof GatewayError
    ? error
    : new GatewayError('origin_unavailable', errorText(error), { cause: error });
}

function withinDeadline(answer: Promise<Answer>): Promise<Answer> {
  return withDeadline(answer, ANSWER_TIMEOUT_MS);
}

// A call, since TypeScript takes `signal.aborted` for settled after the loop's own check.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
