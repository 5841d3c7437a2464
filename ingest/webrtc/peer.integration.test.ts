/** What a peer leaves behind. */
import { afterEach, expect, it, vi } from 'vitest';
import {
  MediaStreamTrack,
  type RTCDataChannel,
  RtpHeader,
  RtpPacket,
  RTCPeerConnection,
} from 'werift';
import { encodeFromStreamer } from '../../signalling/protocol/index.ts';
import { until } from '../../test/support/until.ts';
import { ingestConfigSchema } from '../config.ts';
import type { PeerEvent } from './messages.ts';
import { openPeer } from './peer.ts';

const NO_SERVERS = { iceServers: [], isRelayOnly: false };

/** The least that werift answers. */
const OFFER = [
  ...['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0'],
  ...['m=video 9 UDP/TLS/RTP/SAVPF 102', 'c=IN IP4 0.0.0.0', 'a=ice-ufrag:abcd'],
  ...['a=ice-pwd:0123456789abcdef01234567', 'a=fingerprint:sha-256 AA:BB', 'a=setup:actpass'],
  ...['a=mid:0', 'a=sendonly', 'a=rtcp-mux', 'a=rtpmap:102 H264/90000'],
  'a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f',
  '',
].join('\r\n');

afterEach(() => {
  vi.restoreAllMocks();
});

it('closed while it waits for a STUN server that is silent, leaves nothing that goes on', async () => {
  const create = vi.spyOn(RTCPeerConnection.prototype, 'createAnswer');
  const gather = vi.spyOn(RTCPeerConnection.prototype, 'setLocalDescription');
  const close = vi.spyOn(RTCPeerConnection.prototype, 'close');
  const events: string[] = [];
  const peer = openPeer(
    OFFER,
    { iceServers: [{ urls: ['stun:127.0.0.1:9'] }], isRelayOnly: false },
    ingestConfigSchema.parse({}),
    ({ kind }) => events.push(kind),
  );
  await until('gathering', 5000, () => gather.mock.calls.length === 1);
  const [connection] = create.mock.contexts as RTCPeerConnection[];
  const states = connection?.iceTransports.map((ice) => () => ice.connection.state);
  peer.close();
  await until(
    'the end of gathering',
    10_000,
    () => gather.mock.settledResults[0]?.type !== 'incomplete',
  );
  await until('the end', 5000, () => close.mock.settledResults[0]?.type === 'fulfilled');
  expect(states?.map((state) => state())).toEqual(['closed']);
  expect(events).toEqual(['agreed']); // before it was closed, and nothing after
});

it('offers to a streamer that answers, and takes what it sends', async () => {
  const streamer = new RTCPeerConnection({ iceAdditionalHostAddresses: ['127.0.0.1'] });
  const video = new MediaStreamTrack({ kind: 'video' });
  streamer.addTransceiver(video, { direction: 'sendonly' });
  const channel = new Promise<RTCDataChannel>((resolve) => {
    streamer.onDataChannel.once(resolve);
  });
  const seen: PeerEvent[] = [];
  const peer = openPeer(
    undefined,
    NO_SERVERS,
    ingestConfigSchema.parse({ codecs: ['vp8'] }),
    (event) => {
      seen.push(event);
    },
  );
  try {
    const offer = await until('the offer', 5000, () => seen.find(({ kind }) => kind === 'offer'));
    await streamer.setRemoteDescription({ type: 'offer', sdp: 'sdp' in offer ? offer.sdp : '' });
    for (const { connection } of streamer.iceTransports) {
      delete connection.stunServer; // or werift asks a public one
    }
    await streamer.setLocalDescription(await streamer.createAnswer());
    peer.accept(streamer.localDescription?.sdp ?? '');
    const control = await channel;
    expect(control.label).toBe('cirrus');
    control.send(
      Buffer.from(encodeFromStreamer({ kind: 'text', name: 'Response', text: '{"goal":1}' })),
    );
    const said = await until('the response', 5000, () =>
      seen.find(({ kind }) => kind === 'control'),
    );
    expect(said).toMatchObject({ message: { kind: 'response', text: '{"goal":1}' } });
    const keyframe = Buffer.from('101002009d012a4001b4000102030405', 'hex');
    let sent = 0;
    const header = { payloadType: 96, ssrc: 77, marker: true };
    const unit = await until('a picture', 5000, () => {
      // Again and again: what is sent before both ends have their keys is lost.
      sent += 1;
      const sequenceNumber = sent;
      video.writeRtp(
        new RtpPacket(
          new RtpHeader({ ...header, sequenceNumber, timestamp: sent * 3000 }),
          keyframe,
        ),
      );
      return seen.find(({ kind }) => kind === 'unit');
    });
    expect(unit).toMatchObject({ unit: { kind: 'video', isKeyframe: true } });
    expect(seen.find(({ kind }) => kind === 'parameters')).toMatchObject({
      parameters: { codec: 'vp8', width: 320, height: 180 },
    });
  } finally {
    peer.close();
    await streamer.close();
  }
});
