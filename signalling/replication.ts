/**
 * What replicas of signalling share: leases, ids, seats and frames, behind one small port. Here are
 * the port with its exact semantics, its adapter in memory, and the messages between replicas.
 * The adapter for Redis is the gateway's.
 */
import type { Identity } from './admission.ts';
import type { RawMessage } from './protocol/index.ts';
import type { OrderOutcome } from './roles/handover.ts';
import type { OperatorOrder } from './roles/orders.ts';
import type { PeersView } from './view.ts';

/**
 * A store of expiring keys with one atomic write, and channels. A rejection means that nothing is
 * known of the outcome.
 */
export interface Backplane {
  /**
   * Sets `key` to `next`, expiring after `ttlMs`, if and only if it holds `expected` now; one atomic
   * step among all replicas (Redis: a script). `undefined` stands for no value, on either side.
   *
   * @returns what the key holds afterwards: `next` when it was set, else what it held
   */
  compareAndSet(
    key: string,
    expected: string | undefined,
    next: string | undefined,
    ttlMs: number,
  ): Promise<string | undefined>;
  get(key: string): Promise<string | undefined>;
  /** Every living key that begins with `prefix`, with its value; not a snapshot at one instant. */
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
  /** Adds one to a counter that never expires, and gives it: 1 for the first. No number comes twice. */
  increment(key: string): Promise<number>;
  /** To all who listen now, the sender too; at most once, in the order of each sender. */
  publish(channel: string, message: string): Promise<void>;
  /** Resolves when nothing published from now on is missed. The result stops it. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => void>;
}

/** A backplane for replicas in one process: tests, and the proof of the port's semantics. */
export function memoryBackplane(nowMs: () => number): Backplane {
  const entries = new Map<string, { readonly value: string; readonly expiresMs: number }>();
  const counters = new Map<string, number>();
  const channels = new Map<string, Set<(message: string) => void>>();
  const read = (key: string): string | undefined => {
    const entry = entries.get(key);
    if (entry !== undefined && entry.expiresMs <= nowMs()) {
      entries.delete(key);
      return undefined;
    }
    return entry?.value;
  };
  return {
    compareAndSet(key, expected, next, ttlMs) {
      const held = read(key);
      if (held !== expected) {
        return Promise.resolve(held);
      }
      if (next === undefined) {
        entries.delete(key);
      } else {
        entries.set(key, { value: next, expiresMs: nowMs() + ttlMs });
      }
      return Promise.resolve(next);
    },
    get: (key) => Promise.resolve(read(key)),
    list(prefix) {
      const found = new Map<string, string>();
      for (const key of [...entries.keys()]) {
        const value = key.startsWith(prefix) ? read(key) : undefined;
        if (value !== undefined) {
          found.set(key, value);
        }
      }
      return Promise.resolve(found);
    },
    increment(key) {
      const count = (counters.get(key) ?? 0) + 1;
      counters.set(key, count);
      return Promise.resolve(count);
    },
    publish(channel, message) {
      for (const listener of channels.get(channel) ?? []) {
        queueMicrotask(() => listener(message));
      }
      return Promise.resolve();
    },
    subscribe(channel, listener) {
      const listeners = channels.get(channel) ?? new Set();
      channels.set(channel, listeners.add(listener));
      return Promise.resolve(() => {
        listeners.delete(listener);
      });
    },
  };
}

/** A player of one replica as another sees it. */
export type RelayedPlayer = {
  readonly playerId: string;
  readonly role: 'player' | 'ingest';
  readonly remoteAddress: string;
  readonly identity: Identity;
  readonly offersToReceive: boolean;
};

/** What one replica asks another: to carry out an order, or who is there. */
export type Question = OperatorOrder | { readonly kind: 'report' };
/** What that says. */
export type Answer = OrderOutcome | { readonly kind: 'report'; readonly peers: PeersView };

/** What replicas say to one another, each on the other's channel. `link` is the player's connection. */
export type ReplicaMessage =
  /**
   * A frame of our player for one of your streamers; `player` with the first of a link. Frames of a
   * link are numbered from 1.
   */
  | {
      readonly kind: 'toStreamer';
      readonly from: string;
      readonly link: number;
      readonly number: number;
      readonly message: RawMessage;
      readonly player?: RelayedPlayer;
    }
  /** Our player is gone. */
  | { readonly kind: 'playerGone'; readonly from: string; readonly link: number }
  /** A frame for your player from one of our streamers; `seen` is the last of its frames we had. */
  | {
      readonly kind: 'toPlayer';
      readonly from: string;
      readonly link: number;
      readonly seen: number;
      readonly streamerId: string;
      readonly message: RawMessage;
    }
  /** Close your player's connection; `seen` as above. */
  | {
      readonly kind: 'closePlayer';
      readonly from: string;
      readonly link: number;
      readonly seen: number;
      readonly code: number;
      readonly reason: string;
    }
  /** Somebody wants the id of one of your streamers: is it alive? */
  | { readonly kind: 'probe'; readonly from: string; readonly streamerId: string }
  /** It has answered our ping, or not and is gone. */
  | {
      readonly kind: 'probed';
      readonly from: string;
      readonly streamerId: string;
      readonly isAlive: boolean;
    }
  /** An order of the operator, or who is with you. */
  | {
      readonly kind: 'question';
      readonly from: string;
      readonly number: number;
      readonly question: Question;
    }
  | {
      readonly kind: 'answer';
      readonly from: string;
      readonly number: number;
      readonly answer: Answer;
    };

/** The text of a message between replicas. */
export function renderReplicaMessage(message: ReplicaMessage): string {
  return JSON.stringify(message);
}

/**
 * Reads a message between replicas. They run one version of one program on a store that only they
 * write to, so its outline is checked and its details are taken as they are.
 */
export function parseReplicaMessage(text: string): ReplicaMessage | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    const isMessage =
      typeof value === 'object' &&
      value !== null &&
      'kind' in value &&
      typeof value.kind === 'string' &&
      KINDS.has(value.kind) &&
      'from' in value &&
      typeof value.from === 'string';
    return isMessage ? (value as ReplicaMessage) : undefined;
  } catch {
    return undefined;
  }
}

const KINDS: ReadonlySet<string> = new Set<ReplicaMessage['kind']>([
  'toStreamer',
  'playerGone',
  'toPlayer',
  'closePlayer',
  'probe',
  'probed',
  'question',
  'answer',
]);
