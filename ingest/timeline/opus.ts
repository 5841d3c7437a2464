/** What the timeline needs of Opus: how long a packet is, and one that says nothing. Pure. */

/** 20 ms of stereo CELT silence: TOC 0xfc (config 31, stereo, one frame; RFC 6716 §3.1). */
export const OPUS_SILENCE: Uint8Array = Uint8Array.of(0xfc, 0xff, 0xfe);

/** Duration of `OPUS_SILENCE` in 48 kHz ticks. */
export const OPUS_SILENCE_TICKS = 960;

const MAX_PACKET_TICKS = 5760;
const SILK_TICKS = [480, 960, 1920, 2880];
const HYBRID_TICKS = [480, 960];
const CELT_TICKS = [120, 240, 480, 960];

/**
 * Duration of an Opus packet in 48 kHz ticks, from its TOC byte and frame count (RFC 6716 §3.1,
 * §3.2.5); at most 120 ms. Packets too short to tell count as 20 ms.
 */
export function opusDurationTicks(packet: Uint8Array): number {
  const toc = packet[0];
  if (toc === undefined) {
    return OPUS_SILENCE_TICKS;
  }
  const config = toc >> 3;
  const frameTicks =
    config < 12
      ? SILK_TICKS[config & 3]
      : config < 16
        ? HYBRID_TICKS[config & 1]
        : CELT_TICKS[config & 3];
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 1) & 0x3f;
  const duration = (frameTicks ?? OPUS_SILENCE_TICKS) * frames;
  return duration === 0 || duration > MAX_PACKET_TICKS ? OPUS_SILENCE_TICKS : duration;
}
