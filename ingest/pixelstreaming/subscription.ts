/**
 * The player's side of Epic's signalling as a state machine: finds the wanted streamer in the
 * list, subscribes, waits for its offer, and starts over when any of that fails. Pure: messages
 * and time in, messages and events out. Leaves the socket to signallingClient.ts and the media's
 * health to the session, which calls `resubscribe`.
 */
import { backoffMs } from '../../infra/kernel/lifecycle.ts';
import type { SignallingMessage } from '../../signalling/protocol/index.ts';
import { type IceOptions, parseIceOptions } from './iceServers.ts';

/** What the session learns. */
export type SubscriptionEvent =
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'subscribed'; readonly streamerId: string }
  | { readonly kind: 'offer'; readonly sdp: string; readonly ice: IceOptions }
  /** No offer came: the streamer may be of the kind that waits for one (UE 4.26, 4.27). */
  | { readonly kind: 'offer-wanted'; readonly ice: IceOptions }
  | { readonly kind: 'answer'; readonly sdp: string }
  | { readonly kind: 'candidate'; readonly candidate: string }
  /** The subscription is over; the peer it made is of no use any more. */
  | { readonly kind: 'lost'; readonly reason: string };

/** What follows from an input. */
export type Reaction = {
  readonly send: readonly SignallingMessage[];
  readonly events: readonly SubscriptionEvent[];
  /** Nothing more comes of this connection: another one has to be made. */
  readonly isOver?: boolean;
};

/**
 * What a server understands. `listed`: listStreamers and subscribe (ours, Wilbur, SPS, Cirrus from
 * 5.2). `unasked`: nothing but media negotiation, anything else closes the connection with 1008;
 * whoever connects is a player of the only streamer (Cirrus up to 5.1).
 */
export type Dialect = 'listed' | 'unasked';

/** What the next connection tries, after one that ended with WebSocket close code `code`. */
export function nextDialect(dialect: Dialect, code: number, hasListed: boolean): Dialect {
  if (code !== REFUSED || hasListed) {
    return dialect;
  }
  return dialect === 'listed' ? 'unasked' : 'listed';
}

/** Intervals of the machine (ms). */
export type SubscriptionTimes = {
  readonly listEveryMs: number;
  readonly offerTimeoutMs: number;
  /** From an offer of ours to its answer. */
  readonly answerTimeoutMs: number;
};

const DEFAULT_TIMES: SubscriptionTimes = {
  listEveryMs: 1000,
  offerTimeoutMs: 5000,
  answerTimeoutMs: 3000,
};
/** WebSocket close code "policy violation", Cirrus' answer to a message that it does not know. */
const REFUSED = 1008;
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
  | { readonly kind: 'awaiting-answer'; readonly sinceMs: number }
  | { readonly kind: 'offered' };

/** One connection's machine; time is a parameter (ms, any origin). */
export class Subscription {
  readonly #times: SubscriptionTimes;
  readonly #random: () => number;
  readonly #dialect: Dialect;
  /** Whose id is wanted; the first in the list where nobody's is. */
  #wantedId: string | undefined;
  #streamerId: string | undefined;
  #hasListed = false;
  #state: State = { kind: 'listing' };
  #ice: IceOptions = { iceServers: [], isRelayOnly: false };
  #attempts = 0;
  #misses = 0;
  #offers = 0;
  #candidates = 0;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #listedMs = Number.NEGATIVE_INFINITY;

  constructor(
    streamerId: string | undefined,
    options: {
      readonly dialect?: Dialect;
      readonly times?: Partial<SubscriptionTimes>;
      readonly random?: () => number;
    } = {},
  ) {
    this.#wantedId = streamerId;
    this.#dialect = options.dialect ?? 'listed';
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.#random = options.random ?? Math.random;
  }

  /** Whether the server has answered with a list: it is not one of those that refuse to. */
  get hasListed(): boolean {
    return this.#hasListed;
  }

  /** The media of this subscription is good: the next failure is the first again. */
  healthy(): void {
    this.#attempts = 0;
    this.#offers = 0;
  }

  /** Periodic work; call it a few times a second. */
  tick(nowMs: number): Reaction {
    const { offerTimeoutMs, answerTimeoutMs, listEveryMs } = this.#times;
    if (this.#state.kind === 'awaiting-offer' && nowMs - this.#state.sinceMs >= offerTimeoutMs) {
      this.#state = { kind: 'awaiting-answer', sinceMs: nowMs };
      this.#candidates = 0;
      return { send: [], events: [{ kind: 'offer-wanted', ice: this.#ice }] };
    }
    if (this.#state.kind === 'awaiting-answer' && nowMs - this.#state.sinceMs >= answerTimeoutMs) {
      return this.resubscribe('the streamer sent no offer and answered none', nowMs);
    }
    if (this.#dialect === 'listed' && nowMs - this.#listedMs >= listEveryMs) {
      this.#listedMs = nowMs;
      return { send: [{ type: 'listStreamers' }], events: [] };
    }
    return NOTHING;
  }

  /** Takes a message of the server. */
  receive(message: SignallingMessage, nowMs: number): Reaction {
    if (message.type === 'config') {
      return this.#configured(parseIceOptions(message.peerConnectionOptions), nowMs);
    }
    if (message.type === 'streamerList') {
      return this.#listed(message.ids, nowMs);
    }
    if (message.type === 'streamerIdChanged') {
      this.#renamed(message.newID);
    } else if (message.type === 'ping') {
      return { send: [{ type: 'pong', time: message.time }], events: [] };
    } else if (message.type === 'subscribeFailed' || message.type === 'streamerDisconnected') {
      const reason =
        message.type === 'subscribeFailed' ? message.message : 'the streamer disconnected';
      return this.#state.kind === 'listing' ? NOTHING : this.#giveUp(reason, nowMs);
    }
    return this.#negotiated(message, nowMs);
  }

  /** Ends the subscription and tries again after a back-off: the way to get a fresh peer. */
  resubscribe(reason: string, nowMs: number): Reaction {
    if (this.#state.kind === 'listing') {
      return NOTHING;
    }
    const over = this.#giveUp(reason, nowMs);
    return this.#dialect === 'listed' ? { ...over, send: [{ type: 'unsubscribe' }] } : over;
  }

  #negotiated(message: SignallingMessage, nowMs: number): Reaction {
    if (message.type === 'offer') {
      return this.#offered(message.sdp, nowMs);
    }
    if (message.type === 'answer') {
      return this.#answered(message.sdp);
    }
    // The rest is not for a player, or of no interest to this one.
    return message.type === 'iceCandidate'
      ? this.#candidate(message.candidate?.candidate ?? '')
      : NOTHING;
  }

  #giveUp(reason: string, nowMs: number): Reaction {
    this.#state = { kind: 'listing' };
    this.#retryAtMs = nowMs + backoffMs(this.#attempts, { random: this.#random });
    this.#attempts += 1;
    this.#streamerId = undefined;
    const events = [{ kind: 'lost', reason }] as const;
    return { send: [], events, isOver: this.#dialect === 'unasked' };
  }

  /** A server that cannot be asked has made a player of who connects. */
  #configured(ice: IceOptions, nowMs: number): Reaction {
    this.#ice = ice;
    if (this.#dialect === 'listed' || this.#state.kind !== 'listing') {
      return NOTHING;
    }
    this.#state = { kind: 'awaiting-offer', sinceMs: nowMs };
    const streamerId = this.#wantedId ?? 'the only one';
    return { send: [], events: [{ kind: 'subscribed', streamerId }] };
  }

  #renamed(streamerId: string): void {
    this.#streamerId = streamerId;
    this.#wantedId = this.#wantedId === undefined ? undefined : streamerId;
  }

  #listed(ids: readonly string[], nowMs: number): Reaction {
    this.#hasListed = true;
    const streamerId = this.#streamerId ?? this.#wantedId ?? ids[0];
    const isListed = streamerId !== undefined && ids.includes(streamerId);
    if (this.#state.kind !== 'listing') {
      this.#misses = isListed ? 0 : this.#misses + 1;
      return this.#misses < MISSES_UNTIL_GONE
        ? NOTHING
        : this.resubscribe('the streamer is gone', nowMs);
    }
    if (!isListed) {
      const who = this.#wantedId === undefined ? 'no streamer is' : 'the streamer is not';
      return { send: [], events: [{ kind: 'waiting', reason: `${who} connected` }] };
    }
    if (nowMs < this.#retryAtMs) {
      return NOTHING;
    }
    this.#misses = 0;
    this.#offers = 0;
    this.#state = { kind: 'awaiting-offer', sinceMs: nowMs };
    this.#streamerId = streamerId;
    return {
      send: [{ type: 'subscribe', streamerId }],
      events: [{ kind: 'subscribed', streamerId }],
    };
  }

  /** A second offer on a subscription replaces the peer (pixel-streaming.md §5.5). */
  #offered(sdp: string, nowMs: number): Reaction {
    if (this.#state.kind === 'listing' && this.#dialect === 'listed') {
      return NOTHING;
    }
    this.#offers += 1;
    if (this.#offers > MAX_OFFERS) {
      return this.resubscribe('the streamer offers again and again', nowMs);
    }
    this.#candidates = 0;
    this.#state = { kind: 'offered' };
    return { send: [], events: [{ kind: 'offer', sdp, ice: this.#ice }] };
  }

  #answered(sdp: string): Reaction {
    if (this.#state.kind !== 'awaiting-answer') {
      return NOTHING;
    }
    this.#state = { kind: 'offered' };
    return { send: [], events: [{ kind: 'answer', sdp }] };
  }

  #candidate(candidate: string): Reaction {
    const isNegotiating = this.#state.kind === 'offered' || this.#state.kind === 'awaiting-answer';
    if (!isNegotiating || candidate === '' || this.#candidates >= MAX_CANDIDATES) {
      return NOTHING;
    }
    this.#candidates += 1;
    return { send: [], events: [{ kind: 'candidate', candidate }] };
  }
}
