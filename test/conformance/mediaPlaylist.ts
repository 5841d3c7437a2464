/**
 * Reader of LL-HLS media playlists for tests, written from rfc8216bis alone: it shares no code with
 * packager/playlists, so that a mistake there cannot hide here. Collects what is wrong with the text
 * itself in `faults`; rules on the content are lintMediaPlaylist.ts.
 */

/** EXT-X-PART; `duration` in seconds. */
export type PlaylistPart = {
  readonly uri: string;
  readonly duration: number;
  readonly isIndependent: boolean;
  readonly isGap: boolean;
};

/** A segment; `duration` (seconds) and `uri` are undefined for the one that is still open. */
export type PlaylistSegment = {
  readonly msn: number;
  readonly uri: string | undefined;
  readonly duration: number | undefined;
  readonly isGap: boolean;
  /** DISCONTINUITY-SEQUENCE plus the discontinuities up to here. */
  readonly discontinuity: number;
  readonly mapUri: string | undefined;
  /** EXT-X-PROGRAM-DATE-TIME as it is written. */
  readonly dateTime: string | undefined;
  /** EXT-X-BYTERANGE as it is written. */
  readonly byteRange: string | undefined;
  readonly parts: readonly PlaylistPart[];
};

/** A media playlist as it is written; numbers are NaN where the tag is missing. */
export type MediaPlaylist = {
  readonly version: number;
  readonly targetDuration: number;
  readonly mediaSequence: number;
  readonly discontinuitySequence: number;
  readonly serverControl: ReadonlyMap<string, string>;
  readonly partTarget: number;
  readonly segments: readonly PlaylistSegment[];
  /** Parts of the segment after the last closed one. */
  readonly open: PlaylistSegment | undefined;
  readonly hints: readonly { readonly type: string; readonly uri: string }[];
  readonly reports: readonly {
    readonly uri: string;
    readonly lastMsn: number;
    readonly lastPart: number;
  }[];
  readonly hasEnd: boolean;
  /** EXT-X-PLAYLIST-TYPE. */
  readonly type: string | undefined;
  readonly isIframesOnly: boolean;
  /** SKIPPED-SEGMENTS of a delta update; 0 in a full playlist. */
  readonly skipped: number;
  readonly faults: readonly string[];
};

/** Tags that stand at most once (rfc8216bis §4.4.1 to §4.4.3). */
const ONCE = new Set([
  'EXT-X-VERSION',
  'EXT-X-TARGETDURATION',
  'EXT-X-MEDIA-SEQUENCE',
  'EXT-X-DISCONTINUITY-SEQUENCE',
  'EXT-X-SERVER-CONTROL',
  'EXT-X-PART-INF',
  'EXT-X-PLAYLIST-TYPE',
  'EXT-X-I-FRAMES-ONLY',
  'EXT-X-SKIP',
  'EXT-X-ENDLIST',
]);

/** Tags that stand before the first part of their segment (§4.4.4.9). */
const BEFORE_PARTS = new Set([
  'EXT-X-DISCONTINUITY',
  'EXT-X-MAP',
  'EXT-X-KEY',
  'EXT-X-PROGRAM-DATE-TIME',
]);

type Draft = {
  duration: number | undefined;
  isGap: boolean;
  dateTime: string | undefined;
  byteRange: string | undefined;
  parts: PlaylistPart[];
};

/** Reads a media playlist as it is written, a delta update with what it lists alone; never throws. */
export function parseMediaPlaylist(text: string): MediaPlaylist {
  return new Reader(text).read();
}

/**
 * What a client holds after a delta update (§6.2.5.1): the skipped segments are those of its old
 * copy, and what stood before them there (EXT-X-MAP, discontinuities) still holds after them.
 */
export function mergeDelta(old: MediaPlaylist, delta: MediaPlaylist): MediaPlaylist {
  const { mediaSequence, skipped } = delta;
  const kept = old.segments.filter(
    ({ msn }) => msn >= mediaSequence && msn < mediaSequence + skipped,
  );
  const last = kept.at(-1);
  if (last === undefined) {
    return delta;
  }
  const after = (segment: PlaylistSegment): PlaylistSegment => ({
    ...segment,
    mapUri: segment.mapUri ?? last.mapUri,
    discontinuity: segment.discontinuity - delta.discontinuitySequence + last.discontinuity,
  });
  return {
    ...delta,
    segments: [...kept, ...delta.segments.map(after)],
    open: delta.open === undefined ? undefined : after(delta.open),
    faults: [
      ...delta.faults,
      ...(kept.length === skipped ? [] : ['4.4.5.2 skips segments that were never listed']),
    ],
  };
}

/** Where a playlist stands: its newest part, as a client would ask for the next. */
export function newestPart(playlist: MediaPlaylist): {
  readonly msn: number;
  readonly part: number;
} {
  const last = playlist.open ?? playlist.segments.at(-1);
  return last === undefined
    ? { msn: playlist.mediaSequence - 1, part: -1 }
    : { msn: last.msn, part: last.parts.length - 1 };
}

/** Attribute list (§4.2): values without their quotes; a repeated name is reported. */
export function readAttributes(list: string, report: (fault: string) => void): Map<string, string> {
  const found = new Map<string, string>();
  const pattern = /([A-Z0-9-]+)=("[^"]*"|[^",]*)(,|$)/y;
  while (pattern.lastIndex < list.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(list);
    if (match === null) {
      report(`4.2 no attribute list from ${JSON.stringify(list.slice(at))}`);
      break;
    }
    const [, name = '', value = ''] = match;
    if (found.has(name)) {
      report(`4.2 attribute ${name} stands twice`);
    }
    found.set(name, value.startsWith('"') ? value.slice(1, -1) : value);
  }
  return found;
}

class Reader {
  readonly #lines: readonly string[];
  readonly #faults: string[] = [];
  readonly #once = new Map<string, string>();
  readonly #segments: PlaylistSegment[] = [];
  readonly #hints: { type: string; uri: string }[] = [];
  readonly #reports: { uri: string; lastMsn: number; lastPart: number }[] = [];
  #mapUri: string | undefined;
  #discontinuities = 0;
  #draft: Draft = emptyDraft();

  constructor(text: string) {
    this.#lines = text.split(/\r?\n/);
    if (this.#lines[0] !== '#EXTM3U') {
      this.#faults.push('4.4.1.1 the first line is not #EXTM3U');
    }
  }

  read(): MediaPlaylist {
    for (const line of this.#lines.slice(1)) {
      const tag = /^#(EXT[A-Z0-9-]*)(?::(.*))?$/.exec(line);
      if (tag !== null) {
        this.#tag(tag[1] ?? '', tag[2] ?? '');
      } else if (line !== '' && !line.startsWith('#')) {
        this.#segment(line);
      }
    }
    const hasOpen = this.#draft.parts.length > 0;
    return {
      version: this.#number('EXT-X-VERSION'),
      targetDuration: this.#number('EXT-X-TARGETDURATION'),
      mediaSequence: this.#number('EXT-X-MEDIA-SEQUENCE'),
      discontinuitySequence: this.#number('EXT-X-DISCONTINUITY-SEQUENCE'),
      serverControl: this.#attributes(this.#once.get('EXT-X-SERVER-CONTROL') ?? ''),
      partTarget: Number(
        this.#attributes(this.#once.get('EXT-X-PART-INF') ?? '').get('PART-TARGET') ?? Number.NaN,
      ),
      segments: this.#segments,
      open: hasOpen ? this.#close(undefined) : undefined,
      hints: this.#hints,
      reports: this.#reports,
      hasEnd: this.#once.has('EXT-X-ENDLIST'),
      type: this.#once.get('EXT-X-PLAYLIST-TYPE'),
      isIframesOnly: this.#once.has('EXT-X-I-FRAMES-ONLY'),
      skipped: this.#skipped(),
      faults: this.#faults,
    };
  }

  #tag(name: string, value: string): void {
    if (ONCE.has(name)) {
      this.#header(name, value);
    } else if (BEFORE_PARTS.has(name) && this.#draft.parts.length > 0) {
      this.#faults.push(`4.4.4.9 ${name} between the parts of a segment`);
    }
    switch (name) {
      case 'EXTINF':
        this.#draft.duration = Number.parseFloat(value);
        break;
      case 'EXT-X-GAP':
        this.#draft.isGap = true;
        break;
      case 'EXT-X-DISCONTINUITY':
        this.#discontinuities += 1;
        break;
      case 'EXT-X-MAP':
        this.#mapUri = this.#attributes(value).get('URI');
        break;
      case 'EXT-X-PROGRAM-DATE-TIME':
        this.#draft.dateTime = value;
        break;
      case 'EXT-X-BYTERANGE':
        this.#draft.byteRange = value;
        break;
      case 'EXT-X-PART':
        this.#draft.parts.push(this.#part(this.#attributes(value)));
        break;
      default:
        this.#tail(name, value);
    }
  }

  #tail(name: string, value: string): void {
    if (name === 'EXT-X-PRELOAD-HINT') {
      const hint = this.#attributes(value);
      this.#hints.push({ type: hint.get('TYPE') ?? '', uri: hint.get('URI') ?? '' });
    } else if (name === 'EXT-X-RENDITION-REPORT') {
      const report = this.#attributes(value);
      this.#reports.push({
        uri: report.get('URI') ?? '',
        lastMsn: Number(report.get('LAST-MSN') ?? Number.NaN),
        lastPart: Number(report.get('LAST-PART') ?? Number.NaN),
      });
    } else if (/^EXT-X-(STREAM-INF|MEDIA|I-FRAME-STREAM-INF|CONTENT-STEERING)$/.test(name)) {
      this.#faults.push(`4.4.6 ${name} in a media playlist`);
    }
  }

  #header(name: string, value: string): void {
    if (this.#once.has(name)) {
      this.#faults.push(`4.4 ${name} stands twice`);
    }
    this.#once.set(name, value);
    const hasBegun = this.#segments.length > 0 || this.#draft.parts.length > 0;
    if (hasBegun && /-SEQUENCE$/.test(name)) {
      this.#faults.push(`4.4.3 ${name} after the first segment`);
    }
  }

  #part(attributes: ReadonlyMap<string, string>): PlaylistPart {
    const duration = Number(attributes.get('DURATION') ?? Number.NaN);
    const uri = attributes.get('URI') ?? '';
    if (uri === '' || !(duration > 0)) {
      this.#faults.push(`4.4.4.9 EXT-X-PART needs URI and DURATION`);
    }
    return {
      uri,
      duration,
      isIndependent: attributes.get('INDEPENDENT') === 'YES',
      isGap: attributes.get('GAP') === 'YES',
    };
  }

  #segment(uri: string): void {
    if (this.#draft.duration === undefined) {
      this.#faults.push(`4.4.4.1 ${uri} without EXTINF`);
    }
    this.#segments.push(this.#close(uri));
    this.#draft = emptyDraft();
  }

  #close(uri: string | undefined): PlaylistSegment {
    const first = this.#number('EXT-X-DISCONTINUITY-SEQUENCE');
    return {
      msn: this.#number('EXT-X-MEDIA-SEQUENCE') + this.#skipped() + this.#segments.length,
      uri,
      ...this.#draft,
      discontinuity: (Number.isNaN(first) ? 0 : first) + this.#discontinuities,
      mapUri: this.#mapUri,
    };
  }

  #skipped(): number {
    const list = this.#once.get('EXT-X-SKIP');
    return list === undefined
      ? 0
      : Number(this.#attributes(list).get('SKIPPED-SEGMENTS') ?? Number.NaN);
  }

  #number(name: string): number {
    const text = this.#once.get(name);
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN;
  }

  #attributes(list: string): Map<string, string> {
    return readAttributes(list, (fault) => this.#faults.push(fault));
  }
}

function emptyDraft(): Draft {
  return {
    duration: undefined,
    isGap: false,
    dateTime: undefined,
    byteRange: undefined,
    parts: [],
  };
}
