/**
 * Reads every segment of one track from one origin while it grows, as a DASH player does, and notes
 * when each piece came. What was read is read again later: a published segment never changes.
 */
import { createHash } from 'node:crypto';
import { pause } from '../../infra/kernel/lifecycle.ts';
import { parseMediaPlaylist } from '../conformance/mediaPlaylist.ts';

/** What is known of a segment at one origin. */
export type SegmentSeen = {
  readonly msn: number;
  /** When its pieces came (Unix ms). */
  readonly piecesMs: number[];
  /** Digest of the whole body; undefined while it has not been read to its end. */
  digest: string | undefined;
  /** Samples in the body. */
  samples: number;
  /** The playlist has it as EXT-X-GAP, or some of its parts. */
  isGap: boolean;
  /** It was read again and had other bytes. */
  isChanged: boolean;
  isReadAgain: boolean;
};

/** Who is watched. */
export type WatchedTrack = {
  /** `origin-1`. */
  readonly origin: string;
  /** Base URL of the origin. */
  readonly url: string;
  readonly broadcast: string;
  readonly track: string;
  readonly segmentMs: number;
};

const RETRY_MS = 100;
const PLAYLIST_MS = 1000;
/** A segment is read again this many segments later. */
const AGAIN_AFTER = 8;
/** Longer than any request is held. */
const REQUEST_MS = 12_000;

/** Now (Unix ms), never going back. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** See the file header. */
export class SegmentWatch {
  readonly of: WatchedTrack;
  readonly seen = new Map<number, SegmentSeen>();
  readonly #stopped = new AbortController();
  readonly #running: Promise<unknown>;
  /** Bytes that have been read of a segment: asked for again, only what is beyond them is new. */
  readonly #readBytes = new Map<number, number>();
  /** Newest segment of the last playlist that was read. */
  #newestListed = 0;

  constructor(of: WatchedTrack) {
    this.of = of;
    this.#running = Promise.all([this.#follow(), this.#list()]);
  }

  /** Ends it; whatever was not read again yet is, before. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    await this.#readList();
    for (const segment of this.seen.values()) {
      await this.#readAgain(segment);
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    let msn = Math.floor(nowMs() / this.of.segmentMs) + 1;
    while (!signal.aborted) {
      const segment = this.#at(msn);
      if (await this.#read(segment)) {
        const earlier = this.seen.get(msn - AGAIN_AFTER);
        if (earlier !== undefined) {
          await this.#readAgain(earlier);
        }
        msn += 1;
      } else if (this.#newestListed > msn + 1) {
        // It is listed without media, or broke off: what comes after it does not wait for it.
        msn += 1;
      } else {
        await pause(RETRY_MS, signal);
      }
    }
  }

  /** Reads it to its end; whether it got there. */
  async #read(segment: SegmentSeen): Promise<boolean> {
    const pieces: Uint8Array[] = [];
    try {
      const response = await fetch(this.#urlOf(segment.msn), {
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(REQUEST_MS)]),
      });
      if (response.status !== 200 || response.body === null) {
        await response.body?.cancel();
        return false;
      }
      let bytes = 0;
      for await (const piece of response.body as AsyncIterable<Uint8Array>) {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > (this.#readBytes.get(segment.msn) ?? 0)) {
          this.#readBytes.set(segment.msn, bytes);
          segment.piecesMs.push(nowMs());
        }
      }
    } catch {
      return false;
    }
    const body = Buffer.concat(pieces);
    segment.digest = digestOf(body);
    segment.samples = samplesIn(body);
    return true;
  }

  async #readAgain(segment: SegmentSeen): Promise<void> {
    if (segment.isReadAgain) {
      return;
    }
    const body = await fetch(this.#urlOf(segment.msn), { signal: AbortSignal.timeout(REQUEST_MS) })
      .then(async (response) =>
        response.status === 200 ? Buffer.from(await response.arrayBuffer()) : undefined,
      )
      .catch(() => undefined);
    if (body === undefined) {
      return;
    }
    const digest = digestOf(body);
    if (segment.digest === undefined) {
      // It broke off, or was not there in time: what is there now is what it stays.
      segment.digest = digest;
      segment.samples = samplesIn(body);
      return;
    }
    segment.isReadAgain = true;
    segment.isChanged = segment.digest !== digest;
  }

  async #list(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#readList();
      await pause(PLAYLIST_MS, signal);
    }
  }

  async #readList(): Promise<void> {
    const { url, broadcast, track } = this.of;
    try {
      const response = await fetch(`${url}/live/${broadcast}/${track}/media.m3u8`, {
        signal: AbortSignal.timeout(REQUEST_MS),
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        return;
      }
      for (const { msn, isGap, parts } of parseMediaPlaylist(await response.text()).segments) {
        this.#newestListed = Math.max(this.#newestListed, msn);
        const segment = this.seen.get(msn);
        if (segment !== undefined && (isGap || parts.some((part) => part.isGap))) {
          segment.isGap = true;
        }
      }
    } catch {
      return; // An origin that is away lists nothing.
    }
  }

  #at(msn: number): SegmentSeen {
    const segment = this.seen.get(msn) ?? {
      ...{ msn, piecesMs: [], digest: undefined, samples: 0 },
      ...{ isGap: false, isChanged: false, isReadAgain: false },
    };
    this.seen.set(msn, segment);
    return segment;
  }

  #urlOf(msn: number): string {
    const { url, broadcast, track } = this.of;
    return `${url}/live/${broadcast}/${track}/${msn}.m4s`;
  }
}

function digestOf(body: Buffer): string {
  return createHash('sha1').update(body).digest('hex');
}

/** Samples of all `trun` boxes (ISO/IEC 14496-12 §8.8.8); a body that is no such file has none. */
export function samplesIn(body: Buffer): number {
  let count = 0;
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to;) {
      const size = body.readUInt32BE(at);
      const type = body.toString('latin1', at + 4, at + 8);
      if (size < 8 || at + size > to) {
        return;
      }
      if (type === 'moof' || type === 'traf') {
        walk(at + 8, at + size);
      } else if (type === 'trun' && size >= 16) {
        count += body.readUInt32BE(at + 12);
      }
      at += size;
    }
  };
  walk(0, body.length);
  return count;
}
