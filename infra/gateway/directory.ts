/**
 * Who is where, in Redis: leases of the roles, feeds, and what each role says of its broadcasts.
 * Every key expires after 5 s unless renewed; the hash of desired broadcasts does not, and where a
 * timeline stands is kept for as long as its ingest asks.
 */
import { GatewayError } from '../kernel/errors.ts';
import type { Directory, FeedLocation, StatusBoard, TimelineAnchors } from '../kernel/directory.ts';
import type { KeyValueStore } from '../kernel/redis.ts';
import {
  type Broadcast,
  broadcastSchema,
  compareEpochs,
  type Epoch,
  formatEpoch,
  ingestStatusSchema,
  originStatusSchema,
  parseEpoch,
  slotKey,
  timelineAnchorSchema,
  transcodeStatusSchema,
  type IngestStatus,
  type OriginStatus,
  type TranscodeStatus,
} from '../kernel/wire.ts';
import { z } from 'zod';
import type { Seat } from './seating.ts';

const seatSchema = z.strictObject({ instance: z.string(), host: z.string() });

/** How long a lease lasts without renewal (ms). */
export const LEASE_MS = 5000;

const BROADCASTS = 'grandstand:broadcasts';
const LEASES = 'grandstand:lease';
const FEEDS = 'grandstand:feed';
const STATUS = 'grandstand:status';
const HOSTS = 'grandstand:host';
const SLOTS = 'grandstand:slot';
const LOST = 'grandstand:lost';
const SUPERSEDED = 'grandstand:superseded';
const MARK = 'grandstand:mark';
const TIMELINES = 'grandstand:timeline';
const SLOT_NUMBERS = [0, 1] as const;
/** Changes of one broadcast at the same instant: more than controllers and operators make. */
const MAX_TRIES = 20;

/** Roles that others must find: by base URL, a worker by the class of its encoder. */
export type LeasedRole = 'origin' | 'signalling' | 'worker';

/** What the roles said last of a broadcast; undefined where a lease has expired. */
export type RoleStatuses = {
  readonly ingest: IngestStatus | undefined;
  /** Of slot 0, or of the other where that one says nothing. */
  readonly transcode: TranscodeStatus | undefined;
  /** Slots that say something. */
  readonly slots: number;
  readonly origin: OriginStatus | undefined;
  /** Why no worker has a job of it. */
  readonly wait?: string | undefined;
};

/** The directory with the writes that only the gateway makes. */
export type RedisDirectory = Directory &
  StatusBoard &
  TimelineAnchors & {
    leaseRole(role: LeasedRole, instance: string, value: string): Promise<void>;
    /** Says which machine a process is on. */
    leaseHost(seat: Seat): Promise<void>;
    /** Workers that live. */
    workers(): Promise<readonly Seat[]>;
    /** Says who runs a slot (`slotKey`). */
    leaseSlot(key: string, seat: Seat): Promise<void>;
    slotOf(key: string): Promise<Seat | undefined>;
    /** What was lost of late where it ran (a slot by `slotKey`, an ingest by broadcast), and its epoch. */
    lostJobs(): Promise<ReadonlyMap<string, Epoch>>;
    /** Behind this epoch the job of `key` has another id. */
    supersede(key: string, epoch: Epoch): Promise<void>;
    superseded(): Promise<ReadonlyMap<string, Epoch>>;
    /** Leaves a mark in Redis; true where there was none: it is new, or has lost its data. */
    keepMark(): Promise<boolean>;
    broadcasts(): Promise<readonly Broadcast[]>;
    /** Adds one that is not there yet; false where it is. */
    addBroadcast(broadcast: Broadcast): Promise<boolean>;
    saveBroadcast(broadcast: Broadcast): Promise<void>;
    /**
     * Changes one in one step: where another change came between, `make` is asked again.
     *
     * @returns what holds afterwards; undefined where there is none
     * @throws GatewayError `too_busy` where others change it all the time
     */
    changeBroadcast(
      id: string,
      make: (known: Broadcast) => Broadcast,
    ): Promise<Broadcast | undefined>;
    removeBroadcast(id: string): Promise<void>;
    /** `encoders` is what each of its slots said last, by `slotKey`. */
    statusesOf(
      broadcastId: string,
    ): Promise<RoleStatuses & { readonly encoders: ReadonlyMap<string, TranscodeStatus> }>;
  };

/** The directory on a store. What does not parse is treated as absent: another version wrote it. */
export function redisDirectory(store: KeyValueStore): RedisDirectory {
  const lease = (key: string, value: unknown): Promise<void> =>
    store.lease(key, JSON.stringify(value), LEASE_MS);
  const leased = async (role: LeasedRole): Promise<string[]> =>
    [...(await store.list(`${LEASES}:${role}:`)).values()].flatMap((text) =>
      parsed(text, (value) => (typeof value === 'string' ? value : undefined)),
    );
  return {
    async feedOf(broadcastId) {
      const feeds = [...(await store.list(`${FEEDS}:${broadcastId}:`)).values()].flatMap((text) =>
        parsed(text, feedLocation),
      );
      return feeds.sort((a, b) => compareEpochs(b.epoch, a.epoch))[0];
    },
    origins: () => leased('origin'),
    async signallingServers() {
      return (await leased('signalling')).map((url) => url.replace(/^http/, 'ws'));
    },
    async broadcast(id) {
      const text = await store.hashGet(BROADCASTS, id);
      return text === undefined ? undefined : parsed(text, broadcastOf)[0];
    },
    async broadcasts() {
      return [...(await store.hashAll(BROADCASTS)).values()].flatMap((text) =>
        parsed(text, broadcastOf),
      );
    },
    addBroadcast: (broadcast) =>
      store.hashSetNew(BROADCASTS, broadcast.id, JSON.stringify(broadcast)),
    removeBroadcast: (id) => store.hashRemove(BROADCASTS, id),
    saveBroadcast: (broadcast) =>
      store.hashSet(BROADCASTS, broadcast.id, JSON.stringify(broadcast)),
    async changeBroadcast(id, make) {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const text = await store.hashGet(BROADCASTS, id);
        const known = text === undefined ? undefined : parsed(text, broadcastOf)[0];
        const changed = known && make(known);
        if (text === undefined || changed === undefined || changed === known) {
          return changed;
        }
        if (await store.hashReplace(BROADCASTS, id, text, JSON.stringify(changed))) {
          return changed;
        }
      }
      throw new GatewayError('too_busy', `broadcast ${id} is being changed by others`);
    },
    leaseRole: (role, instance, value) => lease(`${LEASES}:${role}:${instance}`, value),
    leaseHost: ({ instance, host }) => lease(`${HOSTS}:${instance}`, host),
    async workers() {
      const prefix = `${LEASES}:worker:`;
      const [leases, hosts] = await Promise.all([store.list(prefix), store.list(`${HOSTS}:`)]);
      return [...leases.keys()].map((key) => {
        const instance = key.slice(prefix.length);
        const text = hosts.get(`${HOSTS}:${instance}`) ?? '""';
        return { instance, host: parsed(text, (value) => String(value))[0] ?? '' };
      });
    },
    leaseSlot: (key, seat) => lease(`${SLOTS}:${key}`, seat),
    async slotOf(key) {
      const text = await store.get(`${SLOTS}:${key}`);
      return text === undefined
        ? undefined
        : parsed(text, (value) => seatSchema.safeParse(value).data)[0];
    },
    async lostJobs() {
      const found = await store.list(`${LOST}:`);
      return new Map(
        [...found].flatMap(([key, text]) =>
          parsed(text, epochOf).map((epoch) => [key.slice(LOST.length + 1), epoch] as const),
        ),
      );
    },
    supersede: (key, epoch) => store.hashSet(SUPERSEDED, key, JSON.stringify(formatEpoch(epoch))),
    async superseded() {
      return new Map(
        [...(await store.hashAll(SUPERSEDED))].flatMap(([key, text]) =>
          parsed(text, epochOf).map((epoch) => [key, epoch] as const),
        ),
      );
    },
    keepMark: () => store.hashSetNew(MARK, 'kept', '1'),
    announceFeed: (id, location) =>
      lease(`${FEEDS}:${id}:${formatEpoch(location.epoch)}`, {
        url: location.url,
        epoch: formatEpoch(location.epoch),
      }),
    withdrawFeed: (id, epoch) => store.remove(`${FEEDS}:${id}:${formatEpoch(epoch)}`),
    reportIngest: (id, status) => lease(`${STATUS}:ingest:${id}`, status),
    reportTranscode: (id, slot, status) => lease(`${STATUS}:transcode:${id}:${slot}`, status),
    reportLostPublisher: (id, slot, epoch) =>
      lease(`${LOST}:${slotKey(id, slot)}`, formatEpoch(epoch)),
    reportLostFeed: (id, epoch) => lease(`${LOST}:${id}`, formatEpoch(epoch)),
    reportOrigin: (id, status) => lease(`${STATUS}:origin:${id}`, status),
    async timelineAnchor(id) {
      return statusOf(await store.get(`${TIMELINES}:${id}`), timelineAnchorSchema);
    },
    keepTimelineAnchor: (id, anchor, keepMs) =>
      store.lease(`${TIMELINES}:${id}`, JSON.stringify(anchor), keepMs),
    async statusesOf(id) {
      const slotKeys = SLOT_NUMBERS.map((slot) => `transcode:${id}:${slot}`);
      const [ingest, origin, ...slots] = await Promise.all(
        [`ingest:${id}`, `origin:${id}`, ...slotKeys].map((key) => store.get(`${STATUS}:${key}`)),
      );
      const encoders = new Map(
        SLOT_NUMBERS.flatMap((slot): [string, TranscodeStatus][] => {
          const status = statusOf(slots[slot], transcodeStatusSchema);
          return status === undefined ? [] : [[slotKey(id, slot), status]];
        }),
      );
      return {
        ingest: statusOf(ingest, ingestStatusSchema),
        transcode: [...encoders.values()][0],
        slots: encoders.size,
        encoders,
        origin: statusOf(origin, originStatusSchema),
      };
    },
  };
}

function parsed<T>(text: string, read: (value: unknown) => T | undefined): T[] {
  try {
    const value = read(JSON.parse(text));
    return value === undefined ? [] : [value];
  } catch {
    return [];
  }
}

function epochOf(value: unknown): Epoch | undefined {
  return typeof value === 'string' ? parseEpoch(value) : undefined;
}

function broadcastOf(value: unknown): Broadcast | undefined {
  return broadcastSchema.safeParse(value).data;
}

function feedLocation(value: unknown): FeedLocation | undefined {
  if (typeof value !== 'object' || value === null || !('url' in value) || !('epoch' in value)) {
    return undefined;
  }
  const epoch = typeof value.epoch === 'string' ? parseEpoch(value.epoch) : undefined;
  return epoch === undefined || typeof value.url !== 'string'
    ? undefined
    : { url: value.url, epoch };
}

function statusOf<T extends z.ZodType>(
  text: string | undefined,
  schema: T,
): z.output<T> | undefined {
  return text === undefined ? undefined : parsed(text, (value) => schema.safeParse(value).data)[0];
}
