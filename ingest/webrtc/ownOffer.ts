/**
 * The offer that the ingest makes where the streamer makes none: UE 4.26 and 4.27 answer, and
 * choose. Pure text: the stack's offer with media lines of ours.
 */
import type { VideoCodec } from '../../infra/kernel/media.ts';
import type { FeedbackMode } from '../rtp/senderFeedback.ts';
import {
  type AcceptedMedia,
  type BitrateHints,
  bitrateParameters,
  feedbackLines,
  MID_URI,
  OPUS_PARAMETERS,
  renderAnswer,
  TRANSPORT_CC_URI,
} from './sdp.ts';
import { ENCODING_NAMES } from './videoCodecs.ts';

const FIRST_PAYLOAD_TYPE = 96;
const OPUS_PAYLOAD_TYPE = 63;
/** libwebrtc takes an H.264 profile only where it is named: both baselines, main and high. */
const H264_PROFILES = ['42e01f', '42001f', '4d001f', '64001f'];

/** The stack's receive-only offer as it goes out: all of `wanted`, the preferred first. */
export function renderOwnOffer(
  sdp: string,
  feedback: FeedbackMode,
  wanted: readonly VideoCodec[],
  hints: BitrateHints,
): string {
  const extensions = [
    `a=extmap:1 ${MID_URI}`,
    ...(feedback === 'transport-cc' ? [`a=extmap:2 ${TRANSPORT_CC_URI}`] : []),
  ];
  const media: Readonly<Record<string, AcceptedMedia>> = {
    video: ownVideo(feedback, wanted, hints, extensions),
    audio: {
      payloadTypes: [OPUS_PAYLOAD_TYPE],
      attributes: [
        ...extensions,
        `a=rtpmap:${OPUS_PAYLOAD_TYPE} opus/48000/2`,
        `a=fmtp:${OPUS_PAYLOAD_TYPE} ${OPUS_PARAMETERS}`,
      ],
    },
  };
  const accepted = new Map<string, AcceptedMedia>();
  for (const section of sdp.split(/^(?=m=)/m)) {
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const own = media[/^m=(\w+)/.exec(section)?.[1] ?? ''];
    if (mid !== undefined && own !== undefined) {
      accepted.set(mid, own);
    }
  }
  return renderAnswer(sdp, { accepted });
}

function ownVideo(
  feedback: FeedbackMode,
  wanted: readonly VideoCodec[],
  hints: BitrateHints,
  extensions: readonly string[],
): AcceptedMedia {
  const formats = wanted.flatMap((codec) =>
    formatsOf(codec).map((format) => ({ name: ENCODING_NAMES[codec], format })),
  );
  const lines = formats.flatMap(({ name, format }, index) => {
    const payloadType = FIRST_PAYLOAD_TYPE + 2 * index;
    const parameters = [...format, ...bitrateParameters(hints)].join(';');
    return [
      `a=rtpmap:${payloadType} ${name}/90000`,
      `a=rtcp-fb:${payloadType} nack`,
      `a=rtcp-fb:${payloadType} nack pli`,
      ...feedbackLines(payloadType, feedback),
      ...(parameters === '' ? [] : [`a=fmtp:${payloadType} ${parameters}`]),
      `a=rtpmap:${payloadType + 1} rtx/90000`,
      `a=fmtp:${payloadType + 1} apt=${payloadType}`,
    ];
  });
  return {
    payloadTypes: formats.flatMap((_, index) => [
      FIRST_PAYLOAD_TYPE + 2 * index,
      FIRST_PAYLOAD_TYPE + 2 * index + 1,
    ]),
    attributes: [...extensions, ...lines],
  };
}

/** Parameters of each payload type of a codec. */
function formatsOf(codec: VideoCodec): string[][] {
  if (codec === 'h264') {
    return H264_PROFILES.map((profile) => [
      'level-asymmetry-allowed=1',
      'packetization-mode=1',
      `profile-level-id=${profile}`,
    ]);
  }
  return [codec === 'vp9' ? ['profile-id=0'] : []];
}
