/**
 * A track goes on where a dead process left it: its segments back in the ring, its cutter at the
 * first sample that is missing. Bytes come from disk as they were; cutting the samples of the open
 * segment again only says which parts there are.
 */
import { type Grid, gridStart, gridTicks, partsPerSegment } from '../../infra/kernel/grid.ts';
import { type Ticks, ticks } from '../../infra/kernel/time.ts';
import { BoxSplitter, parseFragment, type Sample, type TrackInit } from '../cmaf/index.ts';
import type { CutEvent, Cutter } from './cutter.ts';
import type { PublisherIdentity } from './follow.ts';
import type { SegmentRing } from './segmentRing.ts';
import type { TrackHeader } from './trackHeader.ts';
import type { PartRecord, RestoredSegment, RestoredTrack, SegmentRecord } from './storage.ts';

/** What a restore is done with. */
export type RestoreTarget = {
  readonly grid: Grid;
  readonly timescale: number;
  readonly ring: SegmentRing;
  readonly cutter: Cutter;
};

/** What a restore found. */
export type Restored = {
  /** Who made the newest segment. */
  readonly publisher: PublisherIdentity | undefined;
  /** The open segment where it is closed: it lacked nothing, or nobody can go on with it. */
  readonly completed: SegmentRecord | undefined;
};

/** Fills ring and cutter of `target`, which are empty. */
export function restoreTrack(restored: RestoredTrack, target: RestoreTarget): Restored {
  const { cutter, ring } = target;
  for (const segment of restored.closed) {
    const header = restored.headers.get(segment.record.era);
    if (header !== undefined) {
      ring.restore(segment, header, true);
    }
  }
  const newest = restored.closed.at(-1)?.record;
  if (newest !== undefined) {
    cutter.resume(newest.msn + 1, ticks(newest.start + newest.duration), newest.start);
  }
  const maker = restored.closed.findLast(({ record }) => record.publisher !== undefined);
  const { open } = restored;
  const header = open === undefined ? undefined : restored.headers.get(open.record.era);
  if (open === undefined || header === undefined || open.record.msn <= (newest?.msn ?? -1)) {
    return { publisher: maker?.record.publisher, completed: undefined };
  }
  return {
    publisher: open.record.publisher ?? maker?.record.publisher,
    completed: restoreOpen(open, header, target),
  };
}

/** @returns the segment where it is closed: whole, or cut short with the missing parts GAP */
function restoreOpen(
  open: RestoredSegment,
  header: TrackHeader,
  { grid, timescale, ring, cutter }: RestoreTarget,
): SegmentRecord | undefined {
  const samples = samplesOf(open.chunks, header.init);
  const events = [...samples.flatMap((sample) => cutter.push(sample)), ...cutter.flush()];
  for (const event of events) {
    if (event.kind === 'gap') {
      ring.apply(event, header, open.record.era);
    }
  }
  const cut = partsOf(events, open);
  if (cut !== undefined) {
    const { isWhole, parts } = cut;
    const duration = isWhole ? durationOf(parts) : open.record.duration;
    const record = { ...open.record, parts, duration };
    ring.restore({ record, chunks: open.chunks }, header, isWhole);
    return isWhole ? withPicture(record, ring) : undefined;
  }
  const cutShort = closedShort(open.record, grid, timescale);
  ring.restore({ record: cutShort, chunks: open.chunks }, header, true);
  const end = gridStart(grid, cutShort.msn + 1, timescale);
  cutter.resume(cutShort.msn + 1, end, cutShort.start);
  return withPicture(cutShort, ring);
}

/** The journal told of the segment before its first picture was there. */
function withPicture(record: SegmentRecord, { newest }: SegmentRing): SegmentRecord {
  return newest?.iframe === undefined ? record : { ...record, iframe: newest.iframe };
}

/** Samples of whole chunks; none where they cannot be read. */
function samplesOf(chunks: readonly Uint8Array[], init: TrackInit): Sample[] {
  try {
    return chunks.flatMap((bytes) => {
      const boxes = new BoxSplitter().push(bytes);
      const at = boxes.findIndex(({ type }) => type === 'moof');
      const [moof, mdat] = boxes.slice(at, at + 2);
      return at < 0 || moof === undefined || mdat === undefined
        ? []
        : parseFragment(moof, mdat, init);
    });
  } catch {
    return [];
  }
}

/**
 * Parts that the chunks of an open segment make, and whether they are all of it; undefined where they
 * were cut otherwise.
 */
function partsOf(
  events: readonly CutEvent[],
  { record, chunks }: RestoredSegment,
): { readonly parts: PartRecord[]; readonly isWhole: boolean } | undefined {
  const parts: PartRecord[] = [];
  let isWhole = false;
  let next = 0;
  let bytes = 0;
  for (const event of events) {
    if (isWhole || (event.kind !== 'gap' && event.msn !== record.msn)) {
      return undefined;
    }
    isWhole = event.kind === 'close';
    if (event.kind === 'chunk') {
      bytes += chunks[next]?.length ?? 0;
      next += 1;
    } else if (event.kind === 'part') {
      const { index, duration, isIndependent, isGap } = event;
      parts.push({ index, duration, isIndependent, isGap, bytes });
      bytes = 0;
    }
  }
  return next === chunks.length && next > 0 ? { parts, isWhole } : undefined;
}

function closedShort(record: SegmentRecord, grid: Grid, timescale: number): SegmentRecord {
  const missing = Math.max(0, partsPerSegment(grid) - record.parts.length);
  const parts = [
    ...record.parts,
    ...Array.from({ length: missing }, (_, index) => ({
      index: record.parts.length + index,
      duration: ticks(gridTicks(grid.partMs, timescale)),
      isIndependent: false,
      isGap: true,
      bytes: 0,
    })),
  ];
  return {
    ...record,
    parts,
    duration: durationOf(parts),
  };
}

function durationOf(parts: readonly PartRecord[]): Ticks {
  return ticks(parts.reduce((sum, part) => sum + part.duration, 0));
}
