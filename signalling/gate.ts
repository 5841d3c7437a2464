/**
 * From an upgrade request to a peer that was let in: limits, origin, admission, handshake. Owns
 * what is asked of a request before it costs anything. Leaves the peer to the hub.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { errorText } from '../infra/kernel/errors.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { Admission, AdmissionRequest, Identity, Refusal } from './admission.ts';
import { selectSubprotocol } from './auth/index.ts';
import type { FullSignallingConfig } from './config.ts';
import { shortReason } from './connection.ts';
import { refuseUpgrade } from './door.ts';
import { AddressLimiter } from './limits.ts';
import type { Role } from './roles/step.ts';

/** A peer that was let in, and its open socket. */
export type Guest = {
  readonly role: Role;
  readonly socket: WebSocket;
  readonly remoteAddress: string;
  readonly identity: Identity;
  readonly traits: { readonly isLegacy: boolean; readonly offersToReceive: boolean };
};

/** What the gate is given. */
export type GateDeps = {
  readonly logger: Logger;
  readonly admission: Admission;
  readonly nowMs: () => number;
  /** Why nobody of that role may come in now; undefined when one may. */
  readonly full: (role: Role, pending: number) => string | undefined;
  readonly onRefused: (role: Role, why: string) => void;
  readonly onGuest: (guest: Guest) => void;
};

/** The gate of all listeners. */
export type Gate = {
  handle(role: Role, request: IncomingMessage, socket: Duplex, head: Buffer): void;
};

/** The ingest has shown the house's own token. */
const INGEST: Identity = { kind: 'identity', role: 'presenter', subject: undefined };

/** Makes the gate. */
export function createGate(deps: GateDeps, config: FullSignallingConfig): Gate {
  const { logger, admission, nowMs, full, onRefused, onGuest } = deps;
  const connections = new AddressLimiter(config.connectionRate);
  /** Asked, not answered yet: they count as present. */
  const pending = new Map<Role, number>();
  const count = (role: Role, change: 1 | -1): void => {
    pending.set(role, (pending.get(role) ?? 0) + change);
  };
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: config.maxFrameBytes,
    perMessageDeflate: false,
    clientTracking: false,
    // The default answers the first offer, which may be a token.
    handleProtocols: selectSubprotocol,
  });

  const doorRefusal = (
    role: Role,
    request: IncomingMessage,
    address: string,
  ): { readonly status: number; readonly text: string; readonly why: string } | undefined => {
    const isFull = full(role, pending.get(role) ?? 0);
    if (isFull !== undefined) {
      return { status: 503, text: isFull, why: 'full' };
    }
    if (role === 'ingest') {
      return undefined;
    }
    const { origin } = request.headers;
    const { allowedOrigins } = config;
    const isForeign =
      origin !== undefined && allowedOrigins.length > 0 && !allowedOrigins.includes(origin);
    if (role === 'player' && isForeign) {
      return { status: 403, text: 'this origin is not allowed', why: 'origin' };
    }
    return connections.allows(address, nowMs())
      ? undefined
      : { status: 429, text: 'too many connections from this address', why: 'rate' };
  };

  const admit = async (request: AdmissionRequest): Promise<Identity | Refusal> => {
    const signal = AbortSignal.timeout(config.admissionTimeoutMs);
    const tooLate = new Promise<Refusal>((resolve) => {
      signal.addEventListener('abort', () => resolve(UNDECIDED), { once: true });
    });
    try {
      return await Promise.race([admission.admit(request, signal), tooLate]);
    } catch (error) {
      logger.error({ error: errorText(error) }, 'admission failed; nobody is let in');
      return UNDECIDED;
    }
  };

  return {
    handle(role, request, socket, head) {
      const remoteAddress = clientAddress(
        request.socket.remoteAddress ?? '',
        request.headers['x-forwarded-for'],
        config.proxies,
      );
      const refusal = doorRefusal(role, request, remoteAddress);
      if (refusal !== undefined) {
        onRefused(role, refusal.why);
        refuseUpgrade(socket, refusal.status, refusal.text);
        return;
      }
      const query = queryOf(request.url);
      const enter = (answer: Identity | Refusal): void => {
        if (socket.destroyed) {
          onRefused(role, 'left');
        } else if (answer.kind === 'identity') {
          sockets.handleUpgrade(request, socket, head, (webSocket) => {
            const traits = traitsOf(query, config.legacyStreamers);
            onGuest({ role, socket: webSocket, remoteAddress, identity: answer, traits });
          });
        } else {
          onRefused(role, 'admission');
          if (role === 'player') {
            // A browser shows no HTTP answer to an upgrade; Epic's frontend shows this and stops.
            sockets.handleUpgrade(request, socket, head, (webSocket) => {
              sayNo(webSocket, answer.reason);
            });
          } else {
            refuseUpgrade(socket, answer.status, answer.reason);
          }
        }
      };
      if (role === 'ingest') {
        enter(INGEST);
        return;
      }
      const onGone = (): void => void socket.destroy();
      socket.on('error', onGone);
      count(role, 1);
      void admit(admissionRequest(role, request, query, remoteAddress)).then((answer) => {
        count(role, -1);
        socket.off('error', onGone);
        enter(answer);
      });
    },
  };
}

/** The peer's address behind so many proxies, each of which appends whom it saw (RFC 7239 §5.2). */
export function clientAddress(
  socketAddress: string,
  forwardedFor: string | readonly string[] | undefined,
  proxies: number,
): string {
  const text = typeof forwardedFor === 'string' ? forwardedFor : (forwardedFor ?? []).join(',');
  const hops = [...text.split(',').map((hop) => hop.trim()), socketAddress].filter(
    (hop) => hop !== '',
  );
  return hops.at(-1 - Math.min(proxies, hops.length - 1)) ?? socketAddress;
}

/** The request as admission sees it. */
export function admissionRequest(
  kind: AdmissionRequest['kind'],
  { headers }: Pick<IncomingMessage, 'headers'>,
  query: ReadonlyMap<string, string>,
  remoteAddress: string,
): AdmissionRequest {
  const flat = new Map(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  );
  const list = (name: string, separator: string): string[] =>
    (flat.get(name) ?? '')
      .split(separator)
      .map((item) => item.trim())
      .filter((item) => item !== '');
  const cookies = new Map<string, string>();
  for (const pair of list('cookie', ';')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals).trim();
    if (equals > 0 && !cookies.has(name)) {
      cookies.set(name, pair.slice(equals + 1).trim());
    }
  }
  const protocols = list('sec-websocket-protocol', ',');
  return { kind, query, cookies, protocols, remoteAddress, headers: flat };
}

/** The query of a URL; the first of a repeated name. */
export function queryOf(url: string | undefined): ReadonlyMap<string, string> {
  const text = url ?? '';
  const mark = text.indexOf('?');
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1))) {
    if (!query.has(name)) {
      query.set(name, value);
    }
  }
  return query;
}

const UNDECIDED: Refusal = {
  kind: 'refusal',
  status: 503,
  reason: 'Who you are cannot be checked now. Try again later.',
};

function traitsOf(query: ReadonlyMap<string, string>, legacyStreamers: boolean): Guest['traits'] {
  return {
    isLegacy: legacyStreamers || ['4.26', '4.27'].includes(query.get('legacy') ?? ''),
    offersToReceive: query.get('OfferToReceive') === 'true',
  };
}

function sayNo(socket: WebSocket, reason: string): void {
  socket.on('error', () => socket.terminate());
  socket.send(JSON.stringify({ type: 'subscribeFailed', message: reason }));
  socket.close(1008, shortReason(reason));
}
