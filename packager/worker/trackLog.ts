/**
 * The last segments of one track, kept for origins that connect or reconnect. Every publisher
 * reads it at its own index, so a slow origin holds up neither ffmpeg nor another origin: what is
 * trimmed before it was sent is lost to that origin and counted there. Outlives encoder runs.
 */
import type { Fragment } from './trackCutter.ts';

/** A fragment and the encoder run it came from: one PUT carries one run. */
export type LogEntry = { readonly fragment: Fragment; readonly run: number };

/** Whole segments kept behind the open one: an origin that was away for 8 s (one that restarts) lacks nothing. */
const KEPT_SEGMENTS = 4;

/** Bounded by segments and bytes; entries are numbered from 0 for the life of the job. */
export class TrackLog {
  readonly #maxBytes: number;
  #entries: LogEntry[] = [];
  #firstIndex = 0;
  #bytes = 0;
  #init: Uint8Array | undefined;
  #run = 0;
  #isRunning = false;
  #isClosed = false;
  readonly #listeners = new Set<() => void>();

  /** @param maxBytes most bytes of fragments that are kept */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Header of the track (`ftyp moov`), once the first run has written it. */
  get init(): Uint8Array | undefined {
    return this.#init;
  }

  /** Index of the oldest entry that is kept. */
  get firstIndex(): number {
    return this.#firstIndex;
  }

  /** Index that the next entry will get. */
  get nextIndex(): number {
    return this.#firstIndex + this.#entries.length;
  }

  /** Bytes kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** No run will follow. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Calls `listener` after every change; the returned function ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** A new encoder run begins: its fragments go into PUTs of their own. */
  beginRun(): void {
    this.#run += 1;
    this.#isRunning = true;
    this.#wake();
  }

  /** The run has written its last fragment. */
  endRun(): void {
    this.#isRunning = false;
    this.#wake();
  }

  /** Ends the log for good. */
  close(): void {
    this.#isRunning = false;
    this.#isClosed = true;
    this.#wake();
  }

  /** Whether nothing will be appended to `run` any more. */
  hasEnded(run: number): boolean {
    return run !== this.#run || !this.#isRunning;
  }

  /** Takes the header of a run; false where it differs from that of the runs before. */
  acceptInit(bytes: Uint8Array): boolean {
    if (this.#init === undefined) {
      this.#init = bytes;
      return true;
    }
    return Buffer.compare(this.#init, bytes) === 0;
  }

  append(fragment: Fragment): void {
    this.#entries.push({ fragment, run: this.#run });
    this.#bytes += fragment.bytes.length;
    this.#trim(fragment.startsSegment);
    this.#wake();
  }

  /** The entry at `index`, or undefined where it is trimmed or not there yet. */
  at(index: number): LogEntry | undefined {
    return this.#entries[index - this.#firstIndex];
  }

  /** First kept index from `index` on that starts a segment. */
  segmentStartFrom(index: number): number | undefined {
    const from = Math.max(0, index - this.#firstIndex);
    const found = this.#entries.findIndex(
      (entry, position) => position >= from && entry.fragment.startsSegment,
    );
    return found < 0 ? undefined : this.#firstIndex + found;
  }

  /**
   * Where to go on for an origin that lacks everything from `nextTicks` on: that very fragment
   * where it is kept, else the next start of a segment. `null` lacks everything.
   */
  resumeIndex(nextTicks: number | null): number | undefined {
    if (nextTicks === null) {
      return this.segmentStartFrom(this.#firstIndex);
    }
    const found = this.#entries.findIndex((entry) => entry.fragment.dts >= nextTicks);
    if (found < 0) {
      return undefined;
    }
    const index = this.#firstIndex + found;
    return this.#entries[found]?.fragment.dts === nextTicks ? index : this.segmentStartFrom(index);
  }

  #trim(isNewSegment: boolean): void {
    let surplus = 0;
    if (isNewSegment) {
      const starts = this.#entries.flatMap((entry, position) =>
        entry.fragment.startsSegment ? [position] : [],
      );
      surplus = starts.at(-1 - KEPT_SEGMENTS) ?? 0;
    }
    let bytes = this.#bytes;
    for (let position = 0; position < this.#entries.length - 1; position += 1) {
      if (position >= surplus && bytes <= this.#maxBytes) {
        break;
      }
      bytes -= this.#entries[position]?.fragment.bytes.length ?? 0;
      surplus = Math.max(surplus, position + 1);
    }
    if (surplus > 0) {
      this.#entries = this.#entries.slice(surplus);
      this.#firstIndex += surplus;
      this.#bytes = bytes;
    }
  }

  #wake(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
