/**
 * Writes one track of one session behind the live path: segment files that grow chunk by chunk, the
 * journal, header files. A segment whose write fails or has no room is removed whole. Leaves what is
 * listed to the index (session.ts) and what is deleted for age to the archive.
 */
import { join } from 'node:path';
import type { UnixMs } from '../../../infra/kernel/time.ts';
import { concatBytes } from '../../cmaf/index.ts';
import type { TrackHeader } from '../trackHeader.ts';
import type { SegmentRecord } from '../storage.ts';
import { errorCode, type FileSystem, type GrowingFile } from './fileSystem.ts';
import type { Health } from './health.ts';
import { type JournalLine, journalText } from './journal.ts';
import type { Lane } from './lanes.ts';
import { lostRecord } from './trackIndex.ts';

/** Bytes that wait to be written, of all tracks. */
export class WriteBudget {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a segment should be begun: half of the budget is kept for those that are. */
  get hasRoom(): boolean {
    return this.#bytes * 2 <= this.#maxBytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) {
      return false;
    }
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** What the writers of an archive share. */
export type WriterDeps = {
  readonly fileSystem: FileSystem;
  readonly budget: WriteBudget;
  readonly health: Health;
  nowMs(): UnixMs;
  /** Work on the disk failed. */
  onFault(error: unknown): void;
  /** A segment is on disk. */
  onWritten(): void;
  /** A segment was dropped. */
  onDropped(): void;
};

type SegmentFile = {
  readonly msn: number;
  readonly path: string;
  /** All of it, until it is on disk; shared with the ring. */
  readonly chunks: Uint8Array[];
  unwritten: Uint8Array[];
  record: SegmentRecord;
  handle: GrowingFile | undefined;
  /** On disk already when this process began. */
  readonly isResumed: boolean;
  /** The file is ours to remove. */
  isMade: boolean;
  isClosed: boolean;
  isLost: boolean;
};

/** See the file header. `close` of the archive: `release`. */
export class TrackWriter {
  readonly #deps: WriterDeps;
  readonly #directory: string;
  readonly #journalPath: string;
  readonly #lane: Lane;
  readonly #onLost: (msn: number) => void;
  /** Not yet on disk, or growing. */
  readonly #files = new Map<number, SegmentFile>();
  readonly #headers = new Map<string, { readonly header: TrackHeader; isWritten: boolean }>();
  /** Header of each era, and whether the journal says so. */
  readonly #eras = new Map<number, { readonly uri: string; isWritten: boolean }>();
  #isDirectoryMade = false;
  #lines = 0;
  #open: SegmentFile | undefined;

  constructor(
    deps: WriterDeps,
    at: { readonly directory: string; readonly session: string; readonly lane: Lane },
    onLost: (msn: number) => void,
  ) {
    this.#deps = deps;
    this.#directory = at.directory;
    this.#journalPath = join(at.directory, `${at.session}.jsonl`);
    this.#lane = at.lane;
    this.#onLost = onLost;
  }

  /** Keeps a header file, written before the first segment that needs it. */
  header(era: number, header: TrackHeader): void {
    if (!this.#headers.has(header.uri)) {
      this.#headers.set(header.uri, { header, isWritten: false });
    }
    if (this.#eras.get(era)?.uri !== header.uri) {
      this.#eras.set(era, { uri: header.uri, isWritten: false });
    }
  }

  /** Goes on with a segment that was found open. */
  resume(record: SegmentRecord, chunks: readonly Uint8Array[]): void {
    const file = this.#fileOf(record, true);
    file.chunks.push(...chunks);
    this.#files.set(record.msn, file);
    this.#open = file;
  }

  open(record: SegmentRecord): void {
    const { budget, health } = this.#deps;
    this.#loseOpen();
    const file = this.#fileOf(record, false);
    this.#open = file;
    if (!health.mayTry(this.#deps.nowMs()) || !budget.hasRoom || this.#lane.isFull) {
      health.slow(!budget.hasRoom || this.#lane.isFull);
      file.isLost = true;
      this.#deps.onDropped();
      return;
    }
    health.slow(false);
    this.#files.set(record.msn, file);
    this.#lane.push(() => this.#guard(file, () => this.#create(file)));
  }

  append(record: SegmentRecord, chunk: Uint8Array): void {
    const file = this.#open;
    if (file?.msn !== record.msn || file.isLost) {
      return;
    }
    if (!this.#deps.budget.take(chunk.length)) {
      this.#deps.health.slow(true);
      this.#lose(file);
      return;
    }
    file.chunks.push(chunk);
    file.unwritten.push(chunk);
    const parts = record.parts.slice(file.record.parts.length);
    file.record = record;
    const lines = parts.map((part): JournalLine => ({ kind: 'part', msn: file.msn, part }));
    this.#lane.push(() =>
      this.#guard(file, async () => {
        await this.#write(file);
        await this.#append(...lines);
      }),
    );
  }

  /** @returns the record as it is listed: a gap where the bytes were lost */
  complete(record: SegmentRecord, filler: readonly Uint8Array[] = []): SegmentRecord {
    if (record.isGap) {
      return this.#completeGap(record, filler);
    }
    const file = this.#open;
    if (file?.msn !== record.msn || file.isLost) {
      const lost = lostRecord(record);
      this.#note({ kind: 'close', record: lost });
      this.#open = file?.msn === record.msn ? undefined : file;
      return lost;
    }
    this.#open = undefined;
    this.#finish(file, record);
    return record;
  }

  /** Bytes of a segment that is not on disk yet. */
  pending(msn: number): Uint8Array | undefined {
    const file = this.#files.get(msn);
    return file === undefined || file.isLost || !file.isClosed
      ? undefined
      : concatBytes(file.chunks);
  }

  /** Bytes of a header, written or not. */
  headerBytes(uri: string): Uint8Array | undefined {
    return this.#headers.get(uri)?.header.bytes;
  }

  /** Notes that everything older than `msn` goes, then removes these files. */
  deleteBefore(msn: number, dropped: readonly SegmentRecord[]): void {
    this.#lane.push(() =>
      this.#guard(undefined, async () => {
        await this.#append({ kind: 'floor', msn });
        await removeSegments(this.#deps.fileSystem, this.#directory, dropped);
      }),
    );
  }

  /** Lines of the journal since it was last written anew by this process. */
  get lines(): number {
    return this.#lines;
  }

  /** Writes the journal anew: `lines` with what is open. */
  compact(lines: (open: SegmentRecord | undefined) => readonly JournalLine[]): void {
    this.#lines = 0;
    this.after(async () => {
      const open = this.#open?.isLost === false ? this.#open.record : undefined;
      await this.#deps.fileSystem.replace(this.#journalPath, journalText(lines(open)));
    });
  }

  /** Runs `job` behind everything that was told so far. */
  after(job: () => Promise<void>): void {
    this.#lane.push(() => this.#guard(undefined, job));
  }

  /** Closes what is open, with all that was told of it on disk; the file stays as it is. */
  release(): void {
    const file = this.#open;
    this.#lane.push(() =>
      this.#guard(undefined, async () => {
        await file?.handle?.close();
      }),
    );
  }

  #completeGap(record: SegmentRecord, filler: readonly Uint8Array[]): SegmentRecord {
    const { budget, health } = this.#deps;
    const bytes = filler.reduce((sum, { length }) => sum + length, 0);
    const canWrite = bytes > 0 && health.mayTry(this.#deps.nowMs()) && !this.#lane.isFull;
    if (!canWrite || !budget.take(bytes)) {
      const empty = { ...record, bytes: 0 };
      this.#note({ kind: 'close', record: empty });
      return empty;
    }
    const file = this.#fileOf(record, false);
    file.chunks.push(...filler);
    file.unwritten.push(...filler);
    this.#files.set(file.msn, file);
    this.#lane.push(() => this.#guard(file, () => this.#create(file)));
    const listed = { ...record, bytes };
    this.#finish(file, listed);
    return listed;
  }

  #finish(file: SegmentFile, record: SegmentRecord): void {
    file.isClosed = true;
    file.record = record;
    this.#lane.push(() =>
      this.#guard(file, async () => {
        await this.#write(file);
        await file.handle?.close();
        file.handle = undefined;
        await this.#append({ kind: 'close', record });
        this.#files.delete(file.msn);
        this.#deps.onWritten();
      }),
    );
  }

  #fileOf(record: SegmentRecord, isResumed: boolean): SegmentFile {
    return {
      msn: record.msn,
      path: join(this.#directory, segmentName(record.msn)),
      chunks: [],
      unwritten: [],
      record,
      handle: undefined,
      isResumed,
      isMade: isResumed,
      isClosed: false,
      isLost: false,
    };
  }

  async #create(file: SegmentFile): Promise<void> {
    await this.#prepare();
    if (!file.record.isGap) {
      await this.#append({ kind: 'open', record: file.record });
    }
    file.handle = await this.#deps.fileSystem.open(file.path, 'new');
    file.isMade = true;
    await this.#write(file);
  }

  /** What segments and lines need: the directory, headers, and which era has which. */
  async #prepare(): Promise<void> {
    const { fileSystem } = this.#deps;
    if (!this.#isDirectoryMade) {
      await fileSystem.makeDirectory(this.#directory);
      this.#isDirectoryMade = true;
    }
    for (const known of this.#headers.values()) {
      if (!known.isWritten) {
        await this.#writeHeader(known.header);
        known.isWritten = true;
      }
    }
    for (const [era, known] of this.#eras) {
      if (!known.isWritten) {
        await this.#append({ kind: 'header', era, uri: known.uri });
        known.isWritten = true;
      }
    }
  }

  async #writeHeader({ uri, bytes }: TrackHeader): Promise<void> {
    const { fileSystem } = this.#deps;
    const path = join(this.#directory, uri);
    if ((await fileSystem.size(path)) === bytes.length) {
      return;
    }
    await fileSystem.remove(path);
    const file = await fileSystem.open(path, 'new');
    try {
      await file.write([bytes]);
    } finally {
      await file.close();
    }
  }

  async #write(file: SegmentFile): Promise<void> {
    const slices = file.unwritten;
    if (slices.length === 0) {
      return;
    }
    file.unwritten = [];
    try {
      file.handle ??= file.isResumed
        ? await this.#deps.fileSystem.open(file.path, 'append')
        : undefined;
      await file.handle?.write(slices);
    } finally {
      this.#deps.budget.give(lengthOf(slices));
    }
  }

  async #append(...lines: JournalLine[]): Promise<void> {
    if (lines.length > 0) {
      this.#lines += lines.length;
      await this.#deps.fileSystem.append(this.#journalPath, journalText(lines));
    }
  }

  /** A line that may be missing: what it says is seen from what is not there. */
  #note(line: JournalLine): void {
    if (!this.#lane.isFull && this.#deps.health.mayTry(this.#deps.nowMs())) {
      this.#lane.push(() =>
        this.#guard(undefined, async () => {
          await this.#prepare();
          await this.#append(line);
        }),
      );
    }
  }

  async #guard(file: SegmentFile | undefined, work: () => Promise<void>): Promise<void> {
    if (file?.isLost === true) {
      return;
    }
    try {
      await work();
    } catch (error) {
      if (errorCode(error) === 'ENOENT') {
        // The directory was taken away: it is made again with the next segment.
        this.#isDirectoryMade = false;
        for (const known of [...this.#headers.values(), ...this.#eras.values()]) {
          known.isWritten = false;
        }
      }
      this.#deps.onFault(error);
      if (file !== undefined) {
        this.#lose(file);
      }
    }
  }

  #loseOpen(): void {
    if (this.#open !== undefined && !this.#open.isLost) {
      this.#lose(this.#open);
    }
  }

  #lose(file: SegmentFile): void {
    if (file.isLost) {
      return;
    }
    file.isLost = true;
    this.#deps.budget.give(lengthOf(file.unwritten));
    file.unwritten = [];
    this.#files.delete(file.msn);
    this.#deps.onDropped();
    this.#onLost(file.msn);
    this.#lane.push(() =>
      this.#guard(undefined, async () => {
        await file.handle?.close();
        file.handle = undefined;
        if (file.isMade) {
          await this.#deps.fileSystem.remove(file.path);
        }
        await this.#append({ kind: 'lost', msn: file.msn });
        if (file.isClosed) {
          await this.#append({ kind: 'close', record: lostRecord(file.record) });
        }
      }),
    );
  }
}

/** Name of a segment's file: its number on the timeline. */
export function segmentName(msn: number): string {
  return `${msn}.m4s`;
}

/** Removes the files of `records`. */
export async function removeSegments(
  fileSystem: FileSystem,
  directory: string,
  records: readonly SegmentRecord[],
): Promise<void> {
  for (const { msn, bytes } of records) {
    if (bytes > 0) {
      await fileSystem.remove(join(directory, segmentName(msn)));
    }
  }
}

function lengthOf(slices: readonly Uint8Array[]): number {
  return slices.reduce((sum, { length }) => sum + length, 0);
}
