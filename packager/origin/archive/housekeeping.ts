/**
 * What is deleted, and when: recordings after their retention, segments past it, the oldest where
 * bytes run out. Also writes journals anew that say too much of what is gone.
 */
import { join } from 'node:path';
import type { Logger } from '../../../infra/kernel/logger.ts';
import type { OriginConfig } from '../config.ts';
import { nextVictim } from './expiry.ts';
import type { FileSystem } from './fileSystem.ts';
import type { Holding } from './holding.ts';
import { compactJournal, isLong } from './journal.ts';
import type { Session, SessionTrack } from './session.ts';
import { removeSegments } from './trackWriter.ts';

/** How much is kept: `origin.dvr`. */
export type ArchiveConfig = Omit<OriginConfig['dvr'], 'isEnabled'>;

/** What housekeeping is given. */
type HousekeepingDeps = {
  readonly logger: Logger;
  readonly fileSystem: FileSystem;
  onFault(error: unknown): void;
};

/** See the file header. */
export class Housekeeping {
  readonly #deps: HousekeepingDeps;
  readonly #config: ArchiveConfig;
  readonly #holdings: Map<string, Holding>;

  constructor(deps: HousekeepingDeps, config: ArchiveConfig, holdings: Map<string, Holding>) {
    this.#deps = deps;
    this.#config = config;
    this.#holdings = holdings;
  }

  /** Media of all sessions. */
  get bytes(): number {
    let bytes = 0;
    for (const { sessions } of this.#holdings.values()) {
      bytes = sessions.reduce((sum, session) => sum + session.bytes, bytes);
    }
    return bytes;
  }

  /** Deletes what is past its time. */
  expire(nowMs: number): void {
    for (const holding of [...this.#holdings.values()]) {
      for (const session of holding.sessions) {
        this.#expire(holding, session, nowMs);
      }
    }
  }

  #expire(holding: Holding, session: Session, nowMs: number): void {
    const { retentionMs, windowMs } = this.#config;
    const newestMs = session.msOf((session.newestMsn ?? 0) + 1);
    const endedMs = session.end?.endedMs ?? newestMs;
    if (!holding.isLive(session)) {
      if (endedMs + retentionMs <= nowMs) {
        this.#remove(holding, session);
      }
      return;
    }
    const keptMs = Math.max(retentionMs, windowMs + windowMs / 4);
    const floor = (session.newestMsn ?? 0) - Math.ceil(keptMs / session.msOf(1));
    if (floor > (session.oldestMsn ?? floor)) {
      this.drop(session, floor);
    }
    for (const track of session.tracks.values()) {
      this.#compact(track);
    }
  }

  #compact({ writer, index, headers }: SessionTrack): void {
    if (writer !== undefined && isLong(writer.lines, index.records.length)) {
      writer.compact((open) => compactJournal(headers, index.records, open, index.isTrimmed));
    }
  }

  /** Deletes the oldest until `bytes` are freed; `onlySpare`: nothing that can still be rewound to. */
  makeRoom(bytes: number, onlySpare: boolean): void {
    for (let left = bytes; left > 0;) {
      const victim = nextVictim(this.#holdings.values(), this.#config.windowMs, onlySpare);
      if (victim === undefined) {
        return;
      }
      const { holding, session, beforeMsn } = victim;
      if (beforeMsn === undefined) {
        left -= session.bytes;
        this.#remove(holding, session);
      } else {
        session.isSqueezed ||= beforeMsn > (session.floorMsn(this.#config.windowMs) ?? 0);
        left -= this.drop(session, beforeMsn);
      }
    }
  }

  /** Deletes everything of `session` before `msn`. @returns bytes freed */
  drop(session: Session, msn: number): number {
    const home = this.#holdings.get(session.broadcastId)?.home ?? '';
    return session.dropBefore(msn, (name, track, dropped) => {
      const writer = track.writer;
      if (writer !== undefined) {
        writer.deleteBefore(msn, dropped);
      } else {
        void removeSegments(this.#deps.fileSystem, join(home, name), dropped).catch(
          (error: unknown) => {
            this.#deps.onFault(error);
          },
        );
      }
    });
  }

  #remove(holding: Holding, session: Session): void {
    holding.remove(session, this.#deps.fileSystem, (error) => {
      this.#deps.onFault(error);
    });
    if (holding.isGone) {
      this.#holdings.delete(holding.id);
    }
    if (session.end !== undefined) {
      this.#deps.logger.info(
        { broadcast: holding.id, recording: session.id, bytes: session.bytes },
        'recording deleted',
      );
    }
  }
}
