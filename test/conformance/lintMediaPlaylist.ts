/**
 * Rules of rfc8216bis and Apple's authoring specification that one media playlist can break, by the
 * ids of the delivery checklist (H01 to H19). The checks follow the house's `llhls_lint.mjs`, read by
 * the independent reader of mediaPlaylist.ts. What only shows over time is followPlaylist.ts.
 */
import {
  type MediaPlaylist,
  mergeDelta,
  newestPart,
  parseMediaPlaylist,
  type PlaylistPart,
  type PlaylistSegment,
} from './mediaPlaylist.ts';

/** Tolerance for durations that were rounded to six decimals (seconds). */
const EPSILON = 1e-5;

/** What `text` breaks, each line `{rule} {what}`; empty where all is well. */
export function lintMediaPlaylist(text: string): string[] {
  return [
    ...(text.startsWith('\uFEFF') ? ['H01 starts with a byte order mark'] : []),
    ...lintPlaylist(parseMediaPlaylist(text)),
  ];
}

/** The same of a playlist that is read already; a delta update is merged first. */
export function lintPlaylist(playlist: MediaPlaylist): string[] {
  return [
    ...playlist.faults.map((fault) => `${ruleOf(fault)} ${fault}`),
    ...[header, kind, serverControl, segmentDurations, initAndTime, parts, tail].flatMap((rule) =>
      rule(playlist),
    ),
  ];
}

/** The rule of what could not be read as it should. */
function ruleOf(fault: string): string {
  if (fault.startsWith('4.4.4.9')) {
    return fault.endsWith('between the parts of a segment') ? 'H09' : 'H08';
  }
  return 'H01';
}

/**
 * What a delta update breaks beside the rules of any playlist: R09, R11, R12 and H02. `old` is the
 * copy that the client has.
 */
export function lintDelta(text: string, old: MediaPlaylist): string[] {
  const delta = parseMediaPlaylist(text);
  const { partTarget, targetDuration, serverControl: control, version, skipped } = delta;
  const merged = mergeDelta(old, delta);
  const skipUntil = Number(control.get('CAN-SKIP-UNTIL') ?? Number.NaN);
  const nearest = merged.segments.find(({ msn }) => msn === delta.mediaSequence + skipped - 1);
  const afterIt = merged.segments.filter(({ msn }) => msn > (nearest?.msn ?? 0));
  const distance = afterIt.reduce((total, { duration = 0 }) => total + duration, 0);
  return faultsOf([
    [skipped > 0, 'R12 SKIPPED-SEGMENTS is no positive number'],
    [version >= 9, `H02 EXT-X-SKIP under version ${version}`],
    [
      distance >= skipUntil - targetDuration - EPSILON,
      `R09 skips a segment that ends ${distance} s from the end`,
    ],
    [partTarget > 0 && targetDuration > 0 && control.size > 0, 'R11 header tags are missing'],
    [merged.faults.length === 0, `R09 ${merged.faults.join(', ')}`],
  ]);
}

/** `[what holds, what is wrong where it does not]` → the texts of those that do not. */
function faultsOf(rules: readonly (readonly [boolean, string])[]): string[] {
  return rules.flatMap(([holds, text]) => (holds ? [] : [text]));
}

function header(playlist: MediaPlaylist): string[] {
  const { version, targetDuration, mediaSequence, discontinuitySequence } = playlist;
  return faultsOf([
    [version >= 6, `H02 EXT-X-VERSION ${version} is under 6, which EXT-X-MAP needs`],
    [targetDuration >= 1, 'H03 EXT-X-TARGETDURATION is not a whole number from 1'],
    [mediaSequence >= 0, 'U02 EXT-X-MEDIA-SEQUENCE is missing'],
    [discontinuitySequence >= 0, 'H18 EXT-X-DISCONTINUITY-SEQUENCE is missing'],
    [playlist.segments.length > 0, 'H17 no segment is listed'],
  ]);
}

/** Sliding, ended, recorded or of I-frames: what each may and may not carry. */
function kind(playlist: MediaPlaylist): string[] {
  const { type, hasEnd, isIframesOnly, segments, open, hints } = playlist;
  const hasParts = [...segments, ...(open === undefined ? [] : [open])].some(
    ({ parts: own }) => own.length > 0,
  );
  return faultsOf([
    [type === undefined || (type === 'VOD' && hasEnd), `H17 PLAYLIST-TYPE ${type ?? ''}`],
    [!hasEnd || open === undefined, 'U06 an ended playlist has an open segment'],
    [!isIframesOnly || (!hasParts && hints.length === 0), 'V13 parts in an I-frame playlist'],
    ...segments.map((segment): [boolean, string] => [
      !isIframesOnly || segment.isGap || /^\d+@\d+$/.test(segment.byteRange ?? ''),
      `V13 ${segment.msn} has no byte range`,
    ]),
  ]);
}

function serverControl(playlist: MediaPlaylist): string[] {
  const { serverControl: control, partTarget, targetDuration } = playlist;
  if (playlist.isIframesOnly || playlist.type === 'VOD') {
    return [];
  }
  const seconds = (name: string): number => Number(control.get(name) ?? Number.NaN);
  const skipUntil = seconds('CAN-SKIP-UNTIL');
  return faultsOf([
    [partTarget > 0, 'H05 PART-INF has no PART-TARGET'],
    [control.get('CAN-BLOCK-RELOAD') === 'YES', 'H11 CAN-BLOCK-RELOAD=YES is missing'],
    [
      seconds('PART-HOLD-BACK') >= 3 * partTarget - EPSILON,
      'H11 PART-HOLD-BACK is under 3 part targets',
    ],
    [!(seconds('HOLD-BACK') < 3 * targetDuration), 'H11 HOLD-BACK is under 3 target durations'],
    [!(skipUntil < 6 * targetDuration), 'H11 CAN-SKIP-UNTIL is under 6 target durations'],
  ]);
}

function segmentDurations({ segments, targetDuration }: MediaPlaylist): string[] {
  return segments.flatMap(({ uri, duration = Number.NaN }) =>
    faultsOf([
      [Math.round(duration) <= targetDuration, `H03 ${uri ?? ''} is longer than TARGETDURATION`],
    ]),
  );
}

function initAndTime({ segments, open }: MediaPlaylist): string[] {
  const all = open === undefined ? segments : [...segments, open];
  let run = { fromMs: 0, seconds: 0 };
  return all.flatMap((segment, index) => {
    const name = String(segment.msn);
    const previous = all[index - 1];
    const isContinuous = previous?.discontinuity === segment.discontinuity;
    const atMs = Date.parse(segment.dateTime ?? '');
    run = isContinuous
      ? { ...run, seconds: run.seconds + (previous.duration ?? 0) }
      : { fromMs: atMs, seconds: 0 };
    return faultsOf([
      [
        !(Math.abs(atMs - run.fromMs - run.seconds * 1000) > 25),
        `H21 up to ${name} the durations make ${run.seconds} s, the dates ${atMs - run.fromMs} ms`,
      ],
      [segment.mapUri !== undefined, `H16 ${name} has no EXT-X-MAP`],
      [!isContinuous || previous.mapUri === segment.mapUri, `H18 ${name} changes its init segment`],
      [isIsoTime(segment.dateTime), `H15 ${name} has no date and time with ms and zone`],
      [!isContinuous || followsInTime(previous, segment), `H15 ${name} jumps in time`],
    ]);
  });
}

function isIsoTime(text: string | undefined): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,}(Z|[+-]\d\d:?\d\d)$/.test(text ?? '');
}

/** Date and time go on with the durations: to the frame (audio) and the written millisecond. */
function followsInTime(previous: PlaylistSegment, segment: PlaylistSegment): boolean {
  const expectedMs = Date.parse(previous.dateTime ?? '') + (previous.duration ?? 0) * 1000;
  return !(Math.abs(Date.parse(segment.dateTime ?? '') - expectedMs) > 25);
}

function parts(playlist: MediaPlaylist): string[] {
  const closed = playlist.segments.filter((segment) => segment.parts.length > 0);
  const open = playlist.open === undefined ? [] : [playlist.open];
  return [
    ...[...closed, ...open].flatMap((segment) =>
      segment.parts.flatMap((part, index) => partLength(playlist, segment, part, index)),
    ),
    ...closed.flatMap((segment) => segmentOfParts(segment)),
    ...farParts(playlist),
  ];
}

function partLength(
  { partTarget }: MediaPlaylist,
  segment: PlaylistSegment,
  part: PlaylistPart,
  index: number,
): string[] {
  const next = segment.parts[index + 1];
  const mayBeShort = part.isIndependent || part.isGap || next === undefined || next.isGap;
  return faultsOf([
    [part.duration <= partTarget + EPSILON, `H06 ${part.uri} is longer than PART-TARGET`],
    [
      mayBeShort || part.duration >= 0.85 * partTarget - EPSILON,
      `H07 ${part.uri} is under 85 % of PART-TARGET`,
    ],
  ]);
}

function segmentOfParts({ msn, duration = 0, isGap, parts: own }: PlaylistSegment): string[] {
  const sum = own.reduce((total, part) => total + part.duration, 0);
  return faultsOf([
    [
      Math.abs(sum - duration) < EPSILON * own.length,
      `H10 the parts of ${msn} make ${sum} s, not ${duration} s`,
    ],
    [isGap || own[0]?.isIndependent === true, `H08 ${msn} does not begin with an independent part`],
    [
      !isGap || own.every((part) => part.isGap),
      `H19 ${msn} is a gap and lists a part that is none`,
    ],
  ]);
}

function farParts({ segments, open, targetDuration }: MediaPlaylist): string[] {
  let behind = (open?.parts ?? []).reduce((total, part) => total + part.duration, 0);
  return segments.toReversed().flatMap((segment) => {
    const isFar = behind > 3 * targetDuration + 0.05;
    behind += segment.duration ?? 0;
    return isFar && segment.parts.length > 0
      ? [`H12 ${segment.msn} lists parts more than 3 target durations from the end`]
      : [];
  });
}

function tail(playlist: MediaPlaylist): string[] {
  const { hints, reports, hasEnd, segments, open } = playlist;
  const partHints = hints.filter(({ type }) => type === 'PART');
  const published = [...segments, ...(open === undefined ? [] : [open])]
    .flatMap((segment) => segment.parts)
    .map(({ uri }) => uri);
  const newest = newestPart(playlist);
  return [
    ...faultsOf([
      [
        partHints.length === (hasEnd || playlist.isIframesOnly ? 0 : 1),
        `H13 ${partHints.length} hints of a part`,
      ],
      [
        partHints.every(({ uri }) => !published.includes(uri)),
        'H13 hints a part that is published',
      ],
    ]),
    ...reports.flatMap(({ uri, lastMsn, lastPart }) =>
      faultsOf([
        [uri !== '' && !/^[a-z]+:\/\//i.test(uri), `H14 the report of ${uri} is not relative`],
        [lastPart >= 0, `H14 the report of ${uri} has no LAST-PART`],
        [
          Math.abs(lastMsn - newest.msn) <= 1,
          `H14 the report of ${uri} says ${lastMsn}, here ${newest.msn}`,
        ],
      ]),
    ),
  ];
}
