/**
 * For tests of serving: a broadcast whose tracks are filled by hand, byte by byte, behind the real
 * handler. No encoder, no cutter; playlists are rendered from what it says.
 */
import { gridStart, partsPerSegment } from '../../infra/kernel/grid.ts';
import { noMetrics } from '../../infra/kernel/metrics.ts';
import { ticks, type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { parseInit } from '../cmaf/index.ts';
import type { Presentation, TrackWindow } from '../playlists/model.ts';
import { BROADCAST } from './fixtures.ts';
import { createMediaHandler } from './mediaHandler.ts';
import { Renderings } from './renderings.ts';
import { segmentEntry, type StoredSegment } from './segmentRing.ts';
import type { TrackHeader } from './trackHeader.ts';
import { type MediaDeps, roomKey, type ServedBroadcast, type ServedTrack } from './show.ts';
import { WaitingRoom } from './waitingRoom.ts';

const { grid } = BROADCAST;
const INIT_URI = { video: `init-${'a'.repeat(16)}.mp4`, audio: `init-${'b'.repeat(16)}.mp4` };

/** A track that is filled by hand. */
class HandTrack implements ServedTrack {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly headers: ReadonlyMap<number, TrackHeader>;
  readonly segments: StoredSegment[] = [];
  readonly ring: ServedTrack['ring'];

  constructor(name: string) {
    this.name = name;
    this.kind = name.startsWith('v') ? 'video' : 'audio';
    const bytes = this.kind === 'video' ? VIDEO_HEADER : AUDIO_HEADER;
    this.headers = new Map([[0, { uri: INIT_URI[this.kind], bytes, init: parseInit(bytes) }]]);
    const { segments } = this;
    this.ring = {
      get newest() {
        return segments.at(-1);
      },
      find: (msn) => segments.find((segment) => segment.msn === msn),
    };
  }

  get timescale(): number {
    return this.kind === 'video' ? 90_000 : 48_000;
  }
}

/** See the file header. Every change wakes who waits. */
export class HandBroadcast implements ServedBroadcast {
  readonly broadcast = BROADCAST;
  readonly room: WaitingRoom;
  readonly handle: ReturnType<typeof createMediaHandler>;
  readonly renderings = new Renderings();
  isEnded = false;
  endedMs: UnixMs | undefined;
  nowMs = 0;
  version = 0;
  readonly #tracks = new Map<string, HandTrack>();
  #presentation: { version: number; value: Presentation | undefined } | undefined;

  constructor(options: { capacity?: number; perBroadcast?: number } & Partial<MediaDeps> = {}) {
    const { capacity = 20_000, perBroadcast = capacity, ...deps } = options;
    this.room = new WaitingRoom(capacity, () => undefined, perBroadcast);
    for (const name of ['v180', 'a128']) {
      this.#tracks.set(name, new HandTrack(name));
    }
    this.handle = createMediaHandler({
      clock: { nowMs: () => unixMs(this.nowMs) },
      room: this.room,
      requests: noMetrics.counter('', ''),
      slowReaders: noMetrics.counter('', ''),
      maxReaderBacklogBytes: 4_194_304,
      show: (id) =>
        id === this.broadcast.id ? { live: this, renderings: this.renderings } : undefined,
      ...deps,
    });
  }

  track(name: string): HandTrack | undefined {
    return this.#tracks.get(name);
  }

  presentation(): Presentation | undefined {
    if (this.#presentation?.version !== this.version) {
      this.#presentation = { version: this.version, value: this.#present() };
    }
    return this.#presentation.value;
  }

  /** One chunk on every track: opens the segment where it is the first. */
  chunk(msn: number, bytes = 100): void {
    for (const track of this.#tracks.values()) {
      let segment = track.ring.newest;
      if (segment?.msn !== msn) {
        segment = emptySegment(track, msn);
        track.segments.push(segment);
      }
      segment.chunks.push(filled(bytes, msn + segment.chunks.length));
      segment.bytes += bytes;
      this.#wake(track, 'chunk');
    }
  }

  /** One chunk that is a part on every track; the last of a segment closes it. */
  part(msn: number, bytes = 100): void {
    this.chunk(msn, bytes);
    this.version += 1;
    for (const track of this.#tracks.values()) {
      const segment = track.ring.newest;
      if (segment !== undefined) {
        segment.parts.push({
          index: segment.parts.length,
          duration: ticks(track.timescale / 2),
          isIndependent: segment.parts.length === 0,
          isGap: false,
          firstChunk: segment.parts.at(-1)?.endChunk ?? 0,
          endChunk: segment.chunks.length,
        });
        if (segment.parts.length === partsPerSegment(grid)) {
          segment.isClosed = true;
          segment.duration = ticks(2 * track.timescale);
        }
      }
    }
    this.wakeAll();
  }

  /** Whole segments from `from` up to (not including) `to`. */
  fill(from: number, to: number, partBytes = 100): void {
    for (let msn = from; msn < to; msn += 1) {
      for (let part = 0; part < partsPerSegment(grid); part += 1) {
        this.part(msn, partBytes);
      }
    }
  }

  /** Drops segments before `msn` from the rings and lists. */
  forgetBefore(msn: number): void {
    for (const { segments } of this.#tracks.values()) {
      segments.splice(
        0,
        segments.findIndex((segment) => segment.msn >= msn),
      );
    }
    this.version += 1;
  }

  /** Lists segment `msn` as a gap without bytes on every track, in place of what grows there. */
  gap(msn: number): void {
    for (const track of this.#tracks.values()) {
      const segment = { ...emptySegment(track, msn), isGap: true, isClosed: true };
      segment.duration = ticks(2 * track.timescale);
      track.segments.push(segment);
    }
    this.version += 1;
    this.wakeAll();
  }

  /** The broadcast ends here. */
  end(): void {
    for (const { segments } of this.#tracks.values()) {
      if (segments.at(-1)?.isClosed === false) {
        segments.pop();
      }
    }
    this.isEnded = true;
    this.endedMs = unixMs(this.nowMs);
    this.version += 1;
    this.wakeAll();
  }

  wakeAll(): void {
    for (const track of this.#tracks.values()) {
      this.#wake(track, 'part');
    }
  }

  #present(): Presentation | undefined {
    const windows = [...this.#tracks.values()].map((track) => windowOf(track));
    return windows.some(({ segments }) => segments.length === 0)
      ? undefined
      : {
          broadcastId: this.broadcast.id,
          grid,
          windows,
          eras: [{ era: 0, firstMsn: 0 }],
          isEnded: this.isEnded,
        };
  }

  #wake(track: HandTrack, change: 'chunk' | 'part'): void {
    this.room.wake(roomKey({ live: this }, track.name), change);
  }
}

function emptySegment(track: HandTrack, msn: number): StoredSegment {
  return {
    msn,
    start: gridStart(grid, msn, track.timescale),
    era: 0,
    isGap: false,
    parts: [],
    chunks: [],
    isClosed: false,
    duration: ticks(0),
    bytes: 0,
  };
}

function windowOf(track: HandTrack): TrackWindow {
  const init = track.headers.get(0)?.init;
  const closed = track.segments.filter(({ isClosed }) => isClosed);
  const newest = track.ring.newest;
  return {
    track: {
      name: track.name,
      kind: track.kind,
      codecs: init?.codecs ?? '',
      timescale: track.timescale,
      bitrateBps: 128_000,
      ...(track.kind === 'video' ? { width: 320, height: 180, fps: 30 } : { channels: 2 }),
    },
    segments: closed.map(segmentEntry),
    open: newest?.isClosed === false ? segmentEntry(newest) : undefined,
    initUris: new Map([[0, INIT_URI[track.kind]]]),
  };
}

/** Bytes that tell apart what they are of. */
export function filled(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (seed * 31 + index) % 251);
}
