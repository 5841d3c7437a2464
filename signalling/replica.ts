/**
 * This server among its replicas: its lease, the ids and seats that it keeps in the backplane, and
 * what it hears of the others. Leaves what that means to the hub. A backplane that is away is
 * logged and tried again at the next beat; local streamers and players go on meanwhile.
 */
import { z } from 'zod';
import { errorText } from '../infra/kernel/errors.ts';
import type { Closeable } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { Seat } from './registry.ts';
import {
  type Backplane,
  parseReplicaMessage,
  renderReplicaMessage,
  type ReplicaMessage,
} from './replication.ts';

/** What is kept of a seat where it outlives a replica. */
export type SavedSeat = Pick<Seat, 'streamerId' | 'subject' | 'playerId'>;

/** What a replica tells its owner. */
export type ReplicaHandlers = {
  /** The streamers of the others: id to replica. */
  onRemotes(streamers: ReadonlyMap<string, string>): void;
  /** Another replica has died or stopped. */
  onReplicaGone(replica: string): void;
  /** Another replica has our streamer's id now: we were silent for too long. */
  onStreamerLost(streamerId: string): void;
  onMessage(message: ReplicaMessage): void;
};

/** This server's place among the replicas. */
export type Replica = Closeable & {
  readonly id: string;
  /** Claims an id; `seat` is what was left of its seat. Never rejects. */
  claim(
    streamerId: string,
  ): Promise<{ readonly isGranted: boolean; readonly seat: SavedSeat | undefined }>;
  unclaim(streamerId: string): void;
  saveSeat(streamerId: string, seat: Seat | undefined): void;
  send(to: string, message: ReplicaMessage): void;
  /** The living ones but this, as of the last beat. */
  others(): readonly string[];
  /** First of `PLAYER_BLOCK` player numbers that no other replica has or had. */
  playerNumbers(): Promise<number>;
};

/** Player numbers that a replica takes at once. They stay below 2^31 for half a million takes. */
export const PLAYER_BLOCK = 4096;
const FIRST_PLAYER = 101;
const PREFIX = 'grandstand:signalling:';
const STREAMER = `${PREFIX}streamer:`;
const REPLICA = `${PREFIX}replica:`;
const SEAT = `${PREFIX}seat:`;
const CHANGES = `${PREFIX}changes`;
const BEATS_PER_LEASE = 3;
/** Messages that may wait for a slow backplane; further ones are lost, and counted. */
const MAX_IN_FLIGHT = 10_000;
/** How much later than the pinged streamer its replica may answer. */
const ANSWER_MARGIN_MS = 250;

/** Joins the replicas. @throws what the backplane throws when it is away from the start */
export async function joinReplicas(
  { backplane, logger }: { readonly backplane: Backplane; readonly logger: Logger },
  options: {
    readonly id: string;
    readonly leaseMs: number;
    readonly seatGraceMs: number;
    /** 0: who has an id is not asked whether it is alive. */
    readonly probeTimeoutMs: number;
  },
  handlers: ReplicaHandlers,
): Promise<Replica> {
  const { id, leaseMs } = options;
  const ours = new Set<string>();
  const savedSeats = new Map<string, { readonly text: string; readonly isHeld: boolean }>();
  const claims = new Map<string, Promise<unknown>>();
  const probes = new Map<
    string,
    { readonly holder: string; readonly done: (isAlive: boolean) => void }
  >();
  let remotes: ReadonlyMap<string, string> = new Map();
  let replicas: ReadonlySet<string> = new Set();
  let chain: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let isBeating = false;
  let inFlight = 0;
  let lost = 0;

  /** One after the other, so that a release never overtakes the claim before it. */
  const inOrder = <T>(work: () => Promise<T>): Promise<T | undefined> => {
    const result = chain.then(work).catch((error: unknown) => {
      if (!isClosed) {
        logger.warn({ error: errorText(error) }, 'the replicas cannot be reached');
      }
      return undefined;
    });
    chain = result;
    return result;
  };
  const setRemotes = (next: ReadonlyMap<string, string>): void => {
    remotes = next;
    handlers.onRemotes(next);
  };
  const announce = (change: Change): Promise<void> =>
    backplane.publish(CHANGES, JSON.stringify(change));

  const hearChange = (text: string): void => {
    const change = parseChange(text);
    if (change === undefined) {
      return;
    }
    const { kind, replica } = change;
    if (kind === 'joined') {
      replicas = new Set(replicas).add(replica);
      return;
    }
    const next = new Map(remotes);
    const { streamerId } = change;
    if (kind === 'here' && replica !== id) {
      next.set(streamerId, replica);
    } else if (kind === 'here' || next.get(streamerId) === replica) {
      // Who gives an id back says so after another may have taken it: that one keeps it.
      next.delete(streamerId);
    } else {
      return;
    }
    setRemotes(next);
  };
  const hearMessage = (text: string): void => {
    const message = parseReplicaMessage(text);
    if (message?.kind === 'probed') {
      const probe = probes.get(message.streamerId);
      // A late word of whoever had the id before says nothing of the one that has it now.
      if (probe?.holder === message.from) {
        probe.done(message.isAlive);
      }
    } else if (message !== undefined) {
      handlers.onMessage(message);
    }
  };

  const renewStreamer = async (streamerId: string): Promise<void> => {
    const key = STREAMER + streamerId;
    let held = await backplane.compareAndSet(key, id, id, leaseMs);
    held ??= await backplane.compareAndSet(key, undefined, id, leaseMs);
    if (held !== id && ours.delete(streamerId)) {
      handlers.onStreamerLost(streamerId);
    }
  };
  const beat = async (): Promise<void> => {
    const held = await backplane.compareAndSet(REPLICA + id, id, id, leaseMs);
    if (held !== id) {
      await backplane.compareAndSet(REPLICA + id, held, id, leaseMs);
    }
    for (const streamerId of [...ours]) {
      await renewStreamer(streamerId);
    }
    for (const [streamerId, { text, isHeld }] of savedSeats) {
      if (isHeld) {
        await backplane.compareAndSet(SEAT + streamerId, text, text, leaseMs + options.seatGraceMs);
      }
    }
    const streamers = await backplane.list(STREAMER);
    setRemotes(
      new Map(
        [...streamers].flatMap(([key, replica]): [string, string][] =>
          replica === id ? [] : [[key.slice(STREAMER.length), replica]],
        ),
      ),
    );
    const alive = new Set([...(await backplane.list(REPLICA)).values()]);
    const gone = [...replicas].filter((replica) => !alive.has(replica));
    replicas = alive;
    gone.forEach((replica) => handlers.onReplicaGone(replica));
  };

  /** Asks the replica that has an id whether the streamer is alive; no answer means no. */
  const isHeldAlive = (streamerId: string, holder: string): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => done(false), options.probeTimeoutMs + ANSWER_MARGIN_MS);
      const done = (isAlive: boolean): void => {
        clearTimeout(timer);
        probes.delete(streamerId);
        resolve(isAlive);
      };
      probes.set(streamerId, { holder, done });
      tell(holder, { kind: 'probe', from: id, streamerId });
    });
  /** Not in line with claims: frames keep their order among themselves, and wait for nothing. */
  const tell = (to: string, message: ReplicaMessage): void => {
    if (inFlight >= MAX_IN_FLIGHT) {
      lost += 1;
      return;
    }
    inFlight += 1;
    backplane
      .publish(REPLICA + to, renderReplicaMessage(message))
      .catch(() => {
        lost += 1;
      })
      .finally(() => {
        inFlight -= 1;
      });
  };
  const take = (streamerId: string, expected: string | undefined): Promise<string | undefined> =>
    inOrder(async () => {
      const held = await backplane.compareAndSet(STREAMER + streamerId, expected, id, leaseMs);
      if (held === id) {
        ours.add(streamerId);
        await announce({ kind: 'here', streamerId, replica: id });
      }
      return held;
    });
  const loadSeat = (streamerId: string): Promise<SavedSeat | undefined> =>
    inOrder(async () => {
      const text = await backplane.get(SEAT + streamerId);
      if (text === undefined) {
        return undefined;
      }
      const { subject, playerId } = JSON.parse(text) as { subject?: string; playerId: string };
      savedSeats.set(streamerId, { text, isHeld: false });
      return { streamerId, subject, playerId };
    });

  const claimOnce = async (
    streamerId: string,
  ): Promise<{ readonly isGranted: boolean; readonly seat: SavedSeat | undefined }> => {
    let held = await take(streamerId, undefined);
    if (held === undefined) {
      // The backplane is away. The streamer is let in: it is better alone than nowhere.
      ours.add(streamerId);
      return { isGranted: true, seat: undefined };
    }
    if (held !== id && options.probeTimeoutMs > 0) {
      const holder = held;
      const isAlive = await isHeldAlive(streamerId, holder);
      held = isAlive ? holder : ((await take(streamerId, undefined)) ?? holder);
      if (!isAlive && held === holder) {
        held = await take(streamerId, holder);
      }
    }
    const isGranted = held === id;
    if (!isGranted && held !== undefined) {
      setRemotes(new Map(remotes).set(streamerId, held));
    }
    return { isGranted, seat: isGranted ? await loadSeat(streamerId) : undefined };
  };

  const stopHearing = [
    await backplane.subscribe(REPLICA + id, hearMessage),
    await backplane.subscribe(CHANGES, hearChange),
  ];
  await beat();
  // Else the others would ask this one nothing until their next beat.
  await announce({ kind: 'joined', replica: id });
  const heart = setInterval(() => {
    if (lost > 0) {
      logger.warn({ lost }, 'messages to other replicas were lost');
      lost = 0;
    }
    if (!isBeating) {
      isBeating = true;
      void inOrder(beat).then(() => {
        isBeating = false;
      });
    }
  }, leaseMs / BEATS_PER_LEASE);
  heart.unref();

  return {
    id,
    async claim(streamerId) {
      const earlier = claims.get(streamerId);
      if (earlier !== undefined || ours.has(streamerId)) {
        // Another streamer of this replica has it, or is getting it.
        await earlier;
        return { isGranted: false, seat: undefined };
      }
      const claim = claimOnce(streamerId);
      claims.set(streamerId, claim);
      return await claim.finally(() => claims.delete(streamerId));
    },
    unclaim(streamerId) {
      ours.delete(streamerId);
      void inOrder(async () => {
        if (
          (await backplane.compareAndSet(STREAMER + streamerId, id, undefined, 0)) === undefined
        ) {
          await announce({ kind: 'gone', streamerId, replica: id });
        }
      });
    },
    saveSeat(streamerId, seat) {
      void inOrder(async () => {
        const before = savedSeats.get(streamerId)?.text;
        // Epoch and replica make each text unlike any other: only its writer can change it.
        const text =
          seat === undefined
            ? undefined
            : JSON.stringify({
                ...{ replica: id, epoch: seat.epoch, state: seat.state },
                ...{ subject: seat.subject, playerId: seat.playerId },
              });
        if (text === before) {
          return;
        }
        const isHeld = seat?.state === 'held';
        const ttlMs = options.seatGraceMs + (isHeld ? leaseMs : 0);
        const held = await backplane.compareAndSet(SEAT + streamerId, before, text, ttlMs);
        // Its old text may have expired; nobody else has written, so it is still ours to write.
        const last =
          held === undefined && text !== undefined
            ? await backplane.compareAndSet(SEAT + streamerId, undefined, text, ttlMs)
            : held;
        if (last === text && text !== undefined) {
          savedSeats.set(streamerId, { text, isHeld });
        } else {
          savedSeats.delete(streamerId);
        }
        if (last !== text) {
          logger.warn({ streamerId }, 'the seat is kept by another replica');
        }
      });
    },
    send: tell,
    others: () => [...replicas].filter((replica) => replica !== id),
    async playerNumbers() {
      const block = await backplane.increment(`${PREFIX}playerBlocks`);
      return FIRST_PLAYER + (block - 1) * PLAYER_BLOCK;
    },
    async close() {
      isClosed = true;
      clearInterval(heart);
      stopHearing.forEach((stop) => stop());
      const streamers = [...ours];
      await inOrder(async () => {
        for (const streamerId of streamers) {
          await backplane.compareAndSet(STREAMER + streamerId, id, undefined, 0);
          await announce({ kind: 'gone', streamerId, replica: id });
        }
        await backplane.compareAndSet(REPLICA + id, id, undefined, 0);
      });
    },
  };
}

/** What replicas tell all others: an id is at this one now, or was; it has joined. */
const changeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['here', 'gone']), streamerId: z.string(), replica: z.string() }),
  z.object({ kind: z.literal('joined'), replica: z.string() }),
]);
type Change = z.output<typeof changeSchema>;

function parseChange(text: string): Change | undefined {
  try {
    return changeSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
