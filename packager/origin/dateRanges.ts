/**
 * What EXT-X-DATERANGE says of a broadcast (rfc8216bis §4.4.5.1): checked when it is added, never
 * changed after, listed while it maps to a listed segment. Same set for all tracks (§6.2.4).
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { DateRange } from '../playlists/model.ts';
import type { DateRangeRecord } from './storage.ts';

const MAX_RANGES = 256;
const MAX_IDS = 4096;
const MAX_TEXT = 1024;
const MAX_ATTRIBUTES = 32;
const ATTRIBUTE_NAME = /^(X-[A-Z0-9-]{1,64}|SCTE35-(CMD|OUT|IN))$/;

/** See the file header. Bounded: past the cap a new one is refused. */
export class DateRanges {
  #ranges: readonly DateRange[];
  readonly #usedIds: Set<string>;

  constructor({ ranges, usedIds }: DateRangeRecord = { ranges: [], usedIds: [] }) {
    this.#ranges = ranges;
    this.#usedIds = new Set(usedIds);
  }

  /** What another process goes on with. */
  get record(): DateRangeRecord {
    return { ranges: this.#ranges, usedIds: [...this.#usedIds] };
  }

  /**
   * Adds a range. The same range again is taken as said already.
   *
   * @param listedMs end of what is listed now
   * @returns whether it is new
   * @throws GatewayError `bad_request`: not a valid range, or its id was used; `too_busy`: too many
   */
  add(range: DateRange, listedMs: number): boolean {
    const fault = faultOf(range);
    if (fault !== undefined) {
      throw new GatewayError('bad_request', `date range: ${fault}`, { subject: range.id });
    }
    const known = this.#ranges.find(({ id }) => id === range.id);
    if (known !== undefined && textOf(known) === textOf(range)) {
      return false;
    }
    if (this.#usedIds.has(range.id)) {
      throw new GatewayError('bad_request', 'date range: its ID was used', { subject: range.id });
    }
    if (this.#ranges.length >= MAX_RANGES) {
      throw new GatewayError('too_busy', `${MAX_RANGES} date ranges are listed already`);
    }
    this.#usedIds.add(range.id);
    const [oldestId] = this.#usedIds;
    if (this.#usedIds.size > MAX_IDS && oldestId !== undefined) {
      this.#usedIds.delete(oldestId);
    }
    this.#ranges = [...this.#ranges, { ...range, listedMs }].sort((a, b) => a.startMs - b.startMs);
    return true;
  }

  /** Ranges that end after `oldestMs`, oldest first. */
  since(oldestMs: number): readonly DateRange[] {
    return this.#ranges.filter((range) => endOf(range, this.#ranges) > oldestMs);
  }

  /** Forgets those that ended before everything that can be rewound to; their ids stay used. */
  forgetBefore(oldestMs: number): void {
    this.#ranges = this.since(oldestMs);
  }
}

/** A range without an end lasts until the next of its class, or for ever. */
function endOf(range: DateRange, all: readonly DateRange[]): number {
  if (range.endMs !== undefined) {
    return Math.max(range.endMs, range.startMs + 1);
  }
  const next =
    range.isEndOnNext === true
      ? all.find((other) => other.class === range.class && other.startMs > range.startMs)
      : undefined;
  return next?.startMs ?? Infinity;
}

function faultOf(range: DateRange): string | undefined {
  return faultOfTexts(range) ?? faultOfTimes(range) ?? faultOfAttributes(range.attributes ?? {});
}

function faultOfTexts(range: DateRange): string | undefined {
  const texts = [range.id, range.class ?? '', ...stringsOf(range)];
  return range.id === '' || texts.some((text) => text.length > MAX_TEXT || hasForbidden(text))
    ? 'an ID and quoted strings without quotes or line breaks are needed'
    : undefined;
}

function faultOfTimes(range: DateRange): string | undefined {
  const { startMs, endMs, plannedDurationMs = 0 } = range;
  if (![startMs, endMs ?? startMs, plannedDurationMs].every(Number.isFinite)) {
    return 'times are finite';
  }
  if (plannedDurationMs < 0 || (endMs !== undefined && endMs < startMs)) {
    return 'it ends before it starts';
  }
  return range.isEndOnNext === true && (range.class === undefined || endMs !== undefined)
    ? 'END-ON-NEXT needs a CLASS and no end'
    : undefined;
}

function faultOfAttributes(attributes: NonNullable<DateRange['attributes']>): string | undefined {
  const entries = Object.entries(attributes);
  if (entries.length > MAX_ATTRIBUTES || entries.some(([name]) => !ATTRIBUTE_NAME.test(name))) {
    return 'attributes are X- names or SCTE35-CMD, -OUT, -IN';
  }
  return entries.some(([name, value]) => name.startsWith('SCTE') && !(value instanceof Uint8Array))
    ? 'SCTE35 is bytes'
    : undefined;
}

function stringsOf(range: DateRange): string[] {
  return Object.values(range.attributes ?? {}).filter((value) => typeof value === 'string');
}

function hasForbidden(text: string): boolean {
  return /["\r\n]/.test(text);
}

/** What a range says, the same however it was put together. */
function textOf({ attributes = {}, ...range }: DateRange): string {
  const sorted = (value: object): unknown[] =>
    Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(
    [sorted({ ...range, listedMs: undefined }), sorted(attributes)],
    (_key, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}
