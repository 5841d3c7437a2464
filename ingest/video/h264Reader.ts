/** H.264 pictures: NAL units as AVCC, with parameter sets in front of every IDR. */
import type { VideoParameters } from '../../infra/kernel/media.ts';
import { lengthPrefixed } from './bytes.ts';
import { H264Depacketizer, NAL, nalType, STAP_A } from './h264Depacketizer.ts';
import { ParameterSets } from './parameterSets.ts';
import type { Picture, PictureReader } from './picture.ts';

/** RFC 6184 in, ISO/IEC 14496-15 out. */
export class H264Reader implements PictureReader {
  readonly #depacketizer = new H264Depacketizer();
  readonly #sets = new ParameterSets();
  #nals: Uint8Array[] = [];

  push(payload: Uint8Array): boolean {
    const nals = this.#depacketizer.push(payload);
    this.#nals.push(...(nals ?? []));
    return nals !== undefined;
  }

  /** Parameter sets and delimiters come first in an access unit (H.264 §7.4.1.2.3). */
  isKeyframeStart(payload: Uint8Array): boolean {
    const type = nalType(nalType(payload) === STAP_A ? payload.subarray(3) : payload);
    return type === NAL.sps || type === NAL.delimiter;
  }

  finish(): Picture | 'damaged' | undefined {
    if (this.#depacketizer.isInside) {
      return 'damaged';
    }
    const nals = this.#nals.filter(
      (nal) => nalType(nal) !== NAL.delimiter && nalType(nal) !== NAL.filler,
    );
    this.#nals = [];
    for (const nal of nals) {
      this.#sets.learn(nal);
    }
    if (!nals.some((nal) => nalType(nal) >= NAL.slice && nalType(nal) <= NAL.idr)) {
      return undefined;
    }
    const isKeyframe = nals.some((nal) => nalType(nal) === NAL.idr);
    if (isKeyframe && !this.#sets.isComplete) {
      return 'damaged';
    }
    return { data: lengthPrefixed(isKeyframe ? this.#sets.complete(nals) : nals), isKeyframe };
  }

  takeParameters(): VideoParameters | undefined {
    return this.#sets.takeChange();
  }

  reset(): void {
    this.#depacketizer.reset();
    this.#nals = [];
  }
}
