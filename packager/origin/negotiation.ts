/** What request headers ask of an answer that is ready: coding, range, validators. Pure. */

const PLAIN_GZIP = /(?:^|,)\s*gzip\s*(?:,|$)/i;

/** Whether the client takes gzip (RFC 9110 §12.5.3). */
export function acceptsGzip(header: string | undefined): boolean {
  // What browsers send needs no parsing.
  return header !== undefined && (PLAIN_GZIP.test(header) || weightOfGzip(header) > 0);
}

function weightOfGzip(header: string): number {
  const weights = new Map(
    header.split(',').map((entry) => {
      const [coding = '', ...parameters] = entry.split(';').map((text) => text.trim());
      const q = parameters.find((text) => /^q=/i.test(text))?.slice(2) ?? '1';
      return [coding.toLowerCase(), Number(q)];
    }),
  );
  return weights.get('gzip') ?? weights.get('*') ?? 0;
}

/** Whether `If-None-Match` names one of `etags` (RFC 9110 §13.1.2, weak comparison). */
export function matchesEtag(header: string | undefined, etags: readonly string[]): boolean {
  if (header === undefined) {
    return false;
  }
  const candidates = header.split(',').map((text) => text.trim().replace(/^W\//, ''));
  return candidates.some((candidate) => candidate === '*' || etags.includes(candidate));
}

/** A range in bytes, both ends inclusive; `whole` where the header is to be ignored. */
export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeAnswer = { kind: 'whole' };

/**
 * One byte range of `length` bytes (RFC 9110 §14.2). Several ranges, other units and malformed
 * ones are ignored, which the RFC allows: no multipart amplification.
 */
export function parseRange(header: string | undefined, length: number): RangeAnswer {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (match === null || (from === '' && to === '')) {
    return WHOLE;
  }
  if (from === '') {
    const suffix = Math.min(Number(to), length);
    return suffix === 0
      ? { kind: 'unsatisfiable' }
      : { kind: 'part', first: length - suffix, last: length - 1 };
  }
  const first = Number(from);
  const last = to === '' ? length - 1 : Math.min(Number(to), length - 1);
  if (to !== '' && Number(to) < first) {
    return WHOLE;
  }
  return first >= length ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}

/**
 * Whether `If-Modified-Since` is not before `modifiedMs` (RFC 9110 §13.1.3, whole seconds). For what
 * never changes once it is there; a live playlist changes within a second and has no such date.
 */
export function isUnmodifiedSince(
  header: string | undefined,
  modifiedMs: number | undefined,
): boolean {
  const sinceMs = header === undefined ? NaN : Date.parse(header);
  return modifiedMs !== undefined && Math.floor(modifiedMs / 1000) * 1000 <= sinceMs;
}
