/**
 * The archive on disk: `{directory}/{broadcast}/{track}/{msn}.m4s`, header files, a journal for each
 * track and session, a file for each session. Owns which session a call belongs to, what is deleted
 * for age or room, and what is said of the storage. Nothing here blocks or fails the live path.
 */
import { join } from 'node:path';
import type { Clock } from '../../../infra/kernel/broadcastClock.ts';
import { errorText } from '../../../infra/kernel/errors.ts';
import { withDeadline } from '../../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../../infra/kernel/logger.ts';
import type { Metrics } from '../../../infra/kernel/metrics.ts';
import type { Broadcast } from '../../../infra/kernel/wire.ts';
import type { Presentation } from '../../playlists/model.ts';
import type { TrackHeader } from '../trackHeader.ts';
import type {
  Archive,
  DateRangeRecord,
  EraRecord,
  RecordingSummary,
  RestoredBroadcast,
  SegmentRecord,
  StorageState,
} from '../storage.ts';
import { diskFileSystem, type FileSystem } from './fileSystem.ts';
import { Health } from './health.ts';
import { Holding } from './holding.ts';
import { type ArchiveConfig, Housekeeping } from './housekeeping.ts';
import { Lanes } from './lanes.ts';
import { loadArchive } from './load.ts';
import { type ReadTarget, readHeader, readSegment } from './reading.ts';
import { storageReporter } from './report.ts';
import { restoreSession } from './restore.ts';
import type { Session } from './session.ts';
import { sessionEndOf } from './sessionFile.ts';
import { TrackWriter, WriteBudget, type WriterDeps } from './trackWriter.ts';

/** What the archive is given; `fileSystem` and `maxQueuedBytes` are for tests. */
export type ArchiveDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly fileSystem?: FileSystem;
  readonly maxQueuedBytes?: number;
};

/** An archive whose owner calls `sweep` about once a second. */
export type DiskArchive = Archive & {
  /** Deletes what is too old or too much, and reports. */
  sweep(): void;
  /** Resolves when everything that was told is on disk, or was dropped. */
  idle(): Promise<void>;
};

// Some fifteen seconds of a full ladder at 30 Mbit/s; more only delays what a slow disk loses anyway.
const MAX_QUEUED_BYTES = 67_108_864;
/** Lanes at work: two of the four threads that Node has for files and names. */
const WIDTH = 2;
const CLOSE_MS = 3000;
/** Freed at once where the disk is full. */
const RELIEF_BYTES = 67_108_864;

/** Opens the archive in `directory` and reads what is there; where it cannot, it begins empty and says so. */
export async function openArchive(
  deps: ArchiveDeps,
  config: ArchiveConfig,
  directory: string,
): Promise<DiskArchive> {
  const { logger, clock, fileSystem = diskFileSystem } = deps;
  const health = new Health();
  const holdings = new Map<string, Holding>();
  const lanes = new Lanes(WIDTH);
  const startedMs = performance.now();
  try {
    const loaded = await loadArchive(fileSystem, directory);
    for (const [id, sessions] of loaded.broadcasts) {
      holdings.set(id, new Holding(id, join(directory, id), lanes.lane(), sessions));
    }
    logger.info(
      {
        broadcasts: holdings.size,
        sessions: [...holdings.values()].reduce((sum, one) => sum + one.sessions.length, 0),
        leftOutFiles: loaded.leftOut,
        tornLines: loaded.tornLines,
        durationMs: Math.round(performance.now() - startedMs),
      },
      'media read back from disk',
    );
  } catch (error) {
    health.failed(error, clock.nowMs());
    logger.error({ reason: errorText(error) }, 'media directory cannot be read: nothing restored');
  }
  return new DirectoryArchive({ ...deps, fileSystem }, config, directory, {
    health,
    holdings,
    lanes,
  });
}

/** See the file header. */
class DirectoryArchive implements DiskArchive {
  readonly #deps: ArchiveDeps & { readonly fileSystem: FileSystem };
  readonly #config: ArchiveConfig;
  readonly #directory: string;
  readonly #health: Health;
  readonly #holdings: Map<string, Holding>;
  readonly #lanes: Lanes;
  readonly #budget: WriteBudget;
  readonly #writerDeps: WriterDeps;
  readonly #keeping: Housekeeping;
  readonly #report: (dropped: number) => void;
  #dropped = 0;
  #isReliefWanted = false;
  #isClosed = false;

  constructor(
    deps: ArchiveDeps & { readonly fileSystem: FileSystem },
    config: ArchiveConfig,
    directory: string,
    state: {
      readonly health: Health;
      readonly holdings: Map<string, Holding>;
      readonly lanes: Lanes;
    },
  ) {
    this.#deps = deps;
    this.#config = config;
    this.#directory = directory;
    this.#health = state.health;
    this.#holdings = state.holdings;
    this.#lanes = state.lanes;
    this.#budget = new WriteBudget(deps.maxQueuedBytes ?? MAX_QUEUED_BYTES);
    this.#report = storageReporter(deps.metrics, () => ({
      ...this.state(),
      queued: this.#budget.bytes,
    }));
    this.#keeping = new Housekeeping(
      {
        ...deps,
        onFault: (error) => {
          this.#noteFault(error);
        },
      },
      config,
      this.#holdings,
    );
    this.#writerDeps = {
      fileSystem: deps.fileSystem,
      budget: this.#budget,
      health: state.health,
      nowMs: () => deps.clock.nowMs(),
      onFault: (error) => {
        this.#noteFault(error);
      },
      onWritten: () => {
        if (state.health.succeeded()) {
          deps.logger.info({}, 'storage works again');
        }
      },
      onDropped: () => {
        this.#dropped += 1;
      },
    };
  }

  async restore(
    broadcast: Broadcast,
    ringSegments: number,
  ): Promise<RestoredBroadcast | undefined> {
    const holding = this.#holding(broadcast.id);
    holding.claim(broadcast.grid);
    const { newest, eras, dateRanges } = holding;
    if (newest === undefined) {
      return undefined;
    }
    const { endedMs, startedMs = 0 } = broadcast;
    const isEnded = newest.end !== undefined;
    const isWanted = !isEnded || (endedMs !== undefined && endedMs >= startedMs);
    if (!isWanted) {
      const takenMs = newest.newestMsn === undefined ? 0 : newest.msOf(newest.newestMsn + 1);
      return { eras, tracks: [], isEnded: false, takenMs, dateRanges };
    }
    const tracks = await restoreSession(
      this.#deps.fileSystem,
      holding.home,
      newest,
      ringSegments,
      this.#deps.logger,
    );
    for (const { name, headers, open } of tracks) {
      headers.forEach((header, era) => {
        holding.keepHeader(name, era, header);
      });
      if (open !== undefined) {
        this.#writer(holding, newest, name).resume(open.record, open.chunks);
      }
    }
    return { eras, tracks, isEnded, dateRanges };
  }

  header(broadcastId: string, track: string, era: number, header: TrackHeader): void {
    this.#holding(broadcastId).keepHeader(track, era, header);
  }

  era(broadcastId: string, era: EraRecord): void {
    const holding = this.#holding(broadcastId);
    if (holding.addEra(era) && holding.running !== undefined) {
      this.#saveSession(holding, holding.running);
    }
  }

  dateRanges(broadcastId: string, record: DateRangeRecord): void {
    const holding = this.#holding(broadcastId);
    holding.dateRanges = record;
    if (holding.running !== undefined) {
      this.#saveSession(holding, holding.running);
    }
  }

  open(broadcastId: string, track: string, record: SegmentRecord): void {
    this.#writerFor(broadcastId, track, record).writer.open(record);
  }

  append(broadcastId: string, track: string, record: SegmentRecord, chunk: Uint8Array): void {
    const session = this.#holdings.get(broadcastId)?.running;
    session?.tracks.get(track)?.writer?.append(record, chunk);
  }

  complete(
    broadcastId: string,
    track: string,
    record: SegmentRecord,
    filler?: readonly Uint8Array[],
  ): void {
    const { writer, session } = this.#writerFor(broadcastId, track, record);
    const { index } = session.track(track);
    if (record.msn <= (index.newest?.msn ?? -1)) {
      return;
    }
    const listed = writer.complete(record, filler);
    if (!index.add(listed)) {
      // So long a hole that nobody rewinds over it: what was before it goes.
      this.#keeping.drop(session, (index.newest?.msn ?? 0) + 1);
      index.add(listed);
    }
  }

  end(broadcastId: string, presentation: Presentation): void {
    const holding = this.#holdings.get(broadcastId);
    const session = holding?.running;
    if (holding === undefined || session === undefined) {
      return;
    }
    session.end = sessionEndOf(presentation, this.#deps.clock.nowMs());
    const writers = [...session.tracks.values()].flatMap(({ writer }) => writer ?? []);
    let left = writers.length;
    for (const writer of writers) {
      writer.release();
      writer.after(() => {
        left -= 1;
        if (left === 0) {
          this.#saveSession(holding, session);
        }
        return Promise.resolve();
      });
    }
    if (left === 0) {
      this.#saveSession(holding, session);
    }
  }

  list(broadcastId: string, track: string): readonly SegmentRecord[] {
    return this.#holdings.get(broadcastId)?.newest?.list(track, this.#config.windowMs) ?? [];
  }

  async read(
    broadcastId: string,
    track: string,
    msn: number,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined> {
    return this.#read(broadcastId, track, (target) => readSegment(target, msn, range));
  }

  async readHeader(
    broadcastId: string,
    track: string,
    uri: string,
  ): Promise<Uint8Array | undefined> {
    return this.#read(broadcastId, track, (target) => readHeader(target, uri));
  }

  recording(broadcastId: string, recordingId: string): Presentation | undefined {
    return this.#holdings
      .get(broadcastId)
      ?.sessions.find(({ id }) => id === recordingId)
      ?.presentation();
  }

  recordings(broadcastId: string): readonly RecordingSummary[] {
    const sessions = this.#holdings.get(broadcastId)?.sessions ?? [];
    return sessions.flatMap((session) => session.summary(this.#config.retentionMs) ?? []);
  }

  session(broadcastId: string): { recording: string; fromMs: number } | undefined {
    const newest = this.#holdings.get(broadcastId)?.newest;
    const floor = newest?.floorMsn(this.#config.windowMs);
    return newest === undefined || floor === undefined
      ? undefined
      : { recording: newest.id, fromMs: newest.msOf(floor) };
  }

  state(): StorageState {
    return { ...this.#health.state, bytes: this.#keeping.bytes };
  }

  sweep(): void {
    const nowMs = this.#deps.clock.nowMs();
    this.#keeping.expire(nowMs);
    for (const holding of this.#holdings.values()) {
      for (const session of this.#health.mayTry(nowMs) ? holding.takeUnsaved() : []) {
        this.#saveSession(holding, session);
      }
    }
    this.#keeping.makeRoom(this.#keeping.bytes - this.#config.maxBytes, false);
    if (this.#isReliefWanted) {
      this.#isReliefWanted = false;
      this.#keeping.makeRoom(RELIEF_BYTES, true);
    }
    if (this.#budget.hasRoom) {
      this.#health.slow(false);
    }
    if (this.#dropped > 0) {
      this.#deps.logger.warn(
        { segments: this.#dropped, ...this.#health.state },
        'segments left out of the storage',
      );
    }
    this.#report(this.#dropped);
    this.#dropped = 0;
  }

  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  async close(): Promise<void> {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    for (const { running } of this.#holdings.values()) {
      running?.tracks.forEach(({ writer }) => writer?.release());
    }
    try {
      await withDeadline(this.idle(), CLOSE_MS);
    } catch (error) {
      this.#deps.logger.warn({ reason: errorText(error) }, 'not all media reached the disk');
    }
  }

  /** What cannot be read is not there. */
  async #read(
    broadcastId: string,
    name: string,
    work: (target: ReadTarget) => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array | undefined> {
    const holding = this.#holdings.get(broadcastId);
    const { fileSystem, logger } = this.#deps;
    try {
      return holding && (await work({ fileSystem, holding, name }));
    } catch (error) {
      logger.debug({ broadcast: broadcastId, track: name, reason: errorText(error) }, 'not read');
      return undefined;
    }
  }

  #holding(id: string): Holding {
    const known = this.#holdings.get(id);
    if (known !== undefined) {
      return known;
    }
    const holding = new Holding(id, join(this.#directory, id), this.#lanes.lane(), []);
    this.#holdings.set(id, holding);
    return holding;
  }

  #writerFor(
    broadcastId: string,
    track: string,
    record: SegmentRecord,
  ): { writer: TrackWriter; session: Session } {
    const holding = this.#holding(broadcastId);
    const before = holding.running;
    const session = before ?? holding.begin(record.msn);
    if (before === undefined) {
      this.#saveSession(holding, session);
    }
    const writer = this.#writer(holding, session, track);
    const header = holding.header(track, record.era);
    if (header !== undefined) {
      session.track(track).headers.set(record.era, header.uri);
      writer.header(record.era, header);
    }
    return { writer, session };
  }

  #writer(holding: Holding, session: Session, name: string): TrackWriter {
    const track = session.track(name);
    track.writer ??= new TrackWriter(
      this.#writerDeps,
      { directory: join(holding.home, name), session: session.id, lane: this.#lanes.lane() },
      (msn) => {
        track.index.lose(msn);
      },
    );
    return track.writer;
  }

  #saveSession(holding: Holding, session: Session): void {
    holding.save(session, this.#deps.fileSystem, (error) => {
      this.#noteFault(error);
    });
  }

  #noteFault(error: unknown): void {
    if (this.#health.failed(error, this.#deps.clock.nowMs())) {
      this.#deps.logger.error(
        { reason: errorText(error), ...this.#health.state },
        'media not written: live goes on, it cannot be rewound',
      );
    }
    this.#isReliefWanted ||= this.#health.state.state === 'full';
  }
}
