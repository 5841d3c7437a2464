/**
 * Reads back what an archive left on disk: sessions, journals, and whether each file is what its
 * journal says. What is not is removed and stands as a gap; what nobody knows of is removed. Media is
 * read of open segments only, to cut them back to their last complete chunk.
 */
import { join } from 'node:path';
import { broadcastIdSchema, trackNameSchema } from '../../../infra/kernel/wire.ts';
import type { PartRecord, SegmentRecord } from '../storage.ts';
import { type FileSystem, UNFINISHED_SUFFIX } from './fileSystem.ts';
import { compactJournal, isLong, journalText, readJournal } from './journal.ts';
import { Session, type SessionTrack } from './session.ts';
import { isRecordingId, readSession } from './sessionFile.ts';
import { lostRecord } from './trackIndex.ts';
import { segmentName } from './trackWriter.ts';

/** What was found. */
export type Loaded = {
  /** Sessions of each broadcast, oldest first. */
  readonly broadcasts: ReadonlyMap<string, readonly Session[]>;
  /** Files that were left out: truncated, of no journal, or not finished. */
  readonly leftOut: number;
  readonly tornLines: number;
};

type Tally = { leftOut: number; tornLines: number };

const BOX_HEADER_BYTES = 8;
/** `mdat` */
const MDAT = 0x6d_64_61_74;
const STAT_WIDTH = 32;

/** See the file header. Rejects where the directory cannot be read. */
export async function loadArchive(fileSystem: FileSystem, directory: string): Promise<Loaded> {
  const tally: Tally = { leftOut: 0, tornLines: 0 };
  const broadcasts = new Map<string, readonly Session[]>();
  for (const id of await fileSystem.list(directory)) {
    if (broadcastIdSchema.safeParse(id).success) {
      const sessions = await loadBroadcast(fileSystem, directory, id, tally);
      if (sessions.length > 0) {
        broadcasts.set(id, sessions);
      }
    }
  }
  return { broadcasts, ...tally };
}

async function loadBroadcast(
  fileSystem: FileSystem,
  directory: string,
  broadcastId: string,
  tally: Tally,
): Promise<Session[]> {
  const home = join(directory, broadcastId);
  const names = await fileSystem.list(home);
  const sessions = new Map<string, Session>();
  for (const name of names) {
    const id = name.replace(/\.json$/, '');
    if (id !== name && isRecordingId(id)) {
      const bytes = await fileSystem.read(join(home, name));
      const file = bytes === undefined ? undefined : readSession(textOf(bytes));
      if (file?.id === id) {
        sessions.set(id, new Session({ broadcastId, ...file }));
      }
    } else if (name.endsWith(UNFINISHED_SUFFIX)) {
      await fileSystem.remove(join(home, name));
    }
  }
  for (const track of names.filter((name) => trackNameSchema.safeParse(name).success)) {
    await loadTrack(fileSystem, { home, broadcastId, track }, sessions, tally);
  }
  const found = [...sessions.values()].sort((a, b) => a.id.localeCompare(b.id));
  for (const session of found) {
    session.eras = allEras(session);
    // Where the window began before the restart it does not begin earlier now.
    session.isSqueezed = [...session.tracks.values()].some(({ index }) => index.isTrimmed);
  }
  return found;
}

type TrackHome = {
  readonly fileSystem: FileSystem;
  readonly home: string;
  readonly sizes: ReadonlyMap<string, number | undefined>;
};

async function loadTrack(
  fileSystem: FileSystem,
  at: { readonly home: string; readonly broadcastId: string; readonly track: string },
  sessions: Map<string, Session>,
  tally: Tally,
): Promise<void> {
  const home = join(at.home, at.track);
  const names = await fileSystem.list(home);
  const sizes = await sizesOf(fileSystem, home, names);
  const known = new Set<string>();
  for (const name of names) {
    const id = name.replace(/\.jsonl$/, '');
    if (id !== name && isRecordingId(id)) {
      // A session whose own file was never written is told by its journals.
      const session =
        sessions.get(id) ??
        new Session({ broadcastId: at.broadcastId, id, grid: undefined, eras: [] });
      sessions.set(id, session);
      const track = session.track(at.track);
      const isRunning = session.end === undefined;
      tally.tornLines += await loadJournal({ fileSystem, home, sizes }, name, track, isRunning);
      for (const { msn, bytes } of track.index.records) {
        known.add(bytes > 0 ? segmentName(msn) : '');
      }
      known.add(track.found === undefined ? '' : segmentName(track.found.record.msn));
    }
  }
  for (const name of names) {
    const isMedia = /^\d+\.m4s$/.test(name);
    if ((isMedia && !known.has(name)) || name.endsWith(UNFINISHED_SUFFIX)) {
      tally.leftOut += 1;
      await fileSystem.remove(join(home, name));
    }
  }
}

/** @returns lines that were torn */
async function loadJournal(
  { fileSystem, home, sizes }: TrackHome,
  name: string,
  track: SessionTrack,
  isRunning: boolean,
): Promise<number> {
  const path = join(home, name);
  const bytes = await fileSystem.read(path);
  const journal = readJournal(bytes === undefined ? '' : textOf(bytes));
  const { headers, index } = track;
  journal.headers.forEach((uri, era) => headers.set(era, uri));
  index.isTrimmed = journal.isTrimmed;
  let isChanged = journal.tornLines > 0;
  for (const record of journal.closed) {
    const isWhole = record.bytes === 0 || sizes.get(segmentName(record.msn)) === record.bytes;
    isChanged ||= !isWhole;
    index.add(isWhole ? record : lostRecord(record));
  }
  const open = isRunning ? journal.open : undefined;
  track.found = open && (await cutBack({ fileSystem, home, sizes }, open));
  isChanged ||= journal.open !== undefined && track.found === undefined;
  if (isChanged || isLong(journal.lines, index.records.length)) {
    const lines = compactJournal(headers, index.records, track.found?.record, index.isTrimmed);
    await fileSystem.replace(path, journalText(lines));
  }
  return journal.tornLines;
}

async function sizesOf(
  fileSystem: FileSystem,
  home: string,
  names: readonly string[],
): Promise<Map<string, number | undefined>> {
  const media = names.filter((name) => name.endsWith('.m4s'));
  const sizes = new Map<string, number | undefined>();
  const next = media.values();
  const work = async (): Promise<void> => {
    for (const name of next) {
      sizes.set(name, await fileSystem.size(join(home, name)));
    }
  };
  await Promise.all(Array.from({ length: STAT_WIDTH }, work));
  return sizes;
}

/** What of an open segment's file is complete chunks; the rest is cut off. */
async function cutBack(
  { fileSystem, home, sizes }: TrackHome,
  record: SegmentRecord,
): Promise<{ record: SegmentRecord; chunks: Uint8Array[] } | undefined> {
  const path = join(home, segmentName(record.msn));
  const bytes = sizes.has(segmentName(record.msn)) ? await fileSystem.read(path) : undefined;
  const chunks = bytes === undefined ? [] : completeChunks(bytes);
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (bytes === undefined || length === 0) {
    return undefined;
  }
  if (length < bytes.length) {
    await fileSystem.truncate(path, length);
  }
  return { record: { ...record, bytes: length, parts: partsWithin(record.parts, length) }, chunks };
}

/**
 * Cuts a file into its chunks (`styp`, `moof mdat`, as this house writes them); what is incomplete at
 * the end, or is no box, is left out with all that follows. Never throws.
 */
export function completeChunks(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Uint8Array[] = [];
  let begin = 0;
  for (let at = 0; at + BOX_HEADER_BYTES <= bytes.length;) {
    const size = view.getUint32(at);
    const type = view.getUint32(at + 4);
    if (size < BOX_HEADER_BYTES || at + size > bytes.length) {
      break;
    }
    at += size;
    if (type === MDAT) {
      chunks.push(bytes.subarray(begin, at));
      begin = at;
    }
  }
  return chunks;
}

function partsWithin(parts: readonly PartRecord[], bytes: number): PartRecord[] {
  let end = 0;
  const cut = parts.findIndex((part) => {
    end += part.bytes;
    return end > bytes;
  });
  return cut < 0 ? [...parts] : parts.slice(0, cut);
}

/** Also those that began in the moment before the process died. */
function allEras(session: Session): Session['eras'] {
  const eras = new Map(session.eras.map(({ era, firstMsn }) => [era, firstMsn]));
  for (const { index, found } of session.tracks.values()) {
    for (const { era, msn } of [...index.records, ...(found === undefined ? [] : [found.record])]) {
      if (!eras.has(era)) {
        eras.set(era, era === 0 ? 0 : msn);
      }
    }
  }
  return [...eras].map(([era, firstMsn]) => ({ era, firstMsn })).sort((a, b) => a.era - b.era);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}
