/**
 * The Protocol maps of the data channel: which name has which id and structure. Epic's defaults,
 * and what a streamer sends over them when the channel opens (message 255, once per direction).
 */

/** A packed field. `raw` (UE master) is not in any released frontend and not read. */
export type FieldType = 'uint8' | 'uint16' | 'int16' | 'float' | 'double' | 'string';

/** Id (0 to 255) and fields of a message to the streamer. */
export type MessageLayout = { readonly id: number; readonly structure: readonly FieldType[] };

/** Messages to the streamer by name. */
export type ToStreamerProtocol = ReadonlyMap<string, MessageLayout>;

/** Ids of messages from the streamer by name. */
export type FromStreamerProtocol = ReadonlyMap<string, number>;

/** Both maps of one data channel. */
export type DataChannelProtocol = {
  readonly toStreamer: ToStreamerProtocol;
  readonly fromStreamer: FromStreamerProtocol;
};

/** The maps before a streamer says otherwise: the frontend's `populateDefaultProtocol`. */
export const DEFAULT_PROTOCOL: DataChannelProtocol = {
  toStreamer: new Map<string, MessageLayout>([
    ['IFrameRequest', { id: 0, structure: [] }],
    ['RequestQualityControl', { id: 1, structure: [] }],
    ['FpsRequest', { id: 2, structure: [] }],
    ['AverageBitrateRequest', { id: 3, structure: [] }],
    ['StartStreaming', { id: 4, structure: [] }],
    ['StopStreaming', { id: 5, structure: [] }],
    ['LatencyTest', { id: 6, structure: ['string'] }],
    ['RequestInitialSettings', { id: 7, structure: [] }],
    ['TestEcho', { id: 8, structure: [] }],
    // The frontend's default has no field, yet it always sends one; UE's own map says string.
    ['DataChannelLatencyTest', { id: 9, structure: ['string'] }],
    ['UIInteraction', { id: 50, structure: ['string'] }],
    ['Command', { id: 51, structure: ['string'] }],
    ['TextboxEntry', { id: 52, structure: ['string'] }],
    ['KeyDown', { id: 60, structure: ['uint8', 'uint8'] }],
    ['KeyUp', { id: 61, structure: ['uint8'] }],
    ['KeyPress', { id: 62, structure: ['uint16'] }],
    ['MouseEnter', { id: 70, structure: [] }],
    ['MouseLeave', { id: 71, structure: [] }],
    ['MouseDown', { id: 72, structure: ['uint8', 'uint16', 'uint16'] }],
    ['MouseUp', { id: 73, structure: ['uint8', 'uint16', 'uint16'] }],
    ['MouseMove', { id: 74, structure: ['uint16', 'uint16', 'int16', 'int16'] }],
    ['MouseWheel', { id: 75, structure: ['int16', 'uint16', 'uint16'] }],
    ['MouseDouble', { id: 76, structure: ['uint8', 'uint16', 'uint16'] }],
    // Count (always 1: the frontend sends a message per finger), x, y, finger, force, in range.
    ['TouchStart', { id: 80, structure: ['uint8', 'uint16', 'uint16', 'uint8', 'uint8', 'uint8'] }],
    ['TouchEnd', { id: 81, structure: ['uint8', 'uint16', 'uint16', 'uint8', 'uint8', 'uint8'] }],
    ['TouchMove', { id: 82, structure: ['uint8', 'uint16', 'uint16', 'uint8', 'uint8', 'uint8'] }],
    ['GamepadButtonPressed', { id: 90, structure: ['uint8', 'uint8', 'uint8'] }],
    ['GamepadButtonReleased', { id: 91, structure: ['uint8', 'uint8', 'uint8'] }],
    ['GamepadAnalog', { id: 92, structure: ['uint8', 'uint8', 'double'] }],
    ['GamepadConnected', { id: 93, structure: [] }],
    ['GamepadDisconnected', { id: 94, structure: ['uint8'] }],
  ]),
  fromStreamer: new Map([
    ['QualityControlOwnership', 0],
    ['Response', 1],
    ['Command', 2],
    ['FreezeFrame', 3],
    ['UnfreezeFrame', 4],
    ['VideoEncoderAvgQP', 5],
    ['LatencyTest', 6],
    ['InitialSettings', 7],
    ['FileExtension', 8],
    ['FileMimeType', 9],
    ['FileContents', 10],
    ['TestEcho', 11],
    ['InputControlOwnership', 12],
    ['GamepadResponse', 13],
    ['DataChannelLatencyTest', 14],
    ['Protocol', 255],
  ]),
};

/** Structures that UE 5.1 and 5.2 leave out although they exist: never overridden. */
const FIXED_STRUCTURES = new Set(['UIInteraction', 'Command', 'LatencyTest']);
const FIELD_TYPES: ReadonlySet<unknown> = new Set<FieldType>([
  'uint8',
  'uint16',
  'int16',
  'float',
  'double',
  'string',
]);
const MAX_TEXT_LENGTH = 65_536;
const MAX_ENTRIES = 256;
const MAX_FIELDS = 32;
const MAX_NAME_LENGTH = 128;

/** What became of a Protocol message. */
export type MergedProtocol =
  | { readonly kind: 'merged'; readonly protocol: DataChannelProtocol }
  | { readonly kind: 'invalid'; readonly reason: string };

/**
 * Lays the text of a Protocol message over `current`. Entries that do not fit are left out, since
 * JSStreamer sends a bare `{"Direction":1}` and UE adds fields; a new name takes over an id.
 */
export function mergeProtocol(current: DataChannelProtocol, text: string): MergedProtocol {
  const value = text.length <= MAX_TEXT_LENGTH ? parseJson(text) : undefined;
  if (!isRecord(value)) {
    return { kind: 'invalid', reason: 'Protocol is not a JSON object' };
  }
  const direction = value['Direction'];
  const entries = Object.entries(value).slice(0, MAX_ENTRIES);
  if (direction === 0) {
    return { kind: 'merged', protocol: { ...current, toStreamer: mergeTo(current, entries) } };
  }
  if (direction === 1) {
    return { kind: 'merged', protocol: { ...current, fromStreamer: mergeFrom(current, entries) } };
  }
  return { kind: 'invalid', reason: 'Protocol has no Direction' };
}

/** The two texts that a streamer sends when the channel opens: to the streamer, then from it. */
export function renderProtocol(protocol: DataChannelProtocol): readonly [string, string] {
  const fromStreamer = [...protocol.fromStreamer].map(([name, id]) => [name, { id }] as const);
  return [
    JSON.stringify({ Direction: 0, ...Object.fromEntries(protocol.toStreamer) }),
    JSON.stringify({ Direction: 1, ...Object.fromEntries(fromStreamer) }),
  ];
}

type Entries = readonly (readonly [string, unknown])[];

function mergeTo({ toStreamer }: DataChannelProtocol, entries: Entries): ToStreamerProtocol {
  const merged = new Map(toStreamer);
  for (const [name, entry] of entries) {
    const id = readId(name, entry);
    const structure = isRecord(entry) ? readStructure(entry['structure']) : undefined;
    if (id === undefined || structure === undefined || FIXED_STRUCTURES.has(name)) {
      continue;
    }
    release(merged, name, (layout) => layout.id === id);
    merged.set(name, { id, structure });
  }
  return merged;
}

function mergeFrom({ fromStreamer }: DataChannelProtocol, entries: Entries): FromStreamerProtocol {
  const merged = new Map(fromStreamer);
  for (const [name, entry] of entries) {
    const id = readId(name, entry);
    // Protocol stays at 255: the streamer could otherwise not be understood again.
    if (id === undefined || name === 'Protocol' || id === 255) {
      continue;
    }
    release(merged, name, (known) => known === id);
    merged.set(name, id);
  }
  return merged;
}

/** Frees the id for `name`, so that an id never stands for two messages. */
function release<T>(map: Map<string, T>, name: string, hasId: (value: T) => boolean): void {
  for (const [other, value] of map) {
    if (other !== name && hasId(value)) {
      map.delete(other);
    }
  }
}

function readId(name: string, entry: unknown): number | undefined {
  const id = isRecord(entry) ? entry['id'] : undefined;
  const isValid =
    typeof id === 'number' &&
    Number.isInteger(id) &&
    id >= 0 &&
    id <= 255 &&
    name.length <= MAX_NAME_LENGTH;
  return isValid ? id : undefined;
}

function readStructure(value: unknown): readonly FieldType[] | undefined {
  if (value === undefined) {
    return [];
  }
  const isValid =
    Array.isArray(value) &&
    value.length <= MAX_FIELDS &&
    value.every((type) => FIELD_TYPES.has(type));
  return isValid ? (value as readonly FieldType[]) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
