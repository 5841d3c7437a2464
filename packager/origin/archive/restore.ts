/** Reads back what a ring needs of a session: its newest segments, the open one, and their headers. */
import { join } from 'node:path';
import { errorText } from '../../../infra/kernel/errors.ts';
import type { Logger } from '../../../infra/kernel/logger.ts';
import { parseInit, type TrackInit } from '../../cmaf/index.ts';
import type { TrackHeader } from '../trackHeader.ts';
import type { RestoredSegment, RestoredTrack, SegmentRecord } from '../storage.ts';
import type { FileSystem } from './fileSystem.ts';
import type { Session, SessionTrack } from './session.ts';
import { lostRecord } from './trackIndex.ts';
import { segmentName } from './trackWriter.ts';

/** Tracks of `session`, each with at most `ringSegments` closed segments. Never rejects. */
export async function restoreSession(
  fileSystem: FileSystem,
  home: string,
  session: Session,
  ringSegments: number,
  logger: Logger,
): Promise<RestoredTrack[]> {
  const tracks: RestoredTrack[] = [];
  for (const [name, track] of session.tracks) {
    try {
      const restored = await restoreTrack(fileSystem, join(home, name), name, track, ringSegments);
      if (restored !== undefined) {
        tracks.push(restored);
      }
    } catch (error) {
      logger.warn(
        { broadcast: session.broadcastId, track: name, reason: errorText(error) },
        'track not restored',
      );
    }
  }
  return tracks;
}

async function restoreTrack(
  fileSystem: FileSystem,
  home: string,
  name: string,
  track: SessionTrack,
  ringSegments: number,
): Promise<RestoredTrack | undefined> {
  const open = track.found;
  track.found = undefined;
  const records = track.index.records.slice(-ringSegments);
  const headers = await readHeaders(fileSystem, home, track, [
    ...records,
    ...(open === undefined ? [] : [open.record]),
  ]);
  // Without its header nothing can be played: what is older than such a segment is left to the disk.
  const first = records.findLastIndex(({ era }) => !headers.has(era)) + 1;
  const closed: RestoredSegment[] = [];
  for (const record of records.slice(first)) {
    closed.push(await readSegment(fileSystem, home, track, record));
  }
  const isOpenKnown = open !== undefined && headers.has(open.record.era);
  return closed.length === 0 && !isOpenKnown
    ? undefined
    : { name, headers, closed, open: isOpenKnown ? open : undefined };
}

async function readSegment(
  fileSystem: FileSystem,
  home: string,
  track: SessionTrack,
  record: SegmentRecord,
): Promise<RestoredSegment> {
  if (record.bytes === 0) {
    return { record, chunks: [] };
  }
  const bytes =
    track.writer?.pending(record.msn) ??
    (await fileSystem.read(join(home, segmentName(record.msn))));
  return bytes?.length === record.bytes
    ? { record, chunks: [bytes] }
    : { record: lostRecord(record), chunks: [] };
}

async function readHeaders(
  fileSystem: FileSystem,
  home: string,
  track: SessionTrack,
  records: readonly SegmentRecord[],
): Promise<Map<number, TrackHeader>> {
  const headers = new Map<number, TrackHeader>();
  for (const era of new Set(records.map((record) => record.era))) {
    const uri = track.headers.get(era);
    const bytes = uri === undefined ? undefined : await fileSystem.read(join(home, uri));
    const init = bytes === undefined ? undefined : initOf(bytes);
    if (uri !== undefined && bytes !== undefined && init !== undefined) {
      headers.set(era, { uri, bytes, init });
    }
  }
  return headers;
}

/** Undefined where the process died while it wrote the file: nothing was written behind it then. */
function initOf(bytes: Uint8Array): TrackInit | undefined {
  try {
    return parseInit(bytes);
  } catch {
    return undefined;
  }
}
