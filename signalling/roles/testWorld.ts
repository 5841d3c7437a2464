/** The rules without sockets, for tests: names for connections, and effects as lines of text. */
import { ANYONE, type Identity } from '../admission.ts';
import { parseMessage, type RawMessage } from '../protocol/index.ts';
import { EMPTY_REGISTRY, type Registry } from '../registry.ts';
import type { OrderOutcome } from './handover.ts';
import type { OperatorOrder } from './orders.ts';
import { type ConnectionEvent, type HouseEvent, order, type Role, step } from './step.ts';
import type { Effect, Rules } from './turn.ts';

/** Any SDP will do. */
export const SDP = 'v=0\r\n';
/** Wilbur's semantics. */
export const OPEN: Rules = {
  mode: 'open',
  maxPlayers: 0,
  collision: 'suffix',
  isReplicated: false,
  peerConnectionOptions: () => ({}),
};
/** One presenter at a time. */
export const PRESENTER: Rules = { ...OPEN, mode: 'presenter' };

/** What a connection brings along. */
export type Arrival = Partial<
  Pick<Extract<ConnectionEvent, { kind: 'connected' }>, 'identity' | 'traits'>
>;

/** Someone with a token. */
export function known(
  subject: string,
  rest: Partial<Identity> = {},
): { readonly identity: Identity } {
  return { identity: { kind: 'identity', role: 'presenter', subject, ...rest } };
}

const ROLES: Readonly<Record<string, Role>> = {
  s: 'streamer',
  p: 'player',
  i: 'ingest',
  f: 'sfu',
};

/** The machine: `s1` is a streamer, `p1` a player, `i1` the ingest, `f1` an SFU. */
export class World {
  registry: Registry = EMPTY_REGISTRY;
  /** Every effect so far. */
  readonly effects: Effect[] = [];
  readonly #rules: Rules;
  readonly #names: string[] = [];

  constructor(rules: Rules = OPEN) {
    this.#rules = rules;
  }

  connect(name: string, arrival: Arrival = {}): string[] {
    this.#names.push(name);
    return this.happen({
      kind: 'connected',
      connection: this.#names.length,
      role: ROLES[name[0] ?? ''] ?? 'player',
      remoteAddress: '10.0.0.1',
      identity: ANYONE,
      ...arrival,
    });
  }
  says(name: string, message: unknown): string[] {
    return this.happen({
      kind: 'received',
      connection: this.id(name),
      parsed: parseMessage(message),
    });
  }
  closes(name: string): string[] {
    return this.happen({ kind: 'closed', connection: this.id(name) });
  }
  waits(name: string): string[] {
    return this.happen({ kind: 'identifyTimedOut', connection: this.id(name) });
  }
  isSilent(name: string): string[] {
    return this.happen({ kind: 'silent', connection: this.id(name) });
  }
  probed(name: string, isAlive: boolean): string[] {
    return this.happen({ kind: 'probed', connection: this.id(name), isAlive });
  }
  claimed(name: string, streamerId: string, isGranted: boolean): string[] {
    return this.happen({ kind: 'claimed', connection: this.id(name), streamerId, isGranted });
  }
  /** The grace of that streamer's seat ends. */
  graceEnds(streamerId: string): string[] {
    const epoch = this.registry.seats.get(streamerId)?.epoch ?? 0;
    return this.happen({ kind: 'graceOver', streamerId, epoch });
  }
  /** A streamer `s...` that goes by `streamerId`. */
  streamer(name: string, streamerId: string): this {
    this.connect(name);
    this.says(name, { type: 'endpointId', id: streamerId });
    return this;
  }
  player(name: string, streamerId: string, arrival: Arrival = {}): this {
    this.connect(name, arrival);
    this.says(name, { type: 'subscribe', streamerId });
    return this;
  }
  orders(wish: OperatorOrder): { readonly outcome: OrderOutcome; readonly lines: string[] } {
    const { registry, effects, outcome } = order(this.registry, wish, this.#rules);
    return { outcome, lines: this.#take(registry, effects) };
  }
  happen(event: ConnectionEvent | HouseEvent): string[] {
    const { registry, effects } = step(this.registry, event, this.#rules);
    return this.#take(registry, effects);
  }
  id(name: string): number {
    return this.#names.indexOf(name) + 1;
  }

  #take(registry: Registry, effects: readonly Effect[]): string[] {
    this.registry = registry;
    this.effects.push(...effects);
    return effects.map((effect) => this.#text(effect));
  }
  #text(effect: Effect): string {
    const name = (connection: number): string => this.#names[connection - 1] ?? '?';
    switch (effect.kind) {
      case 'send': {
        const { type, ...fields } = effect.message as RawMessage;
        return `${name(effect.to)} <- ${String(type)} ${JSON.stringify(fields)}`;
      }
      case 'close':
        return `${name(effect.connection)} closed ${effect.code} ${effect.reason}`;
      case 'notify': {
        const { kind, ...fields } = effect.event;
        return `! ${kind} ${Object.values(fields).join(' ')}`;
      }
      case 'ignored':
        return `ignored ${effect.why}: ${effect.detail}`;
      case 'probe':
        return `probe ${name(effect.connection)}`;
      case 'claim':
        return `claim ${effect.streamerId} for ${name(effect.connection)}`;
      case 'unclaim':
        return `unclaim ${effect.streamerId}`;
      case 'startGrace':
        return `grace for ${effect.streamerId}`;
      case 'saveSeat':
        return `save seat ${effect.streamerId} ${effect.seat?.state ?? 'free'}`;
      case 'relay':
        return `${name(effect.connection)} -> ${effect.replica} ${JSON.stringify(effect.message)}`;
    }
  }
}
