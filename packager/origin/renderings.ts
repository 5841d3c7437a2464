/**
 * Rendered texts of one broadcast: each is made when somebody asks and the state has changed since,
 * and compressed when somebody asks for that. All readers of a state share one body, one compressed
 * body and one row of headers for each.
 */
import { createHash } from 'node:crypto';
import { constants, gzipSync } from 'node:zlib';
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import { headersOf } from './headers.ts';

// A rewind playlist of two hours is 400 KB: at the usual level it would hold everybody up for 8 ms.
const QUICK_ABOVE_BYTES = 65_536;

/** A text ready to be sent. */
export class Rendering {
  readonly body: Buffer;
  readonly etag: string;
  /** Strong validator of the compressed form. */
  readonly gzipEtag: string;
  readonly #heads = new Map<string, string[]>();
  #gzip: Buffer | undefined;

  constructor(body: Buffer) {
    const hash = createHash('sha1').update(body).digest('base64url');
    this.body = body;
    this.etag = `"${hash}"`;
    this.gzipEtag = `"${hash}-gzip"`;
  }

  /** Compressed once, when first asked for. */
  gzip(): Buffer {
    const level =
      this.body.length > QUICK_ABOVE_BYTES
        ? constants.Z_BEST_SPEED
        : constants.Z_DEFAULT_COMPRESSION;
    this.#gzip ??= gzipSync(this.body, { level });
    return this.#gzip;
  }

  /** Headers of a 200 of this kind; a flat row that is made once. */
  head(kind: ResourceKind, isGzip: boolean): string[] {
    const name = isGzip ? `${kind} gzip` : kind;
    let head = this.#heads.get(name);
    if (head === undefined) {
      head = [
        ...headersOf(kind),
        'ETag',
        isGzip ? this.gzipEtag : this.etag,
        ...(isGzip ? ['Content-Encoding', 'gzip'] : []),
        'Content-Length',
        String(isGzip ? this.gzip().length : this.body.length),
      ];
      this.#heads.set(name, head);
    }
    return head;
  }
}

/** Keeps one rendering per name, of one version. */
export class Renderings {
  readonly #cache = new Map<string, { version: number; readonly value: Rendering }>();

  /** The text of `name` at `version`; `render` is called where it is not at hand. */
  get(name: string, version: number, render: () => string): Rendering {
    const cached = this.#cache.get(name);
    if (cached?.version === version) {
      return cached.value;
    }
    const body = Buffer.from(render());
    if (cached?.value.body.equals(body) === true) {
      // An MPD reads the same while it is live.
      cached.version = version;
      return cached.value;
    }
    const value = new Rendering(body);
    this.#cache.set(name, { version, value });
    return value;
  }
}
