/**
 * Admission by a plugin over gRPC (admission.proto): one call per connection with a deadline, a
 * health check beside, and no for an answer whenever there is none. grpc-js connects again by
 * itself; a connection that is up but mute is given up here.
 */
import {
  type ChannelCredentials,
  Client,
  type ServiceError,
  credentials,
  status,
} from '@grpc/grpc-js';
import { z } from 'zod';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Admission, Refusal } from '../admission.ts';
import { type Method, loadServices, methodOf, parseAnswer, wireRequest } from './wire.ts';

/** Where the plugin is, and for how long it is waited for. */
export type RemoteRules = {
  /** `HOST:PORT` or `unix:/path`. */
  readonly address: string;
  readonly deadlineMs: number;
  readonly healthIntervalMs: number;
  /** Undefined: no TLS. `ca` in PEM; undefined in it: the system's. */
  readonly tls: { readonly ca: Buffer | undefined } | undefined;
};

/** What it is given. */
export type RemoteDeps = { readonly logger: Logger; readonly nowMs: () => number };

/** What the health check last said. Only `notServing` keeps us from asking. */
type Health = 'unknown' | 'serving' | 'unchecked' | 'notServing' | 'away';

/** Health checks without an answer after which the connection is given up. */
const MAX_MUTE_CHECKS = 3;

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': 64 * 1024,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.min_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5000,
  // Else a new client shares the mute connection while another client of that address holds it.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_http_proxy': 0,
} as const;

const healthSchema = z.object({ status: z.string() });

/** Makes the client; it connects when first asked. Closing it ends its health check. */
export function createRemoteAdmission(deps: RemoteDeps, rules: RemoteRules): Admission & Closeable {
  const { logger, nowMs } = deps;
  const { address, deadlineMs } = rules;
  const services = loadServices();
  const admitMethod = methodOf(services.admission, 'Admit');
  const checkMethod = methodOf(services.health, 'Check');
  const transport = credentialsOf(rules);
  const connect = (): Client => new Client(address, transport, CHANNEL_OPTIONS);
  let client = connect();
  let health: Health = 'unknown';
  let muteChecks = 0;
  let isClosed = false;
  let isGarbling = false;
  let timer: NodeJS.Timeout | undefined;

  const becomes = (next: Health, why?: string): void => {
    if (next === health) {
      return;
    }
    health = next;
    const fields = { address, health, ...(why === undefined ? {} : { why }) };
    if (next === 'serving' || next === 'unchecked') {
      logger.info(fields, 'admission plugin is there');
    } else {
      logger.warn(fields, 'admission plugin is not there; nobody new is let in');
    }
  };

  const check = async (): Promise<void> => {
    try {
      const answer = await call(client, checkMethod, { service: '' }, deadlineMs);
      const parsed = healthSchema.safeParse(answer);
      becomes(parsed.data?.status === 'SERVING' ? 'serving' : 'notServing', parsed.data?.status);
      muteChecks = 0;
    } catch (error) {
      const code = codeOf(error);
      muteChecks = code === status.DEADLINE_EXCEEDED ? muteChecks + 1 : 0;
      if (isClosed) {
        return;
      }
      const isWithout = code === status.UNIMPLEMENTED;
      becomes(isWithout ? 'unchecked' : 'away', isWithout ? undefined : status[code]);
      if (muteChecks >= MAX_MUTE_CHECKS) {
        muteChecks = 0;
        client.close();
        client = connect();
      }
    }
  };
  const keepChecking = (): void => {
    void check().then(() => {
      if (!isClosed) {
        timer = setTimeout(keepChecking, rules.healthIntervalMs).unref();
      }
    });
  };
  keepChecking();

  return {
    async admit(request, signal) {
      if (isClosed || health === 'notServing') {
        return unavailable('is not serving');
      }
      try {
        const answer = await call(client, admitMethod, wireRequest(request), deadlineMs, signal);
        const decision = parseAnswer(answer, request, nowMs());
        if (decision === undefined && !isGarbling) {
          logger.error({ address }, 'admission plugin gives answers that cannot be used; deny');
        }
        isGarbling = decision === undefined;
        return decision ?? unavailable('gave an answer that cannot be used');
      } catch (error) {
        // Details are not logged: they are the plugin's words, and may quote a token.
        const code = codeOf(error);
        logger.debug({ address, code: status[code] }, 'admission plugin failed; deny');
        return refusalOf(code);
      }
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      client.close();
      return Promise.resolve();
    },
  };
}

function credentialsOf({ tls }: RemoteRules): ChannelCredentials {
  return tls === undefined ? credentials.createInsecure() : credentials.createSsl(tls.ca ?? null);
}

/** One call. Rejects with a ServiceError. */
function call(
  client: Client,
  { path, requestSerialize, responseDeserialize }: Method,
  argument: object,
  deadlineMs: number,
  signal?: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const running = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      argument,
      { deadline: Date.now() + deadlineMs },
      (error, answer) => {
        signal?.removeEventListener('abort', cancel);
        if (error === null) {
          resolve(answer);
        } else {
          reject(error);
        }
      },
    );
    const cancel = (): void => running.cancel();
    if (signal?.aborted === true) {
      cancel();
    }
    signal?.addEventListener('abort', cancel, { once: true });
  });
}

function codeOf(error: unknown): status {
  return error instanceof Error && 'code' in error ? (error as ServiceError).code : status.UNKNOWN;
}

function refusalOf(code: status): Refusal {
  if (code === status.UNAUTHENTICATED) {
    return { kind: 'refusal', status: 401, reason: 'Who you are is not known here.' };
  }
  if (code === status.PERMISSION_DENIED) {
    return { kind: 'refusal', status: 403, reason: 'You may not come in.' };
  }
  return unavailable(FAILURES.get(code) ?? 'failed');
}

const FAILURES: ReadonlyMap<status, string> = new Map([
  [status.DEADLINE_EXCEEDED, 'did not answer in time'],
  [status.CANCELLED, 'did not answer in time'],
  [status.UNAVAILABLE, 'is away'],
]);

function unavailable(why: string): Refusal {
  return {
    kind: 'refusal',
    status: 503,
    reason: `Who you are cannot be checked now: the admission plugin ${why}. Try again later.`,
  };
}
