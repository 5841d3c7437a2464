/**
 * Rendered texts of one broadcast: each is made when somebody asks and the state has changed since,
 * and compressed when somebody asks for that; all readers share the bytes.
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** A text ready to be sent. */
export type Rendering = {
  readonly body: Uint8Array;
  readonly etag: string;
  /** Strong validator of the compressed form. */
  readonly gzipEtag: string;
  /** Compressed once, when first asked for. */
  gzip(): Uint8Array;
};

/** Keeps one rendering per name, of one version. */
export class Renderings {
  readonly #cache = new Map<string, { readonly version: number; readonly value: Rendering }>();

  /** The text of `name` at `version`; `render` is called where it is not at hand. */
  get(name: string, version: number, render: () => string): Rendering {
    const cached = this.#cache.get(name);
    if (cached?.version === version) {
      return cached.value;
    }
    const value = renderingOf(Buffer.from(render()));
    this.#cache.set(name, { version, value });
    return value;
  }
}

function renderingOf(body: Uint8Array): Rendering {
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 22);
  let compressed: Uint8Array | undefined;
  return {
    body,
    etag: `"${hash}"`,
    gzipEtag: `"${hash}-gzip"`,
    gzip() {
      compressed ??= gzipSync(body);
      return compressed;
    },
  };
}
