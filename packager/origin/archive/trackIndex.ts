/** What is on disk of one track in one session: records with consecutive msn, holes filled with gaps. */
import { ticks } from '../../../infra/kernel/time.ts';
import type { SegmentRecord } from '../storage.ts';

// Below what an index may fill: a hole longer than a day is not worth a list of its gaps.
const MAX_HOLE_SEGMENTS = 86_400;

/** Oldest first, consecutive; `bytes` of all. */
export class TrackIndex {
  #records: SegmentRecord[] = [];
  #bytes = 0;
  /** Something older was deleted, in this life of the process or one before. */
  isTrimmed = false;
  readonly #partsFor: number;

  /** @param partsFor how many of the newest keep their parts: what may still be listed with them */
  constructor(partsFor: number) {
    this.#partsFor = partsFor;
  }

  get records(): readonly SegmentRecord[] {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get oldest(): SegmentRecord | undefined {
    return this.#records[0];
  }

  get newest(): SegmentRecord | undefined {
    return this.#records.at(-1);
  }

  find(msn: number): SegmentRecord | undefined {
    return this.#records[msn - (this.oldest?.msn ?? 0)];
  }

  /** Adds the newest record; false where its number is taken. */
  add(record: SegmentRecord): boolean {
    const { newest } = this;
    if (newest !== undefined) {
      if (record.msn <= newest.msn) {
        return false;
      }
      if (record.msn - newest.msn > MAX_HOLE_SEGMENTS) {
        return false;
      }
      this.#records.push(...gapsBetween(newest, record));
    }
    this.#records.push(record);
    this.#bytes += record.bytes;
    const old = this.#records.length - 1 - this.#partsFor;
    const older = this.#records[old];
    if (older !== undefined && older.parts.length > 0) {
      this.#records[old] = { ...older, parts: [] };
    }
    return true;
  }

  /** Segment `msn` could not be kept: what is left of it is its place. */
  lose(msn: number): void {
    const record = this.find(msn);
    if (record !== undefined) {
      this.#records[msn - (this.oldest?.msn ?? 0)] = lostRecord(record);
      this.#bytes -= record.bytes;
    }
  }

  /** Removes everything older than `msn`, and says what that was. */
  dropBefore(msn: number): SegmentRecord[] {
    const count = Math.max(0, Math.min(this.#records.length, msn - (this.oldest?.msn ?? msn)));
    const dropped = this.#records.splice(0, count);
    this.isTrimmed ||= dropped.length > 0;
    this.#bytes -= dropped.reduce((sum, { bytes }) => sum + bytes, 0);
    return dropped;
  }
}

/** What is listed of a segment that is not there: its place on the timeline. */
export function lostRecord(record: SegmentRecord): SegmentRecord {
  const { msn, start, duration, era, initUri } = record;
  return {
    msn,
    start,
    duration,
    era,
    initUri,
    isGap: true,
    bytes: 0,
    parts: [],
    publisher: undefined,
  };
}

function gapsBetween(before: SegmentRecord, after: SegmentRecord): SegmentRecord[] {
  const count = after.msn - before.msn - 1;
  const from = before.start + before.duration;
  const at = (index: number): number => Math.round(from + ((after.start - from) * index) / count);
  return Array.from({ length: count }, (_, index) => ({
    ...lostRecord(before),
    msn: before.msn + 1 + index,
    start: ticks(at(index)),
    duration: ticks(Math.max(0, at(index + 1) - at(index))),
  }));
}
