/** Which of the video codecs in an offer is agreed on, and under which payload types. Pure. */
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { VideoCodec } from '../../infra/kernel/media.ts';

/** One payload type of an offer. */
export type OfferedCodec = {
  readonly payloadType: number;
  /** Encoding name of its `rtpmap`, in small letters. */
  readonly name: string;
  /** Parameters of its `fmtp`. */
  readonly format: string;
};

/** The codec agreed on. */
export type ChosenVideo = {
  readonly codec: VideoCodec;
  readonly payloads: readonly OfferedCodec[];
};

/** Encoding names (RFC 6184, 7798, 7741, 9628; AV1 RTP v1.0 §7.1). */
export const ENCODING_NAMES: Readonly<Record<VideoCodec, string>> = {
  h264: 'H264',
  h265: 'H265',
  vp8: 'VP8',
  vp9: 'VP9',
  av1: 'AV1',
};

/** Payload types that are better than others of the codec; without them any will do. */
const PREFERRED: Readonly<Record<VideoCodec, (format: string) => boolean>> = {
  h264: (format) => formatParameter(format, 'packetization-mode') === '1',
  // Profile 0 has 8 bits and 4:2:0, as the ladder has.
  vp9: (format) => (formatParameter(format, 'profile-id') ?? '0') === '0',
  av1: (format) => (formatParameter(format, 'profile') ?? '0') === '0',
  h265: () => true,
  vp8: () => true,
};

/**
 * The first codec of `wanted` that is offered.
 *
 * @throws GatewayError `bad_sdp` where none is
 */
export function chooseVideo(
  offered: readonly OfferedCodec[],
  wanted: readonly VideoCodec[],
): ChosenVideo {
  for (const codec of wanted) {
    const payloads = offered.filter(
      ({ name, format }) => name === ENCODING_NAMES[codec].toLowerCase() && isReadable(format),
    );
    const preferred = payloads.filter(({ format }) => PREFERRED[codec](format));
    if (payloads.length > 0) {
      return { codec, payloads: preferred.length > 0 ? preferred : payloads };
    }
  }
  const names = wanted.map((codec) => ENCODING_NAMES[codec]).join(', ');
  const has = [...new Set(offered.map(({ name }) => name))].join(', ');
  throw new GatewayError('bad_sdp', `the offer has no codec of ${names} (it has ${has})`);
}

/** Value of a parameter of a `fmtp`. */
export function formatParameter(format: string, name: string): string | undefined {
  for (const pair of format.split(';')) {
    const [key, value] = pair.split('=', 2);
    if (key?.trim().toLowerCase() === name) {
      return value?.trim();
    }
  }
  return undefined;
}

/** Decoding order numbers in every NAL unit (RFC 7798 §7.1) are not read. */
function isReadable(format: string): boolean {
  return (formatParameter(format, 'sprop-max-don-diff') ?? '0') === '0';
}
