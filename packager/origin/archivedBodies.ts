/**
 * Media read back from the archive: each file once for all who ask meanwhile, the last used of them
 * kept for those who come after. Bounded by bytes and by reads at once.
 */
import type { ResourceKind } from '../../infra/kernel/cachePolicy.ts';
import { Body } from './bodies.ts';

/** What became of a read: `busy` where too many run, `lost` where the bytes are not there. */
export type ArchivedBody = Body | 'busy' | 'lost';

const MAX_CACHED_BYTES = 67_108_864;
const MAX_READS = 64;

/** See the file header. Names of media are never used twice, so what is kept never goes stale. */
export class ArchivedBodies {
  readonly #maxCachedBytes: number;
  /** Least recently used first. */
  readonly #cached = new Map<string, Body>();
  readonly #reading = new Map<string, Promise<ArchivedBody>>();
  #cachedBytes = 0;

  constructor(maxCachedBytes: number = MAX_CACHED_BYTES) {
    this.#maxCachedBytes = maxCachedBytes;
  }

  /** Body of `name`; `read` is called where it is not at hand, and its failure counts as lost. */
  async get(
    name: string,
    about: { readonly kind: ResourceKind; readonly modifiedMs: number | undefined },
    read: () => Promise<Uint8Array | undefined>,
  ): Promise<ArchivedBody> {
    const cached = this.#cached.get(name);
    if (cached !== undefined) {
      this.#cached.delete(name);
      this.#cached.set(name, cached);
      return cached;
    }
    const reading = this.#reading.get(name);
    if (reading !== undefined) {
      return reading;
    }
    if (this.#reading.size >= MAX_READS) {
      return 'busy';
    }
    const started = read().then(
      (bytes) => {
        this.#reading.delete(name);
        return bytes === undefined
          ? 'lost'
          : this.#keep(name, new Body(about.kind, bytes, about.modifiedMs));
      },
      () => {
        this.#reading.delete(name);
        return 'lost' as const;
      },
    );
    this.#reading.set(name, started);
    return started;
  }

  #keep(name: string, body: Body): Body {
    this.#cached.set(name, body);
    this.#cachedBytes += body.bytes.length;
    for (const [oldest, { bytes }] of this.#cached) {
      if (this.#cachedBytes <= this.#maxCachedBytes) {
        break;
      }
      this.#cached.delete(oldest);
      this.#cachedBytes -= bytes.length;
    }
    return body;
  }
}
