/**
 * The player's side of Epic's signalling as a state machine: finds the wanted streamer in the
 * list, subscribes, waits for its offer, and starts over when any of that fails. Pure: messages
 * and time in, messages and events out. Leaves the socket to signallingClient.ts and the media's
 * health to the session, which calls `resubscribe`.
 */
import { backoffMs } from '../../infra/kernel/lifecycle.ts';
import type { SignallingMessage } from '../../signalling/protocol/index.ts';
import { type IceServer, parseIceServers } from './iceServers.ts';

/** What the session learns. */
export type SubscriptionEvent =
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'subscribed'; readonly streamerId: string }
  | { readonly kind: 'offer'; readonly sdp: string; readonly iceServers: readonly IceServer[] }
  | { readonly kind: 'candidate'; readonly candidate: string }
  /** The subscription is over; the peer it made is of no use any more. */
  | { readonly kind: 'lost'; readonly reason: string };

/** What follows from an input. */
export type Reaction = {
  readonly send: readonly SignallingMessage[];
  readonly events: readonly SubscriptionEvent[];
};

/** Intervals of the machine (ms). */
export type SubscriptionTimes = {
  readonly listEveryMs: number;
  readonly pingEveryMs: number;
  readonly offerTimeoutMs: number;
};

const DEFAULT_TIMES: SubscriptionTimes = {
  listEveryMs: 1000,
  pingEveryMs: 10_000,
  offerTimeoutMs: 5000,
};
/** A list without the streamer may be older than the subscription; two in a row are not. */
const MISSES_UNTIL_GONE = 2;
/** Offers of one subscription without good media in between; each makes a peer with its sockets. */
const MAX_OFFERS = 8;
/** Candidates taken for one peer: each is tried against every one of ours. */
const MAX_CANDIDATES = 128;
const NOTHING: Reaction = { send: [], events: [] };

type State =
  | { readonly kind: 'listing' }
  | { readonly kind: 'awaiting-offer'; readonly sinceMs: number }
  | { readonly kind: 'offered' };

/** One connection's machine; time is a parameter (ms, any origin). */
export class Subscription {
  readonly #times: SubscriptionTimes;
  readonly #random: () => number;
  #streamerId: string;
  #state: State = { kind: 'listing' };
  #iceServers: readonly IceServer[] = [];
  #attempts = 0;
  #misses = 0;
  #offers = 0;
  #candidates = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #listedMs = Number.NEGATIVE_INFINITY;
  #pingedMs: number | undefined;

  constructor(
    streamerId: string,
    options: { readonly times?: Partial<SubscriptionTimes>; readonly random?: () => number } = {},
  ) {
    this.#streamerId = streamerId;
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.#random = options.random ?? Math.random;
  }

  /** The media of this subscription is good: the next failure is the first again. */
  healthy(): void {
    this.#attempts = 0;
    this.#offers = 0;
  }

  /** Periodic work; call it a few times a second. */
  tick(nowMs: number): Reaction {
    const send: SignallingMessage[] = [];
    this.#pingedMs ??= nowMs;
    if (nowMs - this.#pingedMs >= this.#times.pingEveryMs) {
      this.#pingedMs = nowMs;
      send.push({ type: 'ping', time: Date.now() });
    }
    if (
      this.#state.kind === 'awaiting-offer' &&
      nowMs - this.#state.sinceMs >= this.#times.offerTimeoutMs
    ) {
      const over = this.resubscribe('the streamer sent no offer', nowMs);
      return { send: [...send, ...over.send], events: over.events };
    }
    if (nowMs - this.#listedMs >= this.#times.listEveryMs) {
      this.#listedMs = nowMs;
      send.push({ type: 'listStreamers' });
    }
    return { send, events: [] };
  }

  /** Takes a message of the server. */
  receive(message: SignallingMessage, nowMs: number): Reaction {
    const isListing = this.#state.kind === 'listing';
    if (message.type === 'config') {
      this.#iceServers = parseIceServers(message.peerConnectionOptions);
    } else if (message.type === 'streamerIdChanged') {
      this.#streamerId = message.newID;
    } else if (message.type === 'streamerList') {
      return this.#listed(message.ids, nowMs);
    } else if (message.type === 'offer') {
      return this.#offered(message.sdp, nowMs);
    } else if (message.type === 'iceCandidate' && this.#state.kind === 'offered') {
      return this.#candidate(message.candidate?.candidate ?? '');
    } else if (message.type === 'subscribeFailed' && !isListing) {
      return this.#giveUp(message.message, nowMs);
    } else if (message.type === 'streamerDisconnected' && !isListing) {
      return this.#giveUp('the streamer disconnected', nowMs);
    }
    return NOTHING; // the rest is not for a player, or of no interest to this one
  }

  /** Ends the subscription and tries again after a back-off: the way to get a fresh peer. */
  resubscribe(reason: string, nowMs: number): Reaction {
    if (this.#state.kind === 'listing') {
      return NOTHING;
    }
    const { events } = this.#giveUp(reason, nowMs);
    return { send: [{ type: 'unsubscribe' }], events };
  }

  #giveUp(reason: string, nowMs: number): Reaction {
    this.#state = { kind: 'listing' };
    this.#retryAtMs = nowMs + backoffMs(this.#attempts, { random: this.#random });
    this.#attempts += 1;
    return { send: [], events: [{ kind: 'lost', reason }] };
  }

  #listed(ids: readonly string[], nowMs: number): Reaction {
    const isListed = ids.includes(this.#streamerId);
    if (this.#state.kind !== 'listing') {
      this.#misses = isListed ? 0 : this.#misses + 1;
      return this.#misses < MISSES_UNTIL_GONE
        ? NOTHING
        : this.resubscribe('the streamer is gone', nowMs);
    }
    if (!isListed) {
      return { send: [], events: [{ kind: 'waiting', reason: 'the streamer is not connected' }] };
    }
    if (nowMs < this.#retryAtMs) {
      return NOTHING;
    }
    this.#misses = 0;
    this.#offers = 0;
    this.#state = { kind: 'awaiting-offer', sinceMs: nowMs };
    const streamerId = this.#streamerId;
    return {
      send: [{ type: 'subscribe', streamerId }],
      events: [{ kind: 'subscribed', streamerId }],
    };
  }

  /** A second offer on a subscription replaces the peer (pixel-streaming.md §5.5). */
  #offered(sdp: string, nowMs: number): Reaction {
    if (this.#state.kind === 'listing') {
      return NOTHING;
    }
    this.#offers += 1;
    if (this.#offers > MAX_OFFERS) {
      return this.resubscribe('the streamer offers again and again', nowMs);
    }
    this.#candidates = 0;
    this.#state = { kind: 'offered' };
    return { send: [], events: [{ kind: 'offer', sdp, iceServers: this.#iceServers }] };
  }

  #candidate(candidate: string): Reaction {
    if (candidate === '' || this.#candidates >= MAX_CANDIDATES) {
      return NOTHING;
    }
    this.#candidates += 1;
    return { send: [], events: [{ kind: 'candidate', candidate }] };
  }
}
