/**
 * The journal of one track in one session: a line each for what opens, grows by a part, closes, is
 * lost or is deleted, so that a restart need not read media. Pure; lines are appended, never changed.
 */
import { z } from 'zod';
import { type Ticks, ticks } from '../../../infra/kernel/time.ts';
import type { PartRecord, SegmentRecord } from '../storage.ts';

/** A line of the journal. */
export type JournalLine =
  | { readonly kind: 'header'; readonly era: number; readonly uri: string }
  /** Written before the first byte of its file. */
  | { readonly kind: 'open'; readonly record: SegmentRecord }
  | { readonly kind: 'part'; readonly msn: number; readonly part: PartRecord }
  /** Written after the last byte; a gap comes without `open`. */
  | { readonly kind: 'close'; readonly record: SegmentRecord }
  /** What was opened could not be written: its file is gone. */
  | { readonly kind: 'lost'; readonly msn: number }
  /** Everything older was deleted. */
  | { readonly kind: 'floor'; readonly msn: number };

/** What a journal says. */
export type JournalState = {
  readonly headers: ReadonlyMap<number, string>;
  /** Oldest first; may have holes. */
  readonly closed: readonly SegmentRecord[];
  readonly open: SegmentRecord | undefined;
  /** Something older than `closed` was deleted. */
  readonly isTrimmed: boolean;
  readonly lines: number;
  /** Lines that could not be read: torn by a crash, or by a full disk. */
  readonly tornLines: number;
};

const ticksSchema = z.int().transform((value): Ticks => ticks(value));
const partSchema = z.object({
  index: z.int(),
  duration: ticksSchema,
  isIndependent: z.boolean(),
  isGap: z.boolean(),
  bytes: z.int().min(0),
});
const recordSchema = z
  .object({
    msn: z.int().min(0),
    start: ticksSchema,
    duration: ticksSchema,
    isGap: z.boolean(),
    era: z.int().min(0),
    bytes: z.int().min(0),
    iframe: z.object({ offset: z.int().min(0), length: z.int().min(1) }).optional(),
    parts: z.array(partSchema),
    initUri: z.string(),
    publisher: z
      .object({ slot: z.int(), epoch: z.object({ timestamp: z.int(), attempt: z.int() }) })
      .optional(),
  })
  .transform(({ iframe, publisher, ...record }): SegmentRecord => ({
    ...record,
    ...(iframe === undefined ? {} : { iframe }),
    publisher,
  }));
const lineSchema: z.ZodType<JournalLine> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('header'), era: z.int().min(0), uri: z.string() }),
  z.object({ kind: z.literal('open'), record: recordSchema }),
  z.object({ kind: z.literal('part'), msn: z.int(), part: partSchema }),
  z.object({ kind: z.literal('close'), record: recordSchema }),
  z.object({ kind: z.literal('lost'), msn: z.int() }),
  z.object({ kind: z.literal('floor'), msn: z.int() }),
]);

/** Lines as they are appended. The newline before them closes what a full disk may have torn. */
export function journalText(lines: readonly JournalLine[]): string {
  return lines.map((line) => `\n${JSON.stringify(line)}\n`).join('');
}

// Open, four parts and close of each segment, and the same again.
const MAX_LINES_PER_RECORD = 12;

/** Whether a journal says so much of what is gone that it should be written anew. */
export function isLong(lines: number, records: number): boolean {
  return lines > MAX_LINES_PER_RECORD * (records + 100);
}

/** The shortest journal that says the same. */
export function compactJournal(
  headers: ReadonlyMap<number, string>,
  closed: readonly SegmentRecord[],
  open: SegmentRecord | undefined,
  isTrimmed: boolean,
): JournalLine[] {
  const [oldest] = closed;
  return [
    ...(isTrimmed && oldest !== undefined ? [{ kind: 'floor' as const, msn: oldest.msn }] : []),
    ...Array.from(headers, ([era, uri]): JournalLine => ({ kind: 'header', era, uri })),
    ...closed.map((record): JournalLine => ({ kind: 'close', record })),
    ...(open === undefined ? [] : [{ kind: 'open' as const, record: open }]),
  ];
}

/** What only matters until its segment is closed: most of a journal, told apart without parsing it. */
const GROWTH = /^\{"kind":"(?:open","record":\{|part",)"msn":(\d{1,15}),/;

/** Reads a journal as far as its lines are whole. Never throws. */
export function readJournal(text: string): JournalState {
  const fold: Fold = {
    headers: new Map(),
    closed: new Map(),
    open: undefined,
    isTrimmed: false,
  };
  const rows = text.split('\n').filter((row) => row !== '');
  const lines = rows.map((row) => (GROWTH.test(row) ? row : parseLine(row)));
  const newestMsn = lines.reduce(
    (newest, line) =>
      typeof line === 'object' && line.kind === 'close'
        ? Math.max(newest, line.record.msn)
        : newest,
    -1,
  );
  let tornLines = 0;
  for (const row of lines) {
    const line = typeof row === 'string' ? growthAfter(newestMsn, row) : row;
    if (line === undefined) {
      tornLines += 1;
    } else if (line !== 'closed') {
      apply(fold, line);
    }
  }
  const closed = [...fold.closed.values()].sort((a, b) => a.msn - b.msn);
  // An open segment is the newest: one that something newer followed was lost.
  const isStale = fold.open !== undefined && fold.open.msn <= (closed.at(-1)?.msn ?? -1);
  return {
    headers: fold.headers,
    closed,
    open: isStale ? undefined : fold.open,
    isTrimmed: fold.isTrimmed,
    lines: rows.length,
    tornLines,
  };
}

type Fold = {
  readonly headers: Map<number, string>;
  readonly closed: Map<number, SegmentRecord>;
  open: SegmentRecord | undefined;
  isTrimmed: boolean;
};

function apply(fold: Fold, line: JournalLine): void {
  switch (line.kind) {
    case 'header':
      fold.headers.set(line.era, line.uri);
      break;
    case 'open':
      fold.open = line.record;
      break;
    case 'part':
      fold.open = fold.open?.msn === line.msn ? withPart(fold.open, line.part) : fold.open;
      break;
    case 'close':
      // What was closed never changes.
      if (!fold.closed.has(line.record.msn)) {
        fold.closed.set(line.record.msn, line.record);
      }
      fold.open = fold.open?.msn === line.record.msn ? undefined : fold.open;
      break;
    case 'lost':
      fold.open = fold.open?.msn === line.msn ? undefined : fold.open;
      break;
    case 'floor':
      fold.isTrimmed = true;
      dropBefore(fold.closed, line.msn);
  }
}

function dropBefore(closed: Map<number, SegmentRecord>, floor: number): void {
  for (const msn of closed.keys()) {
    if (msn < floor) {
      closed.delete(msn);
    }
  }
}

/** A journal that was compacted meanwhile may tell of a part twice. */
function withPart(open: SegmentRecord, part: PartRecord): SegmentRecord {
  return part.index <= (open.parts.at(-1)?.index ?? -1)
    ? open
    : { ...open, parts: [...open.parts, part] };
}

/** The line where its segment is newer than all that are closed; undefined where it is torn. */
function growthAfter(newestMsn: number, row: string): JournalLine | 'closed' | undefined {
  return Number(GROWTH.exec(row)?.[1]) <= newestMsn ? 'closed' : parseLine(row);
}

function parseLine(row: string): JournalLine | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(row)).data;
  } catch {
    return undefined;
  }
}
