/**
 * Follows a live media playlist with blocking reloads, as a player does, and reports what breaks
 * over time: rules U01 to U04, R02 and H10 of the delivery checklist, and each answer's own lint.
 * Every third reload is for a delta update where the playlist offers them. Parts and segments are
 * fetched as they are listed; parts joined must be the segment. An origin that is away for a while
 * must say and hold afterwards what it said and held before.
 */
import { pause } from '../../infra/kernel/lifecycle.ts';
import { lintDelta, lintPlaylist } from './lintMediaPlaylist.ts';
import {
  type MediaPlaylist,
  mergeDelta,
  newestPart,
  parseMediaPlaylist,
  type PlaylistSegment,
} from './mediaPlaylist.ts';

/** What following saw. `faults` are distinct, each `{rule} {what}`. */
export type FollowReport = {
  readonly faults: readonly string[];
  /** Answers to blocking reloads. */
  readonly updates: number;
  /** Segments whose bytes were compared with those of their parts. */
  readonly comparedSegments: number;
  /** Longest time from one new part to the next. */
  readonly maxPartGapMs: number;
  /** Answers that were delta updates. */
  readonly deltas: number;
  /** ENDLIST was seen; following ended there. */
  readonly isEnded: boolean;
  /** Segments fetched anew after the origin had been away, and found unchanged. */
  readonly unchangedSegments: number;
};

/** How following goes about it. */
export type FollowOptions = {
  /** The origin may be away for this long altogether (refused, broken off, 503); 0 where absent. */
  readonly outageMs?: number;
};

/** Reads over HTTP and a monotonic clock (ms); tests give their own. */
export type FollowDeps = {
  readonly fetch: (url: string, init: { signal: AbortSignal }) => Promise<Response>;
  readonly now: () => number;
};

const LIVE: FollowDeps = {
  fetch: (url, init) => fetch(url, init),
  now: () => performance.now(),
};

/** Longest hold the origin may take is 3 target durations (6 s at the defaults). */
const REQUEST_TIMEOUT_MS = 15_000;

/** How long an origin that is away is left alone. */
const AWAY_PAUSE_MS = 200;

/** Refused reloads after which following ends. */
const MAX_REFUSALS = 3;

/** Follows the playlist at `url` for `seconds`, then waits for the media that was asked for. */
export async function followPlaylist(
  url: string,
  seconds: number,
  deps: FollowDeps = LIVE,
  options: FollowOptions = {},
): Promise<FollowReport> {
  return new Follower(url, deps, options).run(seconds);
}

class Follower {
  readonly #url: string;
  readonly #deps: FollowDeps;
  readonly #faults = new Set<string>();
  /** What was said of a segment or part, by its URI or number: it may never be said otherwise. */
  readonly #said = new Map<string, string>();
  readonly #partBytes = new Map<string, Promise<Uint8Array | undefined>>();
  readonly #comparisons: Promise<boolean>[] = [];
  /** Bytes of the segments that were compared, by URI. */
  readonly #segmentBytes = new Map<string, Buffer>();
  #updates = 0;
  #deltas = 0;
  #unchanged = 0;
  #maxPartGapMs = 0;
  #outageMs: number;
  #updatedAt = 0;

  constructor(url: string, deps: FollowDeps, options: FollowOptions) {
    this.#url = url;
    this.#deps = deps;
    this.#outageMs = options.outageMs ?? 0;
  }

  async run(seconds: number): Promise<FollowReport> {
    const end = this.#deps.now() + seconds * 1000;
    const first = await this.#get(this.#url);
    let playlist = first.status === 200 ? this.#accept(await first.text()) : undefined;
    this.#checkHeaders(first);
    // What is listed at the start is signed but not fetched: its first parts may be gone already.
    let newestAt: number | undefined;
    let refusals = 0;
    let wasAway = false;
    while (playlist?.hasEnd === false && this.#deps.now() < end && refusals < MAX_REFUSALS) {
      const next = await this.#reload(playlist);
      if (next === 'away') {
        wasAway = true;
        newestAt = undefined;
        continue;
      }
      if (next === undefined) {
        refusals += 1;
        continue;
      }
      this.#checkStep(playlist, next, wasAway);
      newestAt = this.#checkPace(next, newestAt);
      if (wasAway) {
        await this.#fetchAgain(next);
        newestAt = undefined;
      }
      wasAway = false;
      this.#fetchNew(playlist, next);
      playlist = next;
    }
    const compared = await Promise.all(this.#comparisons);
    await Promise.all(this.#partBytes.values());
    return {
      faults: [...this.#faults],
      updates: this.#updates,
      comparedSegments: compared.filter(Boolean).length,
      maxPartGapMs: this.#maxPartGapMs,
      deltas: this.#deltas,
      isEnded: playlist?.hasEnd ?? false,
      unchangedSegments: this.#unchanged,
    };
  }

  /** Blocking reload for the part after the newest (rfc8216bis §6.2.5.2). */
  async #reload(playlist: MediaPlaylist): Promise<MediaPlaylist | 'away' | undefined> {
    const { msn, part, href } = this.#nextOf(playlist);
    const beganMs = this.#deps.now();
    const response = await this.#get(href, this.#outageMs > 0);
    if (this.#outageMs > 0 && (response.status === 599 || response.status === 503)) {
      await pause(AWAY_PAUSE_MS);
      this.#outageMs -= this.#deps.now() - beganMs;
      return 'away';
    }
    if (response.status !== 200) {
      this.#fault(`R02 a reload for the next part was answered ${response.status}`);
      return undefined;
    }
    const next = this.#accept(await response.text(), playlist);
    const newest = newestPart(next);
    if (!next.hasEnd && (newest.msn < msn || (newest.msn === msn && newest.part < part))) {
      this.#fault(`R02 asked for ${msn}.${part}, the answer ends at ${newest.msn}.${newest.part}`);
    }
    this.#updates += 1;
    this.#updatedAt = this.#deps.now();
    return next;
  }

  /** The part to wait for and the request for it; each third one for a delta update. */
  #nextOf(playlist: MediaPlaylist): { msn: number; part: number; href: string } {
    const { open, serverControl } = playlist;
    const msn = open?.msn ?? newestPart(playlist).msn + 1;
    const part = open?.parts.length ?? 0;
    const url = new URL(this.#url);
    url.searchParams.set('_HLS_msn', String(msn));
    url.searchParams.set('_HLS_part', String(part));
    // Only who has a copy younger than half the skip boundary may ask (§6.3.7).
    const ageMs = this.#deps.now() - this.#updatedAt;
    const skipUntilMs = Number(serverControl.get('CAN-SKIP-UNTIL') ?? 0) * 1000;
    if (ageMs < skipUntilMs / 2 && this.#updates % 3 === 2) {
      const isV2 = serverControl.has('CAN-SKIP-DATERANGES') && this.#updates % 2 === 0;
      url.searchParams.set('_HLS_skip', isV2 ? 'v2' : 'YES');
    }
    return { msn, part, href: url.href };
  }

  /** Lints an answer and holds what it says against all that was said before (U01). */
  #accept(text: string, old?: MediaPlaylist): MediaPlaylist {
    const answer = parseMediaPlaylist(text);
    const isDelta = old !== undefined && answer.skipped !== 0;
    const playlist = isDelta ? mergeDelta(old, answer) : answer;
    this.#deltas += isDelta ? 1 : 0;
    for (const fault of [...(isDelta ? lintDelta(text, old) : []), ...lintPlaylist(playlist)]) {
      this.#fault(fault);
    }
    for (const segment of allSegments(playlist)) {
      const { msn, uri, duration, isGap, dateTime, mapUri, discontinuity, parts } = segment;
      this.#sign(`place of ${msn}`, [dateTime, mapUri, discontinuity]);
      if (uri !== undefined) {
        this.#sign(`segment ${msn}`, [uri, duration, isGap]);
      }
      for (const part of parts) {
        this.#sign(`part ${part.uri}`, [msn, part.duration, part.isIndependent, part.isGap]);
      }
    }
    return playlist;
  }

  #sign(what: string, values: readonly unknown[]): void {
    const text = JSON.stringify(values);
    const before = this.#said.get(what) ?? text;
    this.#said.set(what, before);
    if (before !== text) {
      this.#fault(`U01 ${what} was ${before} and is ${text}`);
    }
  }

  /** U02, and what must stay constant for the life of a playlist (H03, H04). */
  #checkStep(before: MediaPlaylist, after: MediaPlaylist, wasAway: boolean): void {
    const constants = ({ targetDuration, partTarget, serverControl }: MediaPlaylist): string =>
      JSON.stringify([targetDuration, partTarget, ...serverControl]);
    if (after.mediaSequence < before.mediaSequence) {
      this.#fault('U02 EXT-X-MEDIA-SEQUENCE went back');
    }
    if (after.discontinuitySequence < before.discontinuitySequence) {
      this.#fault('H18 EXT-X-DISCONTINUITY-SEQUENCE went back');
    }
    if (constants(before) !== constants(after)) {
      this.#fault(`H03 ${constants(before)} became ${constants(after)}`);
    }
    if (after.hasEnd || wasAway) {
      return; // What was hinted last does not come, or has come and is too old for parts.
    }
    const hinted = before.hints.find(({ type }) => type === 'PART')?.uri;
    const uris = allSegments(after).flatMap(({ parts }) => parts.map(({ uri }) => uri));
    if (hinted !== undefined && !uris.includes(hinted)) {
      this.#fault(`H13 ${hinted} was hinted and did not come`);
    }
  }

  /** U03: a part each part target, with half of one and 150 ms for the way and a busy machine. */
  #checkPace({ partTarget }: MediaPlaylist, newestAt: number | undefined): number {
    const now = this.#deps.now();
    const gapMs = newestAt === undefined ? 0 : now - newestAt;
    this.#maxPartGapMs = Math.max(this.#maxPartGapMs, gapMs);
    if (gapMs > partTarget * 1500 + 150) {
      this.#fault(`U03 ${Math.round(gapMs)} ms went by without a new part`);
    }
    return now;
  }

  /** Fetches what `after` lists and `before` did not; compares segments whose parts are all here. */
  #fetchNew(before: MediaPlaylist, after: MediaPlaylist): void {
    const known = new Set(allSegments(before).flatMap(({ parts }) => parts.map(({ uri }) => uri)));
    for (const { parts } of allSegments(after)) {
      for (const { uri } of parts.filter((part) => !part.isGap && !known.has(part.uri))) {
        this.#partBytes.set(uri, this.#getBytes(uri));
      }
    }
    const lastClosed = before.segments.at(-1)?.msn ?? -1;
    for (const segment of after.segments.filter(({ msn }) => msn > lastClosed)) {
      this.#comparisons.push(this.#compare(segment));
    }
  }

  /** H10: true where the segment was compared with its parts; false where some are not at hand. */
  async #compare({ uri = '', parts, isGap }: PlaylistSegment): Promise<boolean> {
    const known = parts.map((part) => this.#partBytes.get(part.uri));
    if (isGap || parts.length === 0 || known.includes(undefined)) {
      return false;
    }
    const [segment, ...pieces] = await Promise.all([this.#getBytes(uri), ...known]);
    const joined = Buffer.concat(pieces.filter((piece) => piece !== undefined));
    if (segment !== undefined && !joined.equals(segment)) {
      this.#fault(`H10 ${uri} has ${segment.length} bytes, its parts have ${joined.length}`);
    }
    if (segment !== undefined) {
      this.#segmentBytes.set(uri, Buffer.from(segment));
    }
    return segment !== undefined;
  }

  /** What was fetched before the origin was away and is still listed has the same bytes (U01, C8). */
  async #fetchAgain(playlist: MediaPlaylist): Promise<void> {
    for (const { uri = '', isGap } of playlist.segments) {
      const before = this.#segmentBytes.get(uri);
      const now = before === undefined ? undefined : await this.#getBytes(uri);
      if (before !== undefined && (isGap || now === undefined || !before.equals(now))) {
        this.#fault(`U01 ${uri} had ${before.length} bytes and has ${now?.length ?? 0} others`);
      } else if (before !== undefined) {
        this.#unchanged += 1;
      }
    }
  }

  /** U04: what is listed is there. */
  async #getBytes(uri: string): Promise<Uint8Array | undefined> {
    const response = await this.#get(new URL(uri, this.#url).href);
    if (response.status !== 200) {
      this.#fault(`U04 ${uri} was answered ${response.status}`);
      return undefined;
    }
    return new Uint8Array(await response.arrayBuffer());
  }

  async #get(url: string, mayBeAway = false): Promise<Response> {
    try {
      return await this.#deps.fetch(url, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    } catch (cause) {
      if (mayBeAway) {
        return new Response(null, { status: 599 });
      }
      this.#fault(`U04 ${new URL(url).pathname} failed: ${String(cause)}`);
      return new Response(null, { status: 599 });
    }
  }

  /** Transport rules of the first answer (Apple 10.1, rfc8216bis B.1). */
  #checkHeaders({ status, headers }: Response): void {
    const rules: [boolean, string][] = [
      [status === 200, `R02 the playlist was answered ${status}`],
      [headers.get('content-type') === 'application/vnd.apple.mpegurl', 'T02 content type'],
      [headers.get('content-encoding') === 'gzip', 'T02 the playlist is not compressed'],
      [headers.has('cache-control'), 'T02 no Cache-Control'],
      [headers.has('access-control-allow-origin'), 'T17 no CORS'],
    ];
    for (const [, fault] of rules.filter(([holds]) => !holds)) {
      this.#fault(fault);
    }
  }

  #fault(text: string): void {
    this.#faults.add(text);
  }
}

function allSegments({ segments, open }: MediaPlaylist): readonly PlaylistSegment[] {
  return open === undefined ? segments : [...segments, open];
}
