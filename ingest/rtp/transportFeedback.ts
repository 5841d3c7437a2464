/**
 * Transport-wide congestion control feedback, as libwebrtc's sender expects it
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1). Every number of the range is
 * reported, lost ones too; arrival times are relative to a reference quantised to 64 ms.
 */
import { feedback, type FeedbackTarget } from './rtcp.ts';
import { Unwrapper } from './unwrap.ts';

const TRANSPORT_FEEDBACK = 205;
const FORMAT_TRANSPORT_CC = 15;
const REFERENCE_MS = 64;
const DELTA_MS = 0.25;
const HISTORY_MS = 500;
/** Keeps one report within a packet of 1200 bytes even when every delta is two bytes. */
const MAX_STATUSES = 400;
/** Numbers that one report may have to cover, and arrivals kept while none is taken. */
const MAX_RANGE = 10_000;
const MAX_RUN = 0x1fff;

type Status = 0 | 1 | 2;
const NOT_RECEIVED: Status = 0;
const SMALL_DELTA: Status = 1;
const LARGE_DELTA: Status = 2;

/** Collects arrivals and makes the reports. One per transport, not per stream. */
export class TransportFeedback {
  readonly #unwrapper = new Unwrapper(16);
  readonly #arrivals = new Map<number, number>();
  /** First sequence number that no report covers yet, or that came late. */
  #from: number | undefined;
  #highest = 0;
  #reports = 0;
  #unreported = 0;

  /** Packets that arrived since the last report. */
  get unreported(): number {
    return this.#unreported;
  }

  /**
   * Notes a packet's arrival.
   *
   * @param sequenceNumber transport-wide sequence number (16 bits)
   * @param arrivedMs local monotonic time (ms), fractions kept
   */
  arrived(sequenceNumber: number, arrivedMs: number): void {
    const sequence = this.#unwrapper.unwrap(sequenceNumber);
    if (this.#arrivals.has(sequence)) {
      return;
    }
    if (this.#from !== undefined && sequence < this.#from - MAX_STATUSES) {
      return;
    }
    if (sequence - this.#highest > MAX_RANGE || this.#arrivals.size >= MAX_RANGE) {
      // A jump that no loss explains: the sender started over; the old range is of no use to it.
      this.#arrivals.clear();
      this.#from = sequence;
    }
    this.#arrivals.set(sequence, arrivedMs);
    this.#unreported += 1;
    this.#from = this.#from === undefined ? sequence : Math.min(this.#from, sequence);
    this.#highest = Math.max(this.#highest, sequence);
  }

  /** Reports on everything since the last call; none when nothing arrived since. */
  take(target: FeedbackTarget, nowMs: number): Uint8Array[] {
    const packets: Uint8Array[] = [];
    this.#unreported = 0;
    while (this.#from !== undefined && this.#from <= this.#highest) {
      const end = Math.min(this.#highest, this.#from + MAX_STATUSES - 1);
      const { packet, next } = this.#report(target, this.#from, end);
      if (packet !== undefined) {
        packets.push(packet);
      }
      this.#from = next;
    }
    for (const [sequence, arrivedMs] of this.#arrivals) {
      if (arrivedMs < nowMs - HISTORY_MS) {
        this.#arrivals.delete(sequence);
      }
    }
    return packets;
  }

  #report(
    target: FeedbackTarget,
    from: number,
    end: number,
  ): { packet: Uint8Array | undefined; next: number } {
    let first: number | undefined;
    for (let sequence = from; sequence <= end && first === undefined; sequence += 1) {
      first = this.#arrivals.get(sequence);
    }
    if (first === undefined) {
      return { packet: undefined, next: end + 1 };
    }
    const reference = Math.floor(first / REFERENCE_MS);
    const statuses: Status[] = [];
    const deltas: number[] = [];
    // In quarter milliseconds on the quantised clock, so that rounding never accumulates.
    let previous = reference * (REFERENCE_MS / DELTA_MS);
    let sequence = from;
    for (; sequence <= end; sequence += 1) {
      const arrivedMs = this.#arrivals.get(sequence);
      if (arrivedMs === undefined) {
        statuses.push(NOT_RECEIVED);
        continue;
      }
      const at = Math.round(arrivedMs / DELTA_MS);
      const delta = at - previous;
      if (delta < -0x8000 || delta > 0x7fff) {
        break; // out of a delta's reach: the next report has a reference of its own
      }
      statuses.push(delta >= 0 && delta <= 0xff ? SMALL_DELTA : LARGE_DELTA);
      deltas.push(delta);
      previous = at;
    }
    return { packet: this.#serialize(target, from, reference, statuses, deltas), next: sequence };
  }

  #serialize(
    target: FeedbackTarget,
    from: number,
    reference: number,
    statuses: readonly Status[],
    deltas: readonly number[],
  ): Uint8Array {
    const chunks = statusChunks(statuses);
    const deltaBytes = deltas.reduce((sum, delta) => sum + (isSmall(delta) ? 1 : 2), 0);
    const body = new Uint8Array(8 + chunks.length * 2 + deltaBytes);
    const view = new DataView(body.buffer);
    view.setUint16(0, from & 0xffff);
    view.setUint16(2, statuses.length);
    // 24 bits of reference time, then an 8-bit count of reports (§3.1).
    view.setUint32(4, (((reference & 0xffffff) << 8) | (this.#reports & 0xff)) >>> 0);
    this.#reports += 1;
    let at = 8;
    for (const chunk of chunks) {
      view.setUint16(at, chunk);
      at += 2;
    }
    for (const delta of deltas) {
      if (isSmall(delta)) {
        view.setUint8(at, delta);
        at += 1;
      } else {
        view.setInt16(at, delta);
        at += 2;
      }
    }
    return feedback(TRANSPORT_FEEDBACK, FORMAT_TRANSPORT_CC, target, body);
  }
}

function isSmall(delta: number): boolean {
  return delta >= 0 && delta <= 0xff;
}

/** Run-length chunks (§3.1.3) where a run pays, two-bit status vectors (§3.1.4) elsewhere. */
function statusChunks(statuses: readonly Status[]): number[] {
  const chunks: number[] = [];
  for (let at = 0; at < statuses.length;) {
    const status = statuses[at] ?? NOT_RECEIVED;
    let run = 1;
    while (run < MAX_RUN && statuses[at + run] === status) {
      run += 1;
    }
    if (run >= 7 || at + run === statuses.length) {
      chunks.push((status << 13) | run);
      at += run;
      continue;
    }
    let vector = 0xc000;
    for (let index = 0; index < 7; index += 1) {
      vector |= (statuses[at + index] ?? NOT_RECEIVED) << (12 - index * 2);
    }
    chunks.push(vector);
    at += 7;
  }
  return chunks;
}
