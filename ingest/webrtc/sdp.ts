/**
 * What the ingest makes of a streamer's offer and of its own answer: which codecs, feedback and
 * header extensions are agreed on. Pure text. The WebRTC stack only sees an offer that holds
 * nothing else, and the answer's media lines are written here, so that both cannot disagree.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import type { VideoCodec } from '../../infra/kernel/media.ts';
import type { PayloadFormat } from '../rtp/mediaReceiver.ts';
import type { FeedbackMode } from '../rtp/senderFeedback.ts';
import { chooseVideo, ENCODING_NAMES, formatParameter, type OfferedCodec } from './videoCodecs.ts';

/** An offer that the ingest can answer. */
export type PreparedOffer = {
  /** The offer, reduced to what is accepted. */
  readonly sdp: string;
  readonly formats: ReadonlyMap<number, PayloadFormat>;
  readonly hasAudio: boolean;
  /** MID that carries the bundle's candidates. */
  readonly bundleMid: string;
  /** Header extension id of the transport-wide sequence number, where it is agreed on. */
  readonly transportCcId: number | undefined;
  readonly feedback: FeedbackMode;
  /** Media lines of the answer, by MID. */
  readonly accepted: ReadonlyMap<string, AcceptedMedia>;
};

/** What the answer says of one media section. */
export type AcceptedMedia = {
  readonly payloadTypes: readonly number[];
  readonly attributes: readonly string[];
};

/** Bit rates asked for in the answer (bit/s); 0 leaves one out. */
export type BitrateHints = {
  readonly startBitrateBps: number;
  readonly minBitrateBps: number;
  readonly maxBitrateBps: number;
};

/** Header extension. */
export const TRANSPORT_CC_URI =
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';
/** Header extension. */
export const MID_URI = 'urn:ietf:params:rtp-hdrext:sdes:mid';
const MAX_SDP_BYTES = 256 * 1024;
const MAX_SECTIONS = 32;
/** Stereo has to be asked for, or libwebrtc sends mono (RFC 7587 §7). */
export const OPUS_PARAMETERS =
  'minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;maxaveragebitrate=192000';
const REPLACED_IN_OFFER = /^a=(?:end-of-candidates|extmap:|rtpmap:|fmtp:|rtcp-fb:)/;
const REPLACED_IN_ANSWER =
  /^a=(?:extmap:|rtpmap:|fmtp:|rtcp-fb:|ssrc:|ssrc-group:|msid:|sendrecv|sendonly|recvonly|inactive)/;

type Section = { readonly kind: string; readonly lines: readonly string[] };
type Agreed = {
  readonly accepted: AcceptedMedia;
  readonly formats: readonly (readonly [number, PayloadFormat])[];
};

/**
 * Reads an offer and reduces it to one video codec with its retransmission, Opus and the data
 * channel.
 *
 * @param wantedVideo codecs that are taken, the preferred first
 * @throws GatewayError `bad_sdp` where it is not SDP, has none of them, or cannot be answered
 */
export function prepareOffer(
  sdp: string,
  wantedFeedback: FeedbackMode,
  wantedVideo: readonly VideoCodec[],
  hints: BitrateHints,
): PreparedOffer {
  const { session, sections } = parse(sdp);
  const video = sections.find((section) => isActive(section, 'video'));
  const audio = sections.find((section) => isActive(section, 'audio'));
  if (video === undefined) {
    throw new GatewayError('bad_sdp', 'the offer has no video');
  }
  const transportCcId = wantedFeedback === 'transport-cc' ? transportCcIdOf(video) : undefined;
  const feedback =
    wantedFeedback === 'transport-cc' && transportCcId === undefined ? 'remb' : wantedFeedback;
  const agreedVideo = agreeOnVideo(video, feedback, wantedVideo, hints);
  const agreedAudio = audio === undefined ? undefined : agreeOnAudio(audio, feedback);
  const accepted = new Map<string, AcceptedMedia>([[midOf(video), agreedVideo.accepted]]);
  if (audio !== undefined && agreedAudio !== undefined) {
    accepted.set(midOf(audio), agreedAudio.accepted);
  }
  const reduced = sections.map((section) => reduceSection(section, accepted));
  return {
    sdp: [...session, ...reduced.flat(), ''].join('\r\n'),
    formats: new Map([...agreedVideo.formats, ...(agreedAudio?.formats ?? [])]),
    hasAudio: agreedAudio !== undefined,
    bundleMid: bundleMidOf(session) ?? midOf(video),
    transportCcId,
    feedback,
    accepted,
  };
}

/** The stack's answer with the media lines that were agreed on. */
export function renderAnswer(sdp: string, offer: Pick<PreparedOffer, 'accepted'>): string {
  const { session, sections } = parse(sdp);
  const lines = sections.flatMap((section) => {
    const accepted = offer.accepted.get(midOf(section));
    if (accepted === undefined || (section.kind !== 'video' && section.kind !== 'audio')) {
      return [...section.lines];
    }
    const [media = '', ...attributes] = section.lines;
    return [
      mediaLine(media, accepted.payloadTypes),
      ...attributes.filter((line) => !REPLACED_IN_ANSWER.test(line)),
      'a=recvonly',
      ...accepted.attributes,
    ];
  });
  return [...session, ...lines, ''].join('\r\n');
}

function parse(sdp: string): { session: readonly string[]; sections: readonly Section[] } {
  const lines = sdp.split(/\r\n|\n|\r/).filter((line) => line !== '');
  if (sdp.length > MAX_SDP_BYTES || lines[0] !== 'v=0') {
    throw new GatewayError('bad_sdp', 'the description does not start with v=0 or is too large');
  }
  const starts = lines.flatMap((line, index) => (line.startsWith('m=') ? [index] : []));
  if (starts.length === 0 || starts.length > MAX_SECTIONS) {
    throw new GatewayError('bad_sdp', `the description has ${starts.length} media sections`);
  }
  const sections = starts.map((start, index) => {
    const section = lines.slice(start, starts[index + 1]);
    return { kind: /^m=(\w+) /.exec(section[0] ?? '')?.[1] ?? '', lines: section };
  });
  const session = lines.slice(0, starts[0]);
  for (const attribute of ['ice-ufrag', 'ice-pwd', 'fingerprint']) {
    if (!lines.some((line) => line.startsWith(`a=${attribute}:`))) {
      throw new GatewayError('bad_sdp', `the description has no a=${attribute}`);
    }
  }
  return { session, sections };
}

function isActive(section: Section, kind: string): boolean {
  return (
    section.kind === kind &&
    !/^m=\w+ 0 /.test(section.lines[0] ?? '') &&
    !section.lines.some((line) => line === 'a=recvonly' || line === 'a=inactive')
  );
}

function midOf(section: Section): string {
  return section.lines.find((line) => line.startsWith('a=mid:'))?.slice('a=mid:'.length) ?? '';
}

function bundleMidOf(session: readonly string[]): string | undefined {
  return session
    .find((line) => line.startsWith('a=group:BUNDLE '))
    ?.split(' ')[1]
    ?.trim();
}

function codecsOf(section: Section): OfferedCodec[] {
  const order = (section.lines[0] ?? '').split(' ').slice(3).map(Number);
  return order.flatMap((payloadType) => {
    const rtpmap = attribute(section, 'rtpmap', payloadType);
    return rtpmap === undefined
      ? []
      : [
          {
            payloadType,
            name: (rtpmap.split('/')[0] ?? '').toLowerCase(),
            format: attribute(section, 'fmtp', payloadType) ?? '',
          },
        ];
  });
}

function attribute(section: Section, name: string, payloadType: number): string | undefined {
  const prefix = `a=${name}:${payloadType} `;
  return section.lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
}

function extensionId(section: Section, uri: string): number | undefined {
  const line = section.lines.find(
    (candidate) => candidate.startsWith('a=extmap:') && candidate.split(' ')[1] === uri,
  );
  const id = Number(/^a=extmap:(\d+)/.exec(line ?? '')?.[1]);
  return Number.isInteger(id) && id >= 1 && id <= 255 ? id : undefined;
}

function transportCcIdOf(section: Section): number | undefined {
  const isOffered = section.lines.some((line) => /^a=rtcp-fb:\S+ transport-cc/.test(line));
  return isOffered ? extensionId(section, TRANSPORT_CC_URI) : undefined;
}

function agreeOnVideo(
  section: Section,
  feedback: FeedbackMode,
  wanted: readonly VideoCodec[],
  hints: BitrateHints,
): Agreed {
  const codecs = codecsOf(section);
  const { codec: agreed, payloads: chosen } = chooseVideo(codecs, wanted);
  const aptOf = (codec: OfferedCodec): number => Number(formatParameter(codec.format, 'apt'));
  const rtx = codecs.filter(
    (codec) =>
      codec.name === 'rtx' && chosen.some(({ payloadType }) => payloadType === aptOf(codec)),
  );
  const attributes = [
    ...extensionLines(section, feedback),
    ...chosen.flatMap(({ payloadType, format }) => [
      `a=rtpmap:${payloadType} ${ENCODING_NAMES[agreed]}/90000`,
      `a=rtcp-fb:${payloadType} nack`,
      `a=rtcp-fb:${payloadType} nack pli`,
      ...feedbackLines(payloadType, feedback),
      ...formatLines(payloadType, [format, ...bitrateParameters(hints)]),
    ]),
    ...rtx.flatMap((codec) => [
      `a=rtpmap:${codec.payloadType} rtx/90000`,
      `a=fmtp:${codec.payloadType} apt=${aptOf(codec)}`,
    ]),
  ];
  return {
    accepted: {
      payloadTypes: [...chosen, ...rtx].map((codec) => codec.payloadType),
      attributes,
    },
    formats: [
      ...chosen.map(({ payloadType }) => [payloadType, { kind: 'video', codec: agreed }] as const),
      ...rtx.map((codec) => [codec.payloadType, { kind: 'rtx', apt: aptOf(codec) }] as const),
    ],
  };
}

function agreeOnAudio(section: Section, feedback: FeedbackMode): Agreed | undefined {
  const opus = codecsOf(section).find((codec) => codec.name === 'opus');
  if (opus === undefined) {
    return undefined;
  }
  const { payloadType } = opus;
  const attributes = [
    ...extensionLines(section, feedback),
    `a=rtpmap:${payloadType} opus/48000/2`,
    ...(feedback === 'transport-cc' ? feedbackLines(payloadType, feedback) : []),
    `a=fmtp:${payloadType} ${OPUS_PARAMETERS}`,
  ];
  return {
    accepted: { payloadTypes: [payloadType], attributes },
    formats: [[payloadType, { kind: 'audio' }]],
  };
}

/** libwebrtc reads these off the answer's fmtp, in kbit/s (Epic's own frontend writes them). */
export function bitrateParameters(hints: BitrateHints): string[] {
  const entries = [
    ['x-google-start-bitrate', hints.startBitrateBps],
    ['x-google-min-bitrate', hints.minBitrateBps],
    ['x-google-max-bitrate', hints.maxBitrateBps],
  ] as const;
  return entries.flatMap(([name, bps]) => (bps > 0 ? [`${name}=${Math.round(bps / 1000)}`] : []));
}

function formatLines(payloadType: number, parameters: readonly string[]): string[] {
  const format = parameters.filter((text) => text !== '').join(';');
  return format === '' ? [] : [`a=fmtp:${payloadType} ${format}`];
}

/** What congestion feedback is agreed on. */
export function feedbackLines(payloadType: number, feedback: FeedbackMode): string[] {
  if (feedback === 'none') {
    return [];
  }
  return [`a=rtcp-fb:${payloadType} ${feedback === 'remb' ? 'goog-remb' : 'transport-cc'}`];
}

function extensionLines(section: Section, feedback: FeedbackMode): string[] {
  const uris = feedback === 'transport-cc' ? [MID_URI, TRANSPORT_CC_URI] : [MID_URI];
  return uris.flatMap((uri) => {
    const id = extensionId(section, uri);
    return id === undefined ? [] : [`a=extmap:${id} ${uri}`];
  });
}

/** The section as the stack is shown it: accepted, refused by port 0, or the data channel's. */
function reduceSection(
  section: Section,
  accepted: ReadonlyMap<string, AcceptedMedia>,
): readonly string[] {
  const [media = '', ...attributes] = section.lines;
  if (section.kind !== 'video' && section.kind !== 'audio') {
    return section.lines.filter((line) => line !== 'a=end-of-candidates');
  }
  const agreed = accepted.get(midOf(section));
  if (agreed === undefined) {
    return [media.replace(/^m=(\w+) \d+/, 'm=$1 0'), ...attributes];
  }
  const codecLines = section.lines.filter((line) =>
    agreed.payloadTypes.some(
      (payloadType) =>
        line.startsWith(`a=rtpmap:${payloadType} `) || line.startsWith(`a=fmtp:${payloadType} `),
    ),
  );
  return [
    mediaLine(media, agreed.payloadTypes),
    ...attributes.filter((line) => !REPLACED_IN_OFFER.test(line)),
    ...codecLines,
  ];
}

function mediaLine(line: string, payloadTypes: readonly number[]): string {
  return [...line.split(' ').slice(0, 3), ...payloadTypes].join(' ');
}
