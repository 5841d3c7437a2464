/**
 * What an archive holds of one broadcast: its sessions, its eras, the headers that segments to come
 * will need. Writes and removes what belongs to a whole session; segments are the track writers'.
 */
import { join } from 'node:path';
import type { Grid } from '../../../infra/kernel/grid.ts';
import type { TrackHeader } from '../trackHeader.ts';
import type { DateRangeRecord, EraRecord, SegmentRecord } from '../storage.ts';
import type { FileSystem } from './fileSystem.ts';
import type { Lane } from './lanes.ts';
import { Session, type SessionTrack } from './session.ts';
import { recordingId, sessionText } from './sessionFile.ts';
import { removeSegments } from './trackWriter.ts';

// As many as an origin lists; older ones are known from the sessions that had them.
const MAX_ERAS = 64;
const MAX_HEADERS = 8;

/** See the file header. */
export class Holding {
  readonly id: string;
  readonly home: string;
  readonly #lane: Lane;
  readonly #headers = new Map<string, Map<number, TrackHeader>>();
  /** Kept with the newest session. */
  dateRanges: DateRangeRecord | undefined;
  #sessions: readonly Session[];
  #eras: readonly EraRecord[];
  #grid: Grid | undefined;
  /** Sessions whose file does not say what it should. */
  readonly #unsaved = new Set<Session>();

  constructor(id: string, home: string, lane: Lane, sessions: readonly Session[]) {
    this.id = id;
    this.home = home;
    this.#lane = lane;
    this.#sessions = sessions;
    this.dateRanges = sessions.at(-1)?.dateRanges;
    // The first era of a broadcast is told by nobody: it begins with the timeline (eras.ts).
    const eras = new Map<number, number>([[0, 0]]);
    for (const { era, firstMsn } of sessions.flatMap((session) => session.eras)) {
      eras.set(era, firstMsn);
    }
    this.#eras = Array.from(eras, ([era, firstMsn]) => ({ era, firstMsn })).sort(
      (a, b) => a.era - b.era,
    );
  }

  /** Oldest first. */
  get sessions(): readonly Session[] {
    return this.#sessions;
  }

  get newest(): Session | undefined {
    return this.#sessions.at(-1);
  }

  /** The session that is being written. */
  get running(): Session | undefined {
    return this.newest?.end === undefined ? this.newest : undefined;
  }

  get eras(): readonly EraRecord[] {
    return this.#eras;
  }

  /** Nobody wants it and nothing of it is left. */
  get isGone(): boolean {
    return this.#grid === undefined && this.#sessions.length === 0;
  }

  /** It is desired: what it writes has this grid. */
  claim(grid: Grid): void {
    this.#grid = grid;
    const { running } = this;
    if (running !== undefined) {
      running.grid ??= grid;
    }
  }

  /** Whether `session` goes on: written now, or to be gone on with. */
  isLive(session: Session): boolean {
    return session === this.running && this.#grid !== undefined;
  }

  /** Begins a session with segment `msn`. */
  begin(msn: number): Session {
    const segmentMs = this.#grid?.segmentMs ?? 2000;
    let fromMs = msn * segmentMs;
    const taken = new Set(this.#sessions.map(({ id }) => id));
    while (taken.has(recordingId(fromMs))) {
      fromMs += 1000;
    }
    const session = new Session({
      broadcastId: this.id,
      id: recordingId(fromMs),
      grid: this.#grid,
      eras: this.#eras.filter((_era, index) => (this.#eras[index + 1]?.firstMsn ?? Infinity) > msn),
    });
    this.#sessions = [...this.#sessions, session];
    return session;
  }

  /** Another origin may have begun the newest era elsewhere. @returns false where it is known */
  addEra(era: EraRecord): boolean {
    const known = this.#eras.find((one) => one.era === era.era);
    if (known?.firstMsn === era.firstMsn) {
      return false;
    }
    this.#eras = [...without(this.#eras, era).slice(1 - MAX_ERAS), era];
    const { running } = this;
    if (running !== undefined) {
      running.eras = [...without(running.eras, era), era];
    }
    return true;
  }

  keepHeader(track: string, era: number, header: TrackHeader): void {
    const headers = this.#headers.get(track) ?? new Map<number, TrackHeader>();
    this.#headers.set(track, headers.set(era, header));
    for (const old of [...headers.keys()].slice(0, -MAX_HEADERS)) {
      headers.delete(old);
    }
  }

  header(track: string, era: number): TrackHeader | undefined {
    return this.#headers.get(track)?.get(era);
  }

  /** Whether any session has a header of that name. */
  hasHeader(track: string, uri: string): boolean {
    return this.headerBytes(track, uri) !== undefined || this.#isHeaderOfSession(track, uri);
  }

  headerBytes(track: string, uri: string): Uint8Array | undefined {
    return [...(this.#headers.get(track)?.values() ?? [])].find((one) => one.uri === uri)?.bytes;
  }

  /** Newest session that has segment `msn` of `track`. */
  find(track: string, msn: number): { record: SegmentRecord; track: SessionTrack } | undefined {
    for (const session of this.#sessions.toReversed()) {
      const held = session.tracks.get(track);
      const record = held?.index.find(msn);
      if (held !== undefined && record !== undefined) {
        return { record, track: held };
      }
    }
    return undefined;
  }

  /** Sessions to be saved again: the last time it failed. */
  takeUnsaved(): readonly Session[] {
    const unsaved = [...this.#unsaved].filter((session) => this.#sessions.includes(session));
    this.#unsaved.clear();
    return unsaved;
  }

  /** Writes the session's file as it is when its turn comes. */
  save(session: Session, fileSystem: FileSystem, onFault: (error: unknown) => void): void {
    this.#lane.push(async () => {
      try {
        await fileSystem.makeDirectory(this.home);
        const { id, grid, eras, end } = session;
        const dateRanges = session === this.newest ? this.dateRanges : undefined;
        const text = sessionText({ id, grid, eras, end, dateRanges });
        await fileSystem.replace(join(this.home, `${id}.json`), text);
      } catch (error) {
        this.#unsaved.add(session);
        onFault(error);
      }
    });
  }

  /**
   * Removes a session with all of its files. Its journals go first: what is left after a crash is then
   * known to be nobody's.
   */
  remove(session: Session, fileSystem: FileSystem, onFault: (error: unknown) => void): void {
    this.#sessions = this.#sessions.filter((one) => one !== session);
    this.#lane.push(async () => {
      try {
        for (const [name, track] of session.tracks) {
          const home = join(this.home, name);
          await fileSystem.remove(join(home, `${session.id}.jsonl`));
          await removeSegments(fileSystem, home, track.index.records);
          await this.#removeHeaders(fileSystem, name, track);
        }
        await fileSystem.remove(join(this.home, `${session.id}.json`));
        if (this.isGone) {
          await fileSystem.remove(this.home);
        }
      } catch (error) {
        onFault(error);
      }
    });
  }

  #isHeaderOfSession(track: string, uri: string): boolean {
    return this.#sessions.some(({ tracks }) =>
      [...(tracks.get(track)?.headers.values() ?? [])].includes(uri),
    );
  }

  async #removeHeaders(fileSystem: FileSystem, name: string, track: SessionTrack): Promise<void> {
    for (const uri of new Set(track.headers.values())) {
      if (!this.#isHeaderOfSession(name, uri)) {
        await fileSystem.remove(join(this.home, name, uri));
      }
    }
  }
}

function without(eras: readonly EraRecord[], { era }: EraRecord): readonly EraRecord[] {
  return eras.filter((one) => one.era !== era);
}
