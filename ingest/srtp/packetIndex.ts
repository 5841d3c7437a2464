/**
 * One SSRC's 48-bit SRTP packet index: the roll-over counter is guessed from the sequence number,
 * and only what was authenticated moves it (RFC 3711 §3.3.1, Appendix A).
 *
 * werift 0.25.2 counts a roll-over only when two packets in a row lie within 100 of the wrap, and
 * counts before it authenticates: an outage over the wrap (90 ms at 10 Mbit/s), or one forged
 * packet, leaves every later packet unauthentic for good. It has no replay list either.
 */

const RANGE = 0x10000;
const HALF = 0x8000;
/** Indexes behind the newest that are still told from replays; libwebrtc's is 1024 too. */
const WINDOW = 1024;

/** State of one SSRC in one direction. */
export class PacketIndex {
  #highest: number | undefined;
  /** Made with the first authentic packet: forged ones of any SSRC cost nothing. */
  #seen: Float64Array | undefined;

  /** Whether a packet was authenticated yet. */
  get hasStarted(): boolean {
    return this.#highest !== undefined;
  }

  /** The index that a packet of this sequence number most probably has; undefined before zero. */
  estimate(sequenceNumber: number): number | undefined {
    if (this.#highest === undefined) {
      return sequenceNumber;
    }
    const ahead = (sequenceNumber - this.#highest) & (RANGE - 1);
    const index = this.#highest + (ahead < HALF ? ahead : ahead - RANGE);
    return index < 0 ? undefined : index;
  }

  /** Whether the index was taken before, or is too old to tell (RFC 3711 §3.3.2). */
  isReplay(index: number): boolean {
    return (
      this.#highest !== undefined &&
      (index <= this.#highest - WINDOW || this.#seen?.[index % WINDOW] === index)
    );
  }

  /** Notes an authenticated packet. */
  accept(index: number): void {
    this.#highest = Math.max(this.#highest ?? 0, index);
    this.#seen ??= new Float64Array(WINDOW).fill(-1);
    this.#seen[index % WINDOW] = index;
  }
}
