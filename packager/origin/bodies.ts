/**
 * Complete media as it is sent: one buffer per closed segment, and its parts as views of it. All
 * readers share bytes, validator and headers.
 */
import { createHash } from 'node:crypto';
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import { headersOf } from './headers.ts';
import { partChunks, type StoredPart, type StoredSegment, wholeSegment } from './segmentRing.ts';
import type { TrackHeader } from './trackHeader.ts';

/** Bytes that will never change. */
export class Body {
  readonly kind: ResourceKind;
  /** When they were complete on the timeline (Unix ms): the same on every origin. Unknown of headers. */
  readonly modifiedMs: number | undefined;
  bytes: Uint8Array;
  #etag: string | undefined;
  #validators: string[] | undefined;
  #head: string[] | undefined;

  constructor(kind: ResourceKind, bytes: Uint8Array, modifiedMs: number | undefined) {
    this.kind = kind;
    this.bytes = bytes;
    this.modifiedMs = modifiedMs;
  }

  /** Strong validator: a hash of the bytes, made when first asked for. */
  get etag(): string {
    this.#etag ??= `"${createHash('sha1').update(this.bytes).digest('base64url')}"`;
    return this.#etag;
  }

  /** Headers of every answer about these bytes, also of 206 and 304. */
  get validators(): readonly string[] {
    this.#validators ??= [
      ...headersOf(this.kind),
      'ETag',
      this.etag,
      ...(this.modifiedMs === undefined
        ? []
        : ['Last-Modified', new Date(this.modifiedMs).toUTCString()]),
      'Accept-Ranges',
      'bytes',
    ];
    return this.#validators;
  }

  /** Headers of a 200; a flat row that is made once. */
  get head(): string[] {
    this.#head ??= [...this.validators, 'Content-Length', String(this.bytes.length)];
    return this.#head;
  }
}

/** Bodies of what a ring holds; they go with it. */
export class RingBodies {
  readonly #segments = new WeakMap<StoredSegment, Body>();
  readonly #parts = new WeakMap<StoredPart, Body>();

  /** Body of a closed segment. */
  segment(segment: StoredSegment, kind: ResourceKind, modifiedMs: number): Body {
    let body = this.#segments.get(segment);
    if (body === undefined) {
      body = new Body(kind, wholeSegment(segment) ?? new Uint8Array(), modifiedMs);
      this.#segments.set(segment, body);
      // What was read of it before it closed is held once, too.
      for (const part of segment.parts) {
        const known = this.#parts.get(part);
        if (known !== undefined) {
          known.bytes = viewOf(body.bytes, segment, part);
        }
      }
    }
    return body;
  }

  /** Body of a complete part, also of a segment that grows. */
  part(segment: StoredSegment, part: StoredPart, kind: ResourceKind, modifiedMs: number): Body {
    let body = this.#parts.get(part);
    if (body === undefined) {
      const whole = wholeSegment(segment);
      const bytes =
        whole === undefined
          ? Buffer.concat(partChunks(segment, part))
          : viewOf(whole, segment, part);
      body = new Body(kind, bytes, modifiedMs);
      this.#parts.set(part, body);
    }
    return body;
  }
}

/** Bodies of header files, while their track knows them. */
export class HeaderBodies {
  readonly #bodies = new WeakMap<TrackHeader, Body>();

  /** Body of a header file; its name says its bytes, so it was always the same. */
  of(header: TrackHeader, kind: ResourceKind): Body {
    let body = this.#bodies.get(header);
    if (body === undefined) {
      body = new Body(kind, header.bytes, undefined);
      this.#bodies.set(header, body);
    }
    return body;
  }
}

function viewOf(whole: Uint8Array, { chunks }: StoredSegment, part: StoredPart): Uint8Array {
  const lengthOf = (slices: readonly Uint8Array[]): number =>
    slices.reduce((sum, slice) => sum + slice.length, 0);
  const from = lengthOf(chunks.slice(0, part.firstChunk));
  return whole.subarray(from, from + lengthOf(chunks.slice(part.firstChunk, part.endChunk)));
}
