/** The parameter sets of an H.264 stream: learnt from access units, put in front of IDRs without them. */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { isSameBytes } from './bytes.ts';
import { NAL, nalType } from './h264Depacketizer.ts';
import {
  avcDecoderConfiguration,
  parsePictureParameterSetIds,
  parseSequenceParameterSet,
  type SequenceParameterSet,
} from './sequenceParameterSet.ts';

/** Sets beyond this size are refused: encoders write tens of bytes. */
const MAX_SET_BYTES = 1024;
const MAX_SETS = 16;

type Known = { readonly parsed: SequenceParameterSet; readonly nal: Uint8Array };

/** Holds copies: packets' buffers are not kept alive. */
export class ParameterSets {
  readonly #sps = new Map<number, Known>();
  readonly #pps = new Map<number, Uint8Array>();
  #hasChanged = false;

  /** Whether a picture can be decoded with what is known. */
  get isComplete(): boolean {
    return this.#sps.size > 0 && this.#pps.size > 0;
  }

  /** Takes any NAL unit; keeps it where it is a parameter set with something new in it. */
  learn(nal: Uint8Array): void {
    if (nal.length > MAX_SET_BYTES) {
      return;
    }
    const type = nalType(nal);
    if (type === NAL.sps) {
      this.#learnSequence(nal);
    } else if (type === NAL.pps) {
      this.#learnPicture(nal);
    }
  }

  /** `nals` with the known sets in front of them where they lack an SPS or a PPS. */
  complete(nals: readonly Uint8Array[]): readonly Uint8Array[] {
    const hasSequence = nals.some((nal) => nalType(nal) === NAL.sps);
    const hasPicture = nals.some((nal) => nalType(nal) === NAL.pps);
    if (hasSequence && hasPicture) {
      return nals;
    }
    const rest = nals.filter((nal) => nalType(nal) !== NAL.sps && nalType(nal) !== NAL.pps);
    return [...this.#sequences(), ...this.#pps.values(), ...rest];
  }

  /** The description, if it changed since the last call and is complete. */
  takeChange(): VideoParameters | undefined {
    const [first] = this.#sps.values();
    if (!this.#hasChanged || first === undefined || this.#pps.size === 0) {
      return undefined;
    }
    this.#hasChanged = false;
    const { width, height } = first.parsed;
    const decoderConfiguration = avcDecoderConfiguration(
      this.#sequences(),
      [...this.#pps.values()],
      first.parsed,
    );
    return { codec: 'h264', width, height, decoderConfiguration };
  }

  #sequences(): Uint8Array[] {
    return [...this.#sps.values()].map((known) => known.nal);
  }

  #learnSequence(nal: Uint8Array): void {
    const parsed = parseSequenceParameterSet(nal);
    if (parsed === undefined) {
      return;
    }
    const before = this.#sps.get(parsed.id);
    if (before === undefined ? this.#sps.size >= MAX_SETS : isSameBytes(before.nal, nal)) {
      return;
    }
    if (before !== undefined) {
      // A new sequence: the picture sets of the old one need not fit it (H.264 §7.4.1.2.1).
      this.#pps.clear();
    }
    this.#sps.set(parsed.id, { parsed, nal: nal.slice() });
    this.#hasChanged = true;
  }

  #learnPicture(nal: Uint8Array): void {
    const ids = parsePictureParameterSetIds(nal);
    const before = ids === undefined ? undefined : this.#pps.get(ids.id);
    if (ids === undefined || !this.#sps.has(ids.spsId)) {
      return;
    }
    if (before === undefined ? this.#pps.size >= MAX_SETS : isSameBytes(before, nal)) {
      return;
    }
    this.#pps.set(ids.id, nal.slice());
    this.#hasChanged = true;
  }
}
