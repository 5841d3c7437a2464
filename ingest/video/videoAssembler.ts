/**
 * Pictures out of ordered packets, for any codec: assembled by timestamp and marker. After a loss
 * nothing is let through until the next whole keyframe, since every picture in between refers to
 * what is missing. Leaves the bytes to the codec's reader and asking for a keyframe to the owner.
 */
import type { VideoCodec, VideoParameters } from '../../infra/kernel/media.ts';
import type { Ordered } from '../rtp/reorderBuffer.ts';
import type { StreamPacket } from '../rtp/rtpPacket.ts';
import { Av1Reader } from './av1Reader.ts';
import { H264Reader } from './h264Reader.ts';
import { H265Reader } from './h265Reader.ts';
import { MAX_PICTURE_BYTES, type Picture, type PictureReader } from './picture.ts';
import { Vp8Reader } from './vp8Reader.ts';
import { Vp9Reader } from './vp9Reader.ts';

/** An access unit or a change of parameters, in order. */
export type Assembled =
  | { readonly kind: 'parameters'; readonly parameters: VideoParameters }
  | (Picture & {
      readonly kind: 'unit';
      readonly rtpTime: number;
      /** Earliest arrival among its packets (local monotonic ms). */
      readonly arrivedMs: number;
    });

/** Counts since the assembler was made. */
export type AssemblerStats = { readonly units: number; readonly damaged: number };

type Building = {
  readonly rtpTime: number;
  arrivedMs: number;
  bytes: number;
  isDamaged: boolean;
};

const READERS: Readonly<Record<VideoCodec, new () => PictureReader>> = {
  h264: H264Reader,
  h265: H265Reader,
  vp8: Vp8Reader,
  vp9: Vp9Reader,
  av1: Av1Reader,
};

/** One video stream's assembler. */
export class VideoAssembler {
  readonly #reader: PictureReader;
  #building: Building | undefined;
  #isAwaitingKeyframe = true;
  /** A gap came just before what arrives next: the start of its picture may be in the gap. */
  #isAfterGap = false;
  #units = 0;
  #damaged = 0;

  constructor(codec: VideoCodec) {
    this.#reader = new READERS[codec]();
  }

  /** Whether nothing is let through until a whole keyframe comes. */
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
    this.#reader.reset();
    this.#isAwaitingKeyframe = true;
    this.#isAfterGap = true;
    if (this.#building !== undefined) {
      this.#building.isDamaged = true;
    }
  }

  #append(packet: StreamPacket): void {
    const { rtpTime, arrivedMs, payload } = packet;
    const isFirst = this.#building === undefined;
    this.#building ??= { rtpTime, arrivedMs, bytes: 0, isDamaged: false };
    const building = this.#building;
    building.arrivedMs = Math.min(building.arrivedMs, arrivedMs);
    if (this.#isAfterGap) {
      building.isDamaged ||= !isFirst || !this.#reader.isKeyframeStart(payload);
      this.#isAfterGap = false;
    }
    building.bytes += payload.length;
    building.isDamaged ||= building.bytes > MAX_PICTURE_BYTES || !this.#reader.push(payload);
    if (building.isDamaged) {
      this.#reader.reset();
    }
  }

  #finish(out: Assembled[]): void {
    const building = this.#building;
    this.#building = undefined;
    if (building === undefined) {
      return;
    }
    const picture = building.isDamaged ? 'damaged' : this.#reader.finish();
    if (picture === 'damaged') {
      this.#reader.reset();
      this.#damaged += 1;
      this.#isAwaitingKeyframe = true;
      return;
    }
    if (picture === undefined) {
      return;
    }
    if (this.#isAwaitingKeyframe && !picture.isKeyframe) {
      this.#damaged += 1;
      return;
    }
    if (picture.isKeyframe) {
      this.#isAwaitingKeyframe = false;
      const parameters = this.#reader.takeParameters();
      if (parameters !== undefined) {
        out.push({ kind: 'parameters', parameters });
      }
    }
    this.#units += 1;
    const { rtpTime, arrivedMs } = building;
    out.push({ kind: 'unit', ...picture, rtpTime, arrivedMs });
  }
}
