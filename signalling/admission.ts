/**
 * Who may come in, and as what: the port that token checks and remote plugins implement, and the
 * built-in that lets everyone in. Leaves sockets to door.ts and what a role may do to roles/.
 */

/** What is known of a connection before it is one. Nothing in it is to be trusted. */
export type AdmissionRequest = {
  /** The listener that it came by. */
  readonly kind: 'player' | 'streamer' | 'sfu';
  /** Query of the URL; the first of a repeated name. */
  readonly query: ReadonlyMap<string, string>;
  readonly cookies: ReadonlyMap<string, string>;
  /** `Sec-WebSocket-Protocol`, in the order offered. */
  readonly protocols: readonly string[];
  /** Address of the peer, behind the configured number of proxies. */
  readonly remoteAddress: string;
  /** By lower-case name; a repeated one is joined with commas. */
  readonly headers: ReadonlyMap<string, string>;
};

/**
 * As what someone is let in. A presenter and an operator may hold a seat, an observer may not; the
 * role of a streamer or SFU is fixed by its listener.
 */
export type Identity = {
  readonly kind: 'identity';
  readonly role: 'presenter' | 'observer' | 'streamer' | 'operator';
  /** Who it is, across connections: keeps the seat over a reconnect. Undefined: nobody knows. */
  readonly subject: string | undefined;
  /** Streamer ids that it may control, or as which a streamer may go; all where undefined. */
  readonly streamerIds?: readonly string[];
  /** When it ends, Unix ms: the connection is closed then. */
  readonly expiresMs?: number;
  /** The token's `jti`: who came in by it goes when it is revoked. */
  readonly tokenId?: string;
};

/** Why someone is not let in; `reason` is shown to the user, so it names no secret. */
export type Refusal = {
  readonly kind: 'refusal';
  /** 401 unknown, 403 known and not allowed, 503 cannot be told now (the plugin is away). */
  readonly status: 401 | 403 | 503;
  readonly reason: string;
};

/** Decides who comes in. A rejection, or no answer within the deadline, is a refusal. */
export interface Admission {
  admit(request: AdmissionRequest, signal: AbortSignal): Promise<Identity | Refusal>;
}

/** A player whom nobody has asked for a name. */
export const ANYONE: Identity = { kind: 'identity', role: 'presenter', subject: undefined };

/** Lets everyone in: players may present, by the rules of the mode. */
export const ADMIT_EVERYONE: Admission = {
  admit({ kind }) {
    return Promise.resolve(
      kind === 'player' ? ANYONE : { kind: 'identity', role: 'streamer', subject: undefined },
    );
  },
};
