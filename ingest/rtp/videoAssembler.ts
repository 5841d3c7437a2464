/**
 * H.264 access units out of ordered packets: assembled by timestamp and marker, with parameter
 * sets in front of every IDR, as AVCC. After a loss nothing is let through until the next whole
 * IDR, since every picture in between refers to what is missing. Leaves asking for it to the owner.
 */
import { H264Depacketizer, NAL, nalType } from './h264Depacketizer.ts';
import { ParameterSets, type VideoDescription } from './parameterSets.ts';
import type { Ordered } from './reorderBuffer.ts';
import type { StreamPacket } from './rtpPacket.ts';

/** An access unit or a change of parameters, in order. */
export type Assembled =
  | { readonly kind: 'parameters'; readonly parameters: VideoDescription }
  | {
      readonly kind: 'unit';
      /** AVCC, in a buffer of its own. */
      readonly data: Uint8Array<ArrayBuffer>;
      readonly rtpTime: number;
      /** Earliest arrival among its packets (local monotonic ms). */
      readonly arrivedMs: number;
      readonly isKeyframe: boolean;
    };

/** Counts since the assembler was made. */
export type AssemblerStats = { readonly units: number; readonly damaged: number };

type Building = {
  readonly rtpTime: number;
  readonly nals: Uint8Array[];
  arrivedMs: number;
  bytes: number;
  isDamaged: boolean;
};

const MAX_UNIT_BYTES = 8 * 1024 * 1024;

/** One video stream's assembler. */
export class VideoAssembler {
  readonly #depacketizer = new H264Depacketizer();
  readonly #sets = new ParameterSets();
  #building: Building | undefined;
  #isAwaitingKeyframe = true;
  /** A gap came just before what arrives next: the start of its access unit may be in the gap. */
  #isAfterGap = false;
  #units = 0;
  #damaged = 0;

  /** Whether nothing is let through until a whole IDR comes. */
  get isAwaitingKeyframe(): boolean {
    return this.#isAwaitingKeyframe;
  }

  get stats(): AssemblerStats {
    return { units: this.#units, damaged: this.#damaged };
  }

  /** Takes what the reorder buffer gave. */
  push(ordered: Ordered): Assembled[] {
    if (ordered.kind === 'loss') {
      this.#lost();
      return [];
    }
    const { packet } = ordered;
    if (packet.payload.length === 0) {
      return []; // padding only: it filled its place in the sequence, RFC 3550 §5.1
    }
    const out: Assembled[] = [];
    if (this.#building !== undefined && this.#building.rtpTime !== packet.rtpTime) {
      this.#finish(out);
    }
    this.#append(packet);
    if (packet.marker) {
      this.#finish(out);
    }
    return out;
  }

  #lost(): void {
    this.#depacketizer.reset();
    this.#isAwaitingKeyframe = true;
    this.#isAfterGap = true;
    if (this.#building !== undefined) {
      this.#building.isDamaged = true;
    }
  }

  #append(packet: StreamPacket): void {
    const isFirst = this.#building === undefined;
    this.#building ??= {
      rtpTime: packet.rtpTime,
      nals: [],
      arrivedMs: packet.arrivedMs,
      bytes: 0,
      isDamaged: false,
    };
    const building = this.#building;
    building.arrivedMs = Math.min(building.arrivedMs, packet.arrivedMs);
    const nals = this.#depacketizer.push(packet.payload);
    if (nals === undefined) {
      this.#depacketizer.reset();
      building.isDamaged = true;
      return;
    }
    if (this.#isAfterGap) {
      // Parameter sets and delimiters come first in an access unit (H.264 §7.4.1.2.3).
      building.isDamaged ||= !isFirst || !startsUnit(nals[0]);
      this.#isAfterGap = false;
    }
    for (const nal of nals) {
      building.bytes += nal.length + 4;
      building.nals.push(nal);
    }
    if (building.bytes > MAX_UNIT_BYTES) {
      building.nals.length = 0;
      building.isDamaged = true;
    }
  }

  #finish(out: Assembled[]): void {
    const building = this.#building;
    this.#building = undefined;
    if (building === undefined) {
      return;
    }
    if (building.isDamaged || this.#depacketizer.isInside) {
      this.#depacketizer.reset();
      this.#damaged += 1;
      this.#isAwaitingKeyframe = true;
      return;
    }
    const nals = building.nals.filter(
      (nal) => nalType(nal) !== NAL.delimiter && nalType(nal) !== NAL.filler,
    );
    for (const nal of nals) {
      this.#sets.learn(nal);
    }
    if (!nals.some((nal) => nalType(nal) >= NAL.slice && nalType(nal) <= NAL.idr)) {
      return; // parameter sets alone: no picture
    }
    const isKeyframe = nals.some((nal) => nalType(nal) === NAL.idr);
    if (this.#isAwaitingKeyframe && !isKeyframe) {
      this.#damaged += 1;
      return;
    }
    if (isKeyframe && !this.#admitKeyframe(out)) {
      this.#damaged += 1;
      return;
    }
    this.#units += 1;
    const withSets = isKeyframe ? this.#sets.complete(nals) : nals;
    out.push({
      kind: 'unit',
      data: avcc(withSets),
      rtpTime: building.rtpTime,
      arrivedMs: building.arrivedMs,
      isKeyframe,
    });
  }

  /** Whether an IDR is decodable with the sets known; announces them where they changed. */
  #admitKeyframe(out: Assembled[]): boolean {
    if (!this.#sets.isComplete) {
      this.#isAwaitingKeyframe = true;
      return false;
    }
    this.#isAwaitingKeyframe = false;
    const parameters = this.#sets.takeChange();
    if (parameters !== undefined) {
      out.push({ kind: 'parameters', parameters });
    }
    return true;
  }
}

function startsUnit(nal: Uint8Array | undefined): boolean {
  const type = nal === undefined ? 0 : nalType(nal);
  return type === NAL.sps || type === NAL.delimiter;
}

/** NAL units with 4-byte lengths (ISO/IEC 14496-15 §5.3.2), in one buffer of its own. */
function avcc(nals: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(nals.reduce((sum, nal) => sum + 4 + nal.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const nal of nals) {
    view.setUint32(at, nal.length);
    out.set(nal, at + 4);
    at += 4 + nal.length;
  }
  return out;
}
