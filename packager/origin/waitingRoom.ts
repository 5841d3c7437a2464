/**
 * Requests that wait for media, those for the same thing together: asked once per change of their
 * track, answered one after the other with what they share, swept when their time is over, gone when
 * their client is. No timer and no promise each. Bounded for all and for each broadcast.
 */
import type { UnixMs } from '../../infra/kernel/time.ts';
import { Drains } from './drains.ts';
import type { Exchange } from './exchange.ts';
import type { MediaResponse } from './mediaHttp.ts';

/** What some requests wait for. */
export interface Awaited {
  /** Asked on `part` changes only, or on each chunk too. */
  readonly wakes: 'part' | 'chunk';
  /**
   * Asked once per change, however many wait: how each is to be answered (true from it: that one is
   * done), or undefined while all go on waiting.
   */
  poll(): ((waiter: Waiter) => boolean) | undefined;
  /** Answers one whose time is over. */
  expire(waiter: Waiter): void;
}

/** One request that waits. */
export type Waiter = {
  readonly exchange: Exchange;
  /** When it is given up; put off while bytes flow. */
  deadlineMs: UnixMs;
  /** Of a growing segment: chunks that were written to it. */
  sentChunks: number;
  /** Of a growing segment: its client is behind, nothing is written until it has caught up. */
  isBlocked: boolean;
};

type Group = { readonly awaited: Awaited; readonly waiters: Set<Waiter> };
type Seat = { readonly key: string; readonly name: string; readonly waiter: Waiter };

/** All requests of an origin that wait, by track. */
export class WaitingRoom {
  /** Whole answers that clients have not taken yet; swept with the room. */
  readonly drains = new Drains();
  readonly #capacity: number;
  readonly #capacityPerBroadcast: number;
  readonly #onSize: (size: number) => void;
  readonly #byTrack = new Map<string, Map<string, Group>>();
  readonly #seats = new Map<MediaResponse, Seat>();
  readonly #byBroadcast = new Map<string, number>();
  readonly #onClose: (this: MediaResponse) => void;

  /**
   * @param onSize told how many wait, whenever that changes
   * @param capacityPerBroadcast so that one broadcast cannot take every seat; all of them by default
   */
  constructor(
    capacity: number,
    onSize: (size: number) => void,
    capacityPerBroadcast: number = capacity,
  ) {
    this.#capacity = capacity;
    this.#capacityPerBroadcast = capacityPerBroadcast;
    this.#onSize = onSize;
    const leave = this.leave.bind(this);
    this.#onClose = function onClose(this: MediaResponse) {
      leave(this);
    };
  }

  /** How many wait. */
  get size(): number {
    return this.#seats.size;
  }

  /** Whether one more would be turned away on `key` (`{broadcast}/{track}`). */
  isFull(key: string): boolean {
    return (
      this.#seats.size >= this.#capacity ||
      (this.#byBroadcast.get(broadcastOf(key)) ?? 0) >= this.#capacityPerBroadcast
    );
  }

  /** What others on `key` wait for under this name, if any do. */
  find(key: string, name: string): Awaited | undefined {
    return this.#byTrack.get(key)?.get(name)?.awaited;
  }

  /** Seats a request until it is done; false where the room is full. */
  add(key: string, name: string, awaited: Awaited, waiter: Waiter): boolean {
    if (this.isFull(key)) {
      return false;
    }
    let groups = this.#byTrack.get(key);
    if (groups === undefined) {
      groups = new Map();
      this.#byTrack.set(key, groups);
    }
    let group = groups.get(name);
    if (group === undefined) {
      group = { awaited, waiters: new Set() };
      groups.set(name, group);
    }
    const { response } = waiter.exchange;
    group.waiters.add(waiter);
    this.#seats.set(response, { key, name, waiter });
    this.#count(key, 1);
    response.once('close', this.#onClose);
    return true;
  }

  /** Asks what waits on `key` for this kind of change, and answers those that can be. */
  wake(key: string, change: 'chunk' | 'part'): void {
    for (const { awaited, waiters } of this.#byTrack.get(key)?.values() ?? []) {
      const answer = change === 'part' || awaited.wakes === 'chunk' ? awaited.poll() : undefined;
      if (answer === undefined) {
        continue;
      }
      for (const waiter of waiters) {
        if (answer(waiter)) {
          this.leave(waiter.exchange.response);
        }
      }
    }
  }

  /** Gives up on those whose time is over, and on answers that nobody takes. */
  sweep(nowMs: UnixMs): void {
    for (const [response, { key, name, waiter }] of this.#seats) {
      if (nowMs >= waiter.deadlineMs) {
        const awaited = this.find(key, name);
        this.leave(response);
        awaited?.expire(waiter);
      }
    }
    if (Number.isFinite(nowMs)) {
      this.drains.sweep(nowMs);
    }
  }

  /** Gives up on all. */
  clear(): void {
    this.sweep(Infinity as UnixMs);
  }

  /** Frees the seat of a request that is done or gone. */
  leave(response: MediaResponse): void {
    const seat = this.#seats.get(response);
    if (seat === undefined) {
      return;
    }
    this.#seats.delete(response);
    const groups = this.#byTrack.get(seat.key);
    const group = groups?.get(seat.name);
    group?.waiters.delete(seat.waiter);
    if (group?.waiters.size === 0) {
      groups?.delete(seat.name);
      if (groups?.size === 0) {
        this.#byTrack.delete(seat.key);
      }
    }
    this.#count(seat.key, -1);
  }

  #count(key: string, step: 1 | -1): void {
    const broadcast = broadcastOf(key);
    const count = (this.#byBroadcast.get(broadcast) ?? 0) + step;
    if (count === 0) {
      this.#byBroadcast.delete(broadcast);
    } else {
      this.#byBroadcast.set(broadcast, count);
    }
    this.#onSize(this.#seats.size);
  }
}

function broadcastOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}
