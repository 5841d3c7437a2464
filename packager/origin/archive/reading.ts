/**
 * Reads media of one broadcast back: from its file, from what waits to be written, or, of a segment
 * that is listed as a gap and has no file, what DASH is given in its place: `$Number$` cannot say that
 * it is missing, and a 404 is retried until the player gives up.
 */
import { join } from 'node:path';
import { parseInit, type TrackInit } from '../../cmaf/index.ts';
import { fillerSegment, firstPicture } from '../filler.ts';
import type { SegmentRecord } from '../storage.ts';
import type { FileSystem } from './fileSystem.ts';
import type { Holding } from './holding.ts';
import type { SessionTrack } from './session.ts';
import { segmentName } from './trackWriter.ts';

/** Bytes of a resource. */
type Range = { readonly offset: number; readonly length: number };
type Found = { readonly record: SegmentRecord; readonly track: SessionTrack };

/** A track of a broadcast, and where its files are. */
export type ReadTarget = {
  readonly fileSystem: FileSystem;
  readonly holding: Holding;
  readonly name: string;
};

/** A segment (or `range` of it); undefined where nothing is there. Rejects where the disk fails. */
export async function readSegment(
  target: ReadTarget,
  msn: number,
  range?: Range,
): Promise<Uint8Array | undefined> {
  const found = target.holding.find(target.name, msn);
  if (found === undefined) {
    return undefined;
  }
  if (found.record.bytes > 0) {
    return readFile(target, found, range);
  }
  const filler = await fillerOf(target, found);
  return range === undefined ? filler : filler?.subarray(range.offset, range.offset + range.length);
}

/** A header file; undefined where it is not of this track. Rejects where the disk fails. */
export async function readHeader(
  { fileSystem, holding, name }: ReadTarget,
  uri: string,
): Promise<Uint8Array | undefined> {
  return holding.hasHeader(name, uri)
    ? (holding.headerBytes(name, uri) ?? fileSystem.read(join(holding.home, name, uri)))
    : undefined;
}

async function readFile(
  { fileSystem, holding, name }: ReadTarget,
  { record, track }: Found,
  { offset, length }: Range = { offset: 0, length: record.bytes },
): Promise<Uint8Array | undefined> {
  const end = Math.min(record.bytes, offset + length);
  const pending = track.writer?.pending(record.msn);
  if (pending !== undefined) {
    return pending.subarray(offset, end);
  }
  const path = join(holding.home, name, segmentName(record.msn));
  const bytes = await fileSystem.read(path, { offset, length: end - offset });
  return bytes?.length === end - offset ? bytes : undefined;
}

async function fillerOf(target: ReadTarget, found: Found): Promise<Uint8Array | undefined> {
  const header = await readHeader(target, found.record.initUri);
  if (header === undefined) {
    return undefined;
  }
  const init = parseInit(header);
  return fillerSegment(init, found.record, await pictureBefore(target, found, init));
}

/** The picture that a ring would have held on to: of the newest segment before it with its header. */
async function pictureBefore(
  target: ReadTarget,
  { record, track }: Found,
  init: TrackInit,
): Promise<Uint8Array | undefined> {
  if (init.kind !== 'video') {
    return undefined;
  }
  const before = track.index.records.findLast(
    ({ msn, bytes, isGap }) => msn < record.msn && bytes > 0 && !isGap,
  );
  return before?.initUri === record.initUri
    ? firstPicture(await readFile(target, { record: before, track }), init)?.data
    : undefined;
}
