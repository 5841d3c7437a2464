/**
 * Epic's signalling messages (protocol 1.3.0, UE 4.26 to 5.7) as types, and the one parser from
 * `unknown`. Browser-safe leaf: no Node, no dependency. Leaves to the caller who may send what.
 */

/** An `RTCIceCandidateInit` as peers send it; UE omits `usernameFragment`. */
export type IceCandidateData = {
  readonly candidate: string;
  readonly sdpMid?: string | null;
  readonly sdpMLineIndex?: number | null;
  readonly usernameFragment?: string | null;
};

/** An `RTCConfiguration`, passed through untouched; `urls` must be arrays for Epic's frontend. */
export type PeerConnectionOptions = Readonly<Record<string, unknown>>;

/**
 * Every message of the protocol. S streamer, P player, F SFU, X this server. Optional fields are
 * absent, never undefined. Ids are text; a numeric `playerId` (UE 4.x) is read as text.
 */
export type SignallingMessage =
  /** X to S, P, F: first on every connection; a player starts its peer connection on it. */
  | {
      readonly type: 'config';
      readonly peerConnectionOptions: PeerConnectionOptions;
      readonly protocolVersion?: string;
    }
  /** X to S, F: asks for `endpointId`. */
  | { readonly type: 'identify' }
  /** S, F to X: the wanted id; may come at any time and again (a rename). */
  | { readonly type: 'endpointId'; readonly id: string; readonly protocolVersion?: string }
  /** X to S, F: the id that was given. */
  | { readonly type: 'endpointIdConfirm'; readonly committedId: string }
  /** X to P, F: the streamer that you watch has another id now. */
  | { readonly type: 'streamerIdChanged'; readonly newID: string }
  /** P, F to X. */
  | { readonly type: 'listStreamers' }
  /** X to P, F. */
  | { readonly type: 'streamerList'; readonly ids: readonly string[] }
  /** P, F to X. */
  | { readonly type: 'subscribe'; readonly streamerId: string }
  /** P, F to X. */
  | { readonly type: 'unsubscribe' }
  /** X to P: shown to the user; Epic's frontend stops to reconnect. */
  | { readonly type: 'subscribeFailed'; readonly message: string }
  /** X to S, F: make a peer connection and offer. */
  | {
      readonly type: 'playerConnected';
      readonly playerId: string;
      readonly dataChannel: boolean;
      readonly sfu: boolean;
    }
  /** X to S, F. */
  | { readonly type: 'playerDisconnected'; readonly playerId: string }
  /** S to P by X (with `playerId`); P to S for UE 4.26 and 4.27. */
  | {
      readonly type: 'offer';
      readonly sdp: string;
      readonly playerId?: string;
      readonly sfu?: boolean;
      readonly multiplex?: boolean;
      readonly scalabilityMode?: string;
    }
  /** P to S by X; bit rates in bit/s, 0 for no preference. */
  | {
      readonly type: 'answer';
      readonly sdp: string;
      readonly playerId?: string;
      readonly minBitrateBps?: number;
      readonly maxBitrateBps?: number;
    }
  /** Both ways by X; `null` or an empty candidate is the end of candidates. */
  | {
      readonly type: 'iceCandidate';
      readonly candidate: IceCandidateData | null;
      readonly playerId?: string;
    }
  /** S to X: closes that player's socket with 1011 and the reason. */
  | { readonly type: 'disconnectPlayer'; readonly playerId: string; readonly reason?: string }
  /** S, P, F to X; UE sends seconds, the frontend milliseconds. */
  | { readonly type: 'ping'; readonly time: number }
  /** X's answer with the same `time`. */
  | { readonly type: 'pong'; readonly time: number }
  /** X to F. */
  | { readonly type: 'streamerDisconnected' }
  /** P to S by X; the frontend sends it after every offer. */
  | {
      readonly type: 'layerPreference';
      readonly spatialLayer: number;
      readonly temporalLayer: number;
      readonly playerId?: string;
    }
  /** P to F by X. */
  | { readonly type: 'dataChannelRequest'; readonly playerId?: string }
  /** P to F by X. */
  | { readonly type: 'peerDataChannelsReady'; readonly playerId?: string }
  /** F to P by X. */
  | {
      readonly type: 'peerDataChannels';
      readonly playerId?: string;
      readonly sendStreamId: number;
      readonly recvStreamId: number;
    }
  /** F to S by X. */
  | {
      readonly type: 'streamerDataChannels';
      readonly playerId?: string;
      readonly sfuId?: string;
      readonly sendStreamId: number;
      readonly recvStreamId: number;
    }
  /** F to X. */
  | { readonly type: 'startStreaming' }
  /** F to X. */
  | { readonly type: 'stopStreaming' }
  /** X to P in Cirrus only; never sent by us, Epic's SS_Test fails on it. */
  | { readonly type: 'playerCount'; readonly count: number }
  /**
   * Ours, not Epic's. P to X: asks for the seat; X to P: tells its holder who asks. These three are
   * sent to players only where seats are kept, and then only because a player began.
   */
  | { readonly type: 'seatRequest'; readonly streamerId: string; readonly playerId?: string }
  /** Ours. P to X: the holder offers the seat to that player; X to P: that player offers it to you. */
  | { readonly type: 'seatOffer'; readonly streamerId: string; readonly playerId: string }
  /** Ours. P to X: takes the offered seat. */
  | { readonly type: 'seatAccept'; readonly streamerId: string }
  /** P to X, deprecated. */
  | { readonly type: 'stats'; readonly data?: unknown }
  /** X to P in Cirrus up to 5.1. */
  | { readonly type: 'warning'; readonly warning: string };

/** The discriminator. */
export type SignallingType = SignallingMessage['type'];

/** One message by its type. */
export type MessageOf<T extends SignallingType> = Extract<SignallingMessage, { readonly type: T }>;

/** A message as it came: every field, also those we do not know, for forwarding. */
export type RawMessage = Readonly<Record<string, unknown>>;

/** What a frame holds. An invalid frame that named a known type keeps its type and fields. */
export type ParsedMessage =
  | { readonly kind: 'message'; readonly message: SignallingMessage; readonly raw: RawMessage }
  | { readonly kind: 'unknown'; readonly type: string }
  | {
      readonly kind: 'invalid';
      readonly reason: string;
      readonly type?: SignallingType;
      readonly raw?: RawMessage;
    };

/** Longest id, in UTF-16 units. Ours; Epic sets none. */
export const MAX_ID_LENGTH = 256;
/** Longest SDP, in UTF-16 units. UE's offers are 5 to 12 thousand. */
export const MAX_SDP_LENGTH = 256 * 1024;
const MAX_TEXT_LENGTH = 4096;
const MAX_LIST_LENGTH = 4096;
/** Deep nesting is refused so that writing the raw message again cannot exhaust the stack. */
const MAX_DEPTH = 32;

/**
 * Reads one frame: its text, or a value that was already parsed from JSON. Never throws. Unknown
 * fields are kept in `raw` and left out of `message`.
 */
export function parseMessage(input: unknown): ParsedMessage {
  const value = typeof input === 'string' ? parseJson(input) : input;
  if (!isRecord(value)) {
    return { kind: 'invalid', reason: 'not a JSON object' };
  }
  // Cirrus up to UE 5.4 spells it so.
  const type = value['type'] === 'streamerIDChanged' ? 'streamerIdChanged' : value['type'];
  if (typeof type !== 'string') {
    return { kind: 'invalid', reason: 'type is not text' };
  }
  if (!isKnownType(type)) {
    return { kind: 'unknown', type: type.slice(0, MAX_ID_LENGTH) };
  }
  if (!isShallow(value)) {
    return { kind: 'invalid', type, reason: `nested deeper than ${MAX_DEPTH}` };
  }
  return parseFields(type, value);
}

/** The text frame of a message. */
export function renderMessage(message: SignallingMessage): string {
  return JSON.stringify(message);
}

type Field<T> = {
  readonly required: boolean;
  readonly expects: string;
  /** The value of the field, or undefined when it does not fit. */
  readonly read: (value: unknown) => T | undefined;
};
type FieldsOf<M> = {
  readonly [K in Exclude<keyof M, 'type'>]-?: Field<Exclude<M[K], undefined>>;
};

function field<T>(expects: string, read: (value: unknown) => T | undefined): Field<T> {
  return { required: true, expects, read };
}
function optional<T>(of: Field<T>): Field<T> {
  return { ...of, required: false };
}
function text(maxLength: number): Field<string> {
  return field(`text of at most ${maxLength} characters`, (value) =>
    typeof value === 'string' && value.length <= maxLength ? value : undefined,
  );
}

const shortText = text(MAX_TEXT_LENGTH);
const id = text(MAX_ID_LENGTH);
const sdp = text(MAX_SDP_LENGTH);
const number = field('a finite number', (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined,
);
const flag = field('true or false', (value) => (typeof value === 'boolean' ? value : undefined));
/** UE 4.x keeps player ids as integers; Cirrus reads both. */
const playerId = field(`an id of at most ${MAX_ID_LENGTH} characters`, (value) =>
  Number.isSafeInteger(value) ? String(value) : id.read(value),
);
const idList = field('a list of ids', (value) =>
  Array.isArray(value) && value.length <= MAX_LIST_LENGTH && value.every(isText)
    ? value
    : undefined,
);
const options: Field<PeerConnectionOptions> = field('an object', (value) =>
  isRecord(value) ? value : undefined,
);
const candidate = field('an ICE candidate or null', readCandidate);
const anything: Field<unknown> = field('anything', (value) => value);

const NO_FIELDS = {};
const STREAM_IDS = { sendStreamId: number, recvStreamId: number };

const MESSAGES: { readonly [T in SignallingType]: FieldsOf<MessageOf<T>> } = {
  config: { peerConnectionOptions: options, protocolVersion: optional(shortText) },
  identify: NO_FIELDS,
  endpointId: { id, protocolVersion: optional(shortText) },
  endpointIdConfirm: { committedId: id },
  streamerIdChanged: { newID: id },
  listStreamers: NO_FIELDS,
  streamerList: { ids: idList },
  subscribe: { streamerId: id },
  unsubscribe: NO_FIELDS,
  subscribeFailed: { message: shortText },
  playerConnected: { playerId, dataChannel: flag, sfu: flag },
  playerDisconnected: { playerId },
  offer: {
    sdp,
    playerId: optional(playerId),
    sfu: optional(flag),
    multiplex: optional(flag),
    scalabilityMode: optional(shortText),
  },
  answer: {
    sdp,
    playerId: optional(playerId),
    minBitrateBps: optional(number),
    maxBitrateBps: optional(number),
  },
  iceCandidate: { candidate, playerId: optional(playerId) },
  disconnectPlayer: { playerId, reason: optional(shortText) },
  ping: { time: number },
  pong: { time: number },
  streamerDisconnected: NO_FIELDS,
  layerPreference: { spatialLayer: number, temporalLayer: number, playerId: optional(playerId) },
  dataChannelRequest: { playerId: optional(playerId) },
  peerDataChannelsReady: { playerId: optional(playerId) },
  peerDataChannels: { playerId: optional(playerId), ...STREAM_IDS },
  seatRequest: { streamerId: id, playerId: optional(playerId) },
  seatOffer: { streamerId: id, playerId },
  seatAccept: { streamerId: id },
  streamerDataChannels: { playerId: optional(playerId), sfuId: optional(playerId), ...STREAM_IDS },
  startStreaming: NO_FIELDS,
  stopStreaming: NO_FIELDS,
  playerCount: { count: number },
  stats: { data: optional(anything) },
  warning: { warning: shortText },
};

/** Every type of the protocol. */
export const SIGNALLING_TYPES = Object.keys(MESSAGES) as readonly SignallingType[];

function parseFields(type: SignallingType, raw: RawMessage): ParsedMessage {
  const message: Record<string, unknown> = { type };
  const fields: Readonly<Record<string, Field<unknown>>> = MESSAGES[type];
  for (const [name, { required, expects, read }] of Object.entries(fields)) {
    const given = Object.hasOwn(raw, name) ? raw[name] : undefined;
    const isAbsent = given === undefined || (given === null && !required);
    const value = isAbsent ? undefined : read(given);
    if (value !== undefined) {
      message[name] = value;
    } else if (required || !isAbsent) {
      return { kind: 'invalid', type, raw, reason: `${type}.${name} is not ${expects}` };
    }
  }
  // The table above is checked field by field against the union, so this is the one cast.
  return { kind: 'message', message: message as SignallingMessage, raw };
}

function readCandidate(value: unknown): IceCandidateData | null | undefined {
  if (value === null) {
    return null;
  }
  if (!isRecord(value)) {
    return undefined;
  }
  const { candidate: line, sdpMid, sdpMLineIndex, usernameFragment } = value;
  const isValid =
    isText(line) &&
    (sdpMid == null || isText(sdpMid)) &&
    (sdpMLineIndex == null || isIndex(sdpMLineIndex)) &&
    (usernameFragment == null || isText(usernameFragment));
  // Nothing is added: a candidate goes to the peer's WebRTC stack with the fields it came with.
  return isValid ? (value as IceCandidateData) : undefined;
}

function parseJson(frame: string): unknown {
  try {
    return JSON.parse(frame) as unknown;
  } catch {
    return undefined;
  }
}

function isShallow(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'object' && value !== null) {
        for (const child of Object.values(value)) {
          next.push(child);
        }
      }
    }
    if (next.length === 0) {
      return true;
    }
    level = next;
  }
  return false;
}

function isKnownType(type: string): type is SignallingType {
  return Object.hasOwn(MESSAGES, type);
}
function isRecord(value: unknown): value is RawMessage {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT_LENGTH;
}
function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff;
}
