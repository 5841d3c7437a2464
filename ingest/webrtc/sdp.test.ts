import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { type BitrateHints, prepareOffer, renderAnswer } from './sdp.ts';

const HINTS: BitrateHints = {
  startBitrateBps: 4_000_000,
  minBitrateBps: 0,
  maxBitrateBps: 20_000_000,
};
const TRANSPORT_CC = 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01';

/** Shaped like libwebrtc's: VP8 first, H.264 in both packetization modes, FEC, a data channel. */
const OFFER = [
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0 1 2',
  'a=extmap-allow-mixed',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105 116',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789abcdef01234567',
  'a=fingerprint:sha-256 AA:BB',
  'a=setup:actpass',
  'a=mid:0',
  `a=extmap:4 ${TRANSPORT_CC}`,
  'a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid',
  'a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
  'a=sendonly',
  'a=rtcp-mux',
  'a=rtpmap:96 VP8/90000',
  'a=rtcp-fb:96 transport-cc',
  'a=rtpmap:97 rtx/90000',
  'a=fmtp:97 apt=96',
  'a=rtpmap:102 H264/90000',
  'a=rtcp-fb:102 goog-remb',
  'a=rtcp-fb:102 transport-cc',
  'a=rtcp-fb:102 ccm fir',
  'a=rtcp-fb:102 nack',
  'a=rtcp-fb:102 nack pli',
  'a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f',
  'a=rtpmap:103 rtx/90000',
  'a=fmtp:103 apt=102',
  'a=rtpmap:104 H264/90000',
  'a=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f',
  'a=rtpmap:105 rtx/90000',
  'a=fmtp:105 apt=104',
  'a=rtpmap:116 ulpfec/90000',
  'a=ssrc:111 cname:x',
  'a=end-of-candidates',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 63',
  'c=IN IP4 0.0.0.0',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789abcdef01234567',
  'a=fingerprint:sha-256 AA:BB',
  'a=mid:1',
  `a=extmap:4 ${TRANSPORT_CC}`,
  'a=sendrecv',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=mid:2',
  'a=sctp-port:5000',
  'a=end-of-candidates',
  '',
].join('\r\n');

/** What a stack makes of the reduced offer, with lines of its own that have to go. */
const STACK_ANSWER = [
  'v=0',
  'o=- 3 4 IN IP4 0.0.0.0',
  'a=group:BUNDLE 0 1 2',
  'm=video 9 UDP/TLS/RTP/SAVPF 102',
  'a=ice-ufrag:efgh',
  'a=ice-pwd:fedcba9876543210fedcba98',
  'a=fingerprint:sha-256 CC:DD',
  'a=setup:active',
  'a=mid:0',
  'a=sendrecv',
  'a=rtpmap:102 H264/90000',
  'a=ssrc:7 cname:y',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=mid:1',
  'a=recvonly',
  'a=rtpmap:111 OPUS/48000/2',
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=mid:2',
  'a=sctp-port:5000',
  '',
].join('\r\n');

const linesOf = (sdp: string, from: string, until: string): string[] => {
  const lines = sdp.split('\r\n');
  const start = lines.findIndex((line) => line.startsWith(from));
  return lines.slice(
    start,
    lines.findIndex((line) => line.startsWith(until)),
  );
};

describe('prepareOffer', () => {
  const offer = prepareOffer(OFFER, 'transport-cc', ['h264'], HINTS);

  it('keeps H.264 in packetization mode 1 with its retransmission, and Opus', () => {
    expect([...offer.formats]).toEqual([
      [102, { kind: 'video', codec: 'h264' }],
      [103, { kind: 'rtx', apt: 102 }],
      [111, { kind: 'audio' }],
    ]);
    expect(offer).toMatchObject({
      hasAudio: true,
      bundleMid: '0',
      transportCcId: 4,
      feedback: 'transport-cc',
    });
    expect(offer.sdp).toContain('m=video 9 UDP/TLS/RTP/SAVPF 102 103\r\n');
    expect(offer.sdp).not.toMatch(/VP8|ulpfec|end-of-candidates|playout-delay/);
  });

  it('writes the media lines of the answer itself', () => {
    const answer = renderAnswer(STACK_ANSWER, offer);
    expect(linesOf(answer, 'm=video', 'm=audio')).toEqual([
      'm=video 9 UDP/TLS/RTP/SAVPF 102 103',
      'a=ice-ufrag:efgh',
      'a=ice-pwd:fedcba9876543210fedcba98',
      'a=fingerprint:sha-256 CC:DD',
      'a=setup:active',
      'a=mid:0',
      'a=recvonly',
      'a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid',
      `a=extmap:4 ${TRANSPORT_CC}`,
      'a=rtpmap:102 H264/90000',
      'a=rtcp-fb:102 nack',
      'a=rtcp-fb:102 nack pli',
      'a=rtcp-fb:102 transport-cc',
      'a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f;x-google-start-bitrate=4000;x-google-max-bitrate=20000',
      'a=rtpmap:103 rtx/90000',
      'a=fmtp:103 apt=102',
    ]);
    expect(linesOf(answer, 'm=audio', 'm=application')).toEqual([
      'm=audio 9 UDP/TLS/RTP/SAVPF 111',
      'a=mid:1',
      'a=recvonly',
      `a=extmap:4 ${TRANSPORT_CC}`,
      'a=rtpmap:111 opus/48000/2',
      'a=rtcp-fb:111 transport-cc',
      'a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1;maxaveragebitrate=192000',
    ]);
    expect(answer).toContain('m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2');
  });

  it.each([
    ['VP8 where it is preferred', ['vp8', 'h264'], 'vp8', [96, 97]],
    ['the first that is offered', ['av1', 'h265', 'h264', 'vp8'], 'h264', [102, 103]],
  ] as const)('takes %s', (_name, wanted, codec, payloadTypes) => {
    const other = prepareOffer(OFFER, 'transport-cc', wanted, HINTS);
    expect([...other.formats.keys()]).toEqual([...payloadTypes, 111]);
    expect(other.formats.get(payloadTypes[0])).toEqual({ kind: 'video', codec });
  });

  it('asks for its bitrate in a codec that has no parameters of its own', () => {
    const vp8 = prepareOffer(OFFER, 'transport-cc', ['vp8'], HINTS);
    const lines = linesOf(renderAnswer(STACK_ANSWER, vp8), 'm=video', 'm=audio');
    expect(lines.filter((line) => line.includes(':96 '))).toEqual([
      'a=rtpmap:96 VP8/90000',
      'a=rtcp-fb:96 nack',
      'a=rtcp-fb:96 nack pli',
      'a=rtcp-fb:96 transport-cc',
      'a=fmtp:96 x-google-start-bitrate=4000;x-google-max-bitrate=20000',
    ]);
  });

  it('answers a streamer that puts sound, data and picture in another order', () => {
    const [session = '', ...sections] = OFFER.split(/(?=^m=)/m);
    const turned = prepareOffer(
      [session, ...sections.toReversed()].join(''),
      'transport-cc',
      ['h264'],
      HINTS,
    );
    expect(turned.formats).toEqual(prepareOffer(OFFER, 'transport-cc', ['h264'], HINTS).formats);
    expect(turned.sdp.match(/^m=\w+/gm)).toEqual(['m=application', 'm=audio', 'm=video']);
  });

  it('leaves out H.265 with decoding order numbers and VP9 with more than 8 bits', () => {
    const offer = OFFER.replaceAll('H264', 'VP9').replace(
      /packetization-mode=1;profile-level-id=42001f/,
      'profile-id=2',
    );
    expect([...prepareOffer(offer, 'none', ['vp9'], HINTS).formats.keys()]).toEqual([
      104, 105, 111,
    ]);
    const h265 = OFFER.replaceAll('H264', 'H265').replaceAll(
      '42001f',
      '42001f;sprop-max-don-diff=2',
    );
    expect(() => prepareOffer(h265, 'none', ['h265'], HINTS)).toThrow('no codec of H265');
  });

  it('falls back to REMB where no transport-wide numbers are offered', () => {
    const without = OFFER.replaceAll(`a=extmap:4 ${TRANSPORT_CC}\r\n`, '');
    const fallback = prepareOffer(without, 'transport-cc', ['h264'], HINTS);
    expect(fallback).toMatchObject({ feedback: 'remb', transportCcId: undefined });
    expect(renderAnswer(STACK_ANSWER, fallback)).toContain('a=rtcp-fb:102 goog-remb');
  });

  it.each([
    ['nothing', ''],
    ['JSON', '{"type":"offer"}'],
    ['a header alone', 'v=0\r\n'],
    ['no video', OFFER.replace('m=video 9', 'm=video 0')],
    ['other codecs alone', OFFER.replaceAll('H264', 'VP9')],
    ['no fingerprint', OFFER.replaceAll('a=fingerprint:', 'a=x:')],
    ['too much', `v=0\r\n${'a=x\r\n'.repeat(100_000)}`],
  ])('refuses %s', (_name, sdp) => {
    expect(() => prepareOffer(sdp, 'transport-cc', ['h264'], HINTS)).toThrow(GatewayError);
  });

  it('throws nothing but bad_sdp, whatever comes', () => {
    const mangled = fc
      .array(fc.constantFrom(...OFFER.split('\r\n')), { maxLength: 60 })
      .map((lines) => ['v=0', ...lines].join('\n'));
    fc.assert(
      fc.property(fc.oneof(fc.string(), mangled), (sdp) => {
        try {
          expect(prepareOffer(sdp, 'transport-cc', ['h264'], HINTS).formats.size).toBeGreaterThan(
            0,
          );
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_sdp' });
        }
      }),
    );
  });
});
