/** Reads one track's publish stream: `ftyp moov`, then `moof mdat` for ever. */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { concatBytes } from './bytes.ts';
import { BoxSplitter, type ReadBox } from './boxSplitter.ts';
import { parseFragment, type Sample } from './fragment.ts';
import { parseInit, type TrackInit } from './init.ts';

/** What a slice of the stream brought. */
export type TrackEvent =
  | { readonly kind: 'init'; readonly init: TrackInit; /** Copied. */ readonly bytes: Uint8Array }
  | {
      readonly kind: 'fragment';
      /** Views: copy to keep. */
      readonly samples: readonly Sample[];
      readonly moof: Uint8Array;
      readonly mdat: Uint8Array;
    };

// Legal in a CMAF track between fragments, and of no use here; ffmpeg adds mfra when it ends.
const IGNORED = new Set(['styp', 'sidx', 'prft', 'emsg', 'free', 'skip', 'uuid', 'mfra']);

/** `push` slices in, headers and fragments come out. A fault ends the stream: make a new reader. */
export class TrackReader {
  readonly #splitter: BoxSplitter;
  #ftyp: Uint8Array | undefined;
  #moof: ReadBox | undefined;
  #init: TrackInit | undefined;

  constructor(options: { readonly maxBoxBytes?: number } = {}) {
    this.#splitter = new BoxSplitter(options);
  }

  /** Whether the stream stands inside a box, a header or a fragment. */
  get isWithin(): boolean {
    return this.#splitter.pendingBytes > 0 || this.#moof !== undefined || this.#ftyp !== undefined;
  }

  /** @throws GatewayError `bad_media` or `bad_init` */
  push(slice: Uint8Array): TrackEvent[] {
    const events: TrackEvent[] = [];
    for (const box of this.#splitter.push(slice)) {
      const event = this.#take(box);
      if (event !== undefined) {
        events.push(event);
      }
    }
    return events;
  }

  #take(box: ReadBox): TrackEvent | undefined {
    if (this.#moof !== undefined && box.type !== 'mdat') {
      throw new GatewayError('bad_media', `${box.type} between moof and mdat`);
    }
    switch (box.type) {
      case 'ftyp':
        // Not slice(): of a Buffer that is a view.
        this.#ftyp = new Uint8Array(box.bytes);
        return undefined;
      case 'moov':
        return this.#takeInit(box);
      case 'moof':
        this.#moof = box;
        return undefined;
      case 'mdat':
        return this.#takeFragment(box);
      default:
        if (!IGNORED.has(box.type)) {
          throw new GatewayError('bad_media', `box ${JSON.stringify(box.type)} in a track`);
        }
        return undefined;
    }
  }

  #takeInit(moov: ReadBox): TrackEvent {
    if (this.#ftyp === undefined) {
      throw new GatewayError('bad_init', 'moov without ftyp');
    }
    const bytes = concatBytes([this.#ftyp, moov.bytes]);
    this.#ftyp = undefined;
    this.#init = parseInit(bytes);
    return { kind: 'init', init: this.#init, bytes };
  }

  #takeFragment(mdat: ReadBox): TrackEvent {
    const moof = this.#moof;
    if (moof === undefined || this.#init === undefined) {
      throw new GatewayError(
        'bad_media',
        this.#init === undefined ? 'media before its header' : 'mdat without moof',
      );
    }
    this.#moof = undefined;
    return {
      kind: 'fragment',
      samples: parseFragment(moof, mdat, this.#init),
      moof: moof.bytes,
      mdat: mdat.bytes,
    };
  }
}
