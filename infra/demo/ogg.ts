/**
 * Opus packets out of an Ogg byte stream with one packet to a page, as ffmpeg writes it with
 * `-page_duration 20000`. Pure. RFC 3533 §6, RFC 7845 §5.1.
 */
import { GatewayError } from '../kernel/errors.ts';

/** Feeds chunks of any size; gives the packets that are complete. */
export type OggReader = {
  push(chunk: Uint8Array): Uint8Array[];
  /** Samples at 48 kHz that the decoder's output lags the encoder's input by; 0 before OpusHead. */
  preSkip(): number;
};

const PAGE_HEADER_BYTES = 27;

/** @throws GatewayError `ffmpeg_failed` from `push` on bytes that are not Ogg */
export function createOggReader(): OggReader {
  let pending: Buffer = Buffer.alloc(0);
  let preSkip = 0;
  const takePacket = (packet: Buffer): Uint8Array | undefined => {
    const magic = packet.toString('latin1', 0, 8);
    if (magic === 'OpusHead') {
      preSkip = packet.length >= 12 ? packet.readUInt16LE(10) : 0;
      return undefined;
    }
    return magic === 'OpusTags' || packet.length === 0 ? undefined : packet;
  };
  return {
    preSkip: () => preSkip,
    push(chunk) {
      pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
      const packets: Uint8Array[] = [];
      while (pending.length >= PAGE_HEADER_BYTES) {
        if (pending.toString('latin1', 0, 4) !== 'OggS') {
          throw new GatewayError('ffmpeg_failed', 'the encoder did not give Ogg');
        }
        const segments = pending[26] ?? 0;
        const lacing = pending.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + segments);
        const bodyAt = PAGE_HEADER_BYTES + segments;
        const bodyBytes = lacing.reduce((sum, value) => sum + value, 0);
        if (pending.length < bodyAt + bodyBytes) {
          break;
        }
        let [start, length] = [bodyAt, 0];
        for (const value of lacing) {
          length += value;
          // A value below 255 ends a packet.
          if (value < 255) {
            const packet = takePacket(pending.subarray(start, start + length));
            if (packet !== undefined) {
              packets.push(packet);
            }
            start += length;
            length = 0;
          }
        }
        pending = pending.subarray(bodyAt + bodyBytes);
      }
      return packets;
    },
  };
}
