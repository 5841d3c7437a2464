/**
 * What presenters say to one another about the seat, by signalling: who asks, who offers, who takes.
 * Pure: gives the messages to be sent. Who may have the seat is the server's to decide.
 */

/** A message to signalling. */
export type SeatMessage =
  | { readonly type: 'seatRequest' | 'seatAccept'; readonly streamerId: string }
  | { readonly type: 'seatOffer'; readonly streamerId: string; readonly playerId: string };

/** Players that are remembered as asking; the server keeps no more in line either. */
const MAX_ASKING = 16;

/** One side of the talk. */
export class SeatTalk {
  readonly #streamerId: string;
  #isAsking = false;
  #isOffered = false;
  #asking: readonly string[] = [];

  constructor(streamerId: string) {
    this.#streamerId = streamerId;
  }

  /** We have asked, and wait. */
  get isAsking(): boolean {
    return this.#isAsking;
  }
  /** The seat is offered to us, who did not ask. */
  get isOffered(): boolean {
    return this.#isOffered;
  }
  /** Players that ask us for our seat, first come first. */
  get asking(): readonly string[] {
    return this.#asking;
  }

  /** We want the seat that another holds. */
  ask(): SeatMessage {
    this.#isAsking = true;
    return { type: 'seatRequest', streamerId: this.#streamerId };
  }

  /** We take what is offered. */
  accept(): SeatMessage {
    this.#isOffered = false;
    return { type: 'seatAccept', streamerId: this.#streamerId };
  }

  /** We hold the seat. */
  hold(): void {
    this.#isAsking = false;
    this.#isOffered = false;
  }

  /** We do not hold it any more, or never did. */
  lose(): void {
    this.#asking = [];
    this.#isOffered = false;
  }

  /** We do not wait for it any more. */
  giveUp(): void {
    this.#isAsking = false;
  }

  /** We offer our seat to that player, and drop it from those who ask. */
  offer(playerId: string): SeatMessage {
    this.decline(playerId);
    return { type: 'seatOffer', streamerId: this.#streamerId, playerId };
  }

  /** That player does not get it from us. */
  decline(playerId: string): void {
    this.#asking = this.#asking.filter((asking) => asking !== playerId);
  }

  /** A message of signalling, whatever it is; the answer to it, where there is one. */
  hear(message: unknown): SeatMessage | undefined {
    if (typeof message !== 'object' || message === null || !('type' in message)) {
      return undefined;
    }
    const { type, streamerId, playerId } = message as Readonly<Record<string, unknown>>;
    if (streamerId !== this.#streamerId || typeof playerId !== 'string') {
      return undefined;
    }
    if (type === 'seatRequest' && this.#asking.length < MAX_ASKING) {
      this.#asking = [...this.#asking.filter((asking) => asking !== playerId), playerId];
    } else if (type === 'seatOffer' && this.#isAsking) {
      // Whoever asked has said yes already.
      return this.accept();
    } else if (type === 'seatOffer') {
      this.#isOffered = true;
    }
    return undefined;
  }
}
