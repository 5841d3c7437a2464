/**
 * What of a lossy path stays lost: the receiver against a model of libwebrtc's sender, in simulated
 * time. Media, questions and answers are lost alike.
 */
import { expect, it } from 'vitest';
import { Impairment } from '../../test/support/impairment.ts';
import { ingestConfigSchema } from '../config.ts';
import { MediaReceiver } from './mediaReceiver.ts';

const PICTURES = 20_000;
const PACKETS_PER_PICTURE = 5;
const PICTURE_MS = 33;
const TICK_MS = 10;
/** A paced sender has sent what was asked for again by then. */
const PACER_MS = 5;
/** After the last picture, for its repair. */
const TAIL_MS = 1000;

type Path = {
  readonly lossPercent: number;
  readonly roundTripMs: number;
  /** How long the sender stands still in each second (ms). */
  readonly stallMs: number;
};

class Simulation {
  readonly receiver: MediaReceiver;
  readonly #path: Path;
  readonly #down: Impairment;
  readonly #up: Impairment;
  readonly #events = new Map<number, (() => void)[]>();
  readonly #resentMs = new Map<number, number>();
  #nowMs = 0;

  constructor(path: Path) {
    this.#path = path;
    const direction = { lossPercent: path.lossPercent, delayMs: path.roundTripMs / 2 };
    this.#down = new Impairment({ ...direction, seed: 7 });
    this.#up = new Impairment({ ...direction, seed: 8 });
    this.receiver = new MediaReceiver(
      {
        ...ingestConfigSchema.parse({ feedback: 'none' }),
        formats: new Map([
          [96, { kind: 'video', codec: 'h264' }],
          [97, { kind: 'rtx', apt: 96 }],
        ]),
        localSsrc: 1,
      },
      {
        restarted: () => undefined,
        parameters: () => undefined,
        unit: () => undefined,
        report: () => undefined,
        keyframeOverdue: () => undefined,
        rtcp: (packet) => this.#asks(packet),
      },
    );
  }

  /** Sends all pictures; what was missed and what never came. */
  run(): { readonly missed: number; readonly lost: number } {
    for (; this.#nowMs < PICTURES * PICTURE_MS + TAIL_MS; this.#nowMs += 1) {
      if (this.#nowMs % PICTURE_MS === 0 && this.#nowMs < PICTURES * PICTURE_MS) {
        const first = (this.#nowMs / PICTURE_MS) * PACKETS_PER_PICTURE;
        this.#at(this.#awakeMs(this.#nowMs), () => {
          for (let index = 0; index < PACKETS_PER_PICTURE; index += 1) {
            this.#send(first + index, false);
          }
        });
      }
      const due = this.#events.get(this.#nowMs) ?? [];
      for (const work of due) {
        work(); // what it adds for now is done as well
      }
      this.#events.delete(this.#nowMs);
      if (this.#nowMs % TICK_MS === 0) {
        this.receiver.tick(this.#nowMs);
      }
    }
    const { packetsLost, packetsRecovered } = this.receiver.stats;
    return { missed: packetsLost + packetsRecovered, lost: packetsLost };
  }

  #at(timeMs: number, work: () => void): void {
    const due = Math.max(this.#nowMs, Math.round(timeMs));
    const planned = this.#events.get(due);
    if (planned === undefined) {
      this.#events.set(due, [work]);
    } else {
      planned.push(work);
    }
  }

  #awakeMs(timeMs: number): number {
    const { stallMs } = this.#path;
    return timeMs % 1000 < stallMs ? timeMs - (timeMs % 1000) + stallMs : timeMs;
  }

  #send(sequence: number, isAgain: boolean): void {
    const original = isAgain ? [(sequence >> 8) & 0xff, sequence & 0xff] : [];
    const packet = {
      ssrc: isAgain ? 11 : 10,
      payloadType: isAgain ? 97 : 96,
      sequenceNumber: sequence & 0xffff,
      timestamp: Math.floor(sequence / PACKETS_PER_PICTURE) * 3000,
      marker: sequence % PACKETS_PER_PICTURE === PACKETS_PER_PICTURE - 1,
      payload: Uint8Array.of(...original, 0x41, 0x80),
    };
    for (const arrivalMs of this.#down.arrivals(this.#nowMs)) {
      this.#at(arrivalMs, () => this.receiver.push(packet, this.#nowMs));
    }
  }

  #asks(packet: Uint8Array): void {
    for (const arrivalMs of this.#up.arrivals(this.#nowMs)) {
      this.#at(this.#awakeMs(arrivalMs), () => {
        nackedBy(packet).forEach((sequence) => this.#asked(sequence));
      });
    }
  }

  /** libwebrtc sends a packet again once in a round trip (`RtpPacketHistory::VerifyRtt`). */
  #asked(sequence: number): void {
    const lastMs = this.#resentMs.get(sequence) ?? Number.NEGATIVE_INFINITY;
    if (this.#nowMs - lastMs >= this.#path.roundTripMs) {
      this.#resentMs.set(sequence, this.#nowMs);
      this.#at(this.#nowMs + PACER_MS, () => this.#send(sequence, true));
    }
  }
}

/** RFC 4585 §6.2.1. */
function nackedBy(packet: Uint8Array): number[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const sequences: number[] = [];
  if (view.getUint8(1) === 205 && (view.getUint8(0) & 0x1f) === 1) {
    for (let at = 12; at + 4 <= packet.length; at += 4) {
      const mask = view.getUint16(at + 2) * 2 + 1;
      for (let bit = 0; bit <= 16; bit += 1) {
        if (((mask >> bit) & 1) === 1) {
          sequences.push((view.getUint16(at) + bit) & 0xffff);
        }
      }
    }
  }
  return sequences;
}

it.each([
  { lossPercent: 5, roundTripMs: 10, stallMs: 0, mostLost: 0 },
  { lossPercent: 5, roundTripMs: 40, stallMs: 0, mostLost: 0 },
  { lossPercent: 5, roundTripMs: 10, stallMs: 100, mostLost: 0 },
  { lossPercent: 5, roundTripMs: 40, stallMs: 100, mostLost: 0 },
  { lossPercent: 5, roundTripMs: 100, stallMs: 0, mostLost: 10 },
])(
  'repairs $lossPercent % each way at $roundTripMs ms, the sender standing still for $stallMs ms a second',
  ({ mostLost, ...path }) => {
    const simulation = new Simulation(path);
    const { missed, lost } = simulation.run();
    expect(missed).toBeGreaterThan(4500); // of 100,000
    expect(lost).toBeLessThanOrEqual(mostLost);
    // Learned from the answers, though the first guess is half of the longest.
    expect(simulation.receiver.stats.roundTripMs).toBeGreaterThanOrEqual(path.roundTripMs);
    expect(simulation.receiver.stats.roundTripMs).toBeLessThan(path.roundTripMs + 30);
  },
);
