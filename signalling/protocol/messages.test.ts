import {
  Logger,
  LogLevel,
  MessageHelpers,
  MessageRegistry,
} from '@epicgames-ps/lib-pixelstreamingcommon-ue5.7';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MAX_ID_LENGTH,
  MAX_SDP_LENGTH,
  type MessageOf,
  parseMessage,
  renderMessage,
  SIGNALLING_TYPES,
  type SignallingType,
} from './index.ts';

Logger.InitLogging(LogLevel.Error, false);

const SDP = 'v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n';
const STREAM_IDS = { sendStreamId: 0, recvStreamId: 1 };

/** One of each, with the fields that Epic's schema requires. */
const SAMPLES: { readonly [T in SignallingType]: MessageOf<T> } = {
  config: { type: 'config', peerConnectionOptions: {}, protocolVersion: '1.3.0' },
  identify: { type: 'identify' },
  endpointId: { type: 'endpointId', id: 'demo', protocolVersion: '1.0.0' },
  endpointIdConfirm: { type: 'endpointIdConfirm', committedId: 'demo1' },
  streamerIdChanged: { type: 'streamerIdChanged', newID: 'demo2' },
  listStreamers: { type: 'listStreamers' },
  streamerList: { type: 'streamerList', ids: ['demo', 'demo1'] },
  subscribe: { type: 'subscribe', streamerId: 'demo' },
  unsubscribe: { type: 'unsubscribe' },
  subscribeFailed: { type: 'subscribeFailed', message: 'Streamer demo does not exist.' },
  playerConnected: { type: 'playerConnected', playerId: '101', dataChannel: true, sfu: false },
  playerDisconnected: { type: 'playerDisconnected', playerId: '101' },
  offer: { type: 'offer', sdp: SDP, playerId: '101', sfu: false, multiplex: true },
  answer: { type: 'answer', sdp: SDP, playerId: '101', minBitrateBps: 0, maxBitrateBps: 5e6 },
  iceCandidate: {
    type: 'iceCandidate',
    candidate: {
      candidate: 'candidate:1 1 udp 1 10.0.0.1 9 typ host',
      sdpMid: '0',
      sdpMLineIndex: 0,
    },
    playerId: '101',
  },
  disconnectPlayer: { type: 'disconnectPlayer', playerId: '101', reason: 'idle' },
  ping: { type: 'ping', time: 1763 },
  pong: { type: 'pong', time: 1763 },
  streamerDisconnected: { type: 'streamerDisconnected' },
  layerPreference: { type: 'layerPreference', spatialLayer: 0, temporalLayer: 2, playerId: '101' },
  dataChannelRequest: { type: 'dataChannelRequest' },
  peerDataChannelsReady: { type: 'peerDataChannelsReady' },
  peerDataChannels: { type: 'peerDataChannels', playerId: '101', ...STREAM_IDS },
  streamerDataChannels: { type: 'streamerDataChannels', sfuId: '102', ...STREAM_IDS },
  startStreaming: { type: 'startStreaming' },
  stopStreaming: { type: 'stopStreaming' },
  playerCount: { type: 'playerCount', count: 3 },
  seatRequest: { type: 'seatRequest', streamerId: 'demo', playerId: '102' },
  seatOffer: { type: 'seatOffer', streamerId: 'demo', playerId: '101' },
  seatAccept: { type: 'seatAccept', streamerId: 'demo' },
  stats: { type: 'stats', data: '{}' },
  warning: { type: 'warning', warning: 'old' },
};

describe('parseMessage', () => {
  it.each(Object.values(SAMPLES))('reads $type back from its frame', (sample) => {
    expect(parseMessage(renderMessage(sample))).toEqual({
      kind: 'message',
      message: sample,
      raw: sample,
    });
  });

  it("knows every type of Epic's registry", () => {
    expect(Object.keys(MessageRegistry).filter((type) => !isOurs(type))).toEqual([]);
  });

  it.each(Object.values(SAMPLES).filter(({ type }) => type in MessageRegistry))(
    "$type goes through Epic's own message type and back",
    (sample) => {
      const theirs = MessageHelpers.createMessage(MessageRegistry[sample.type]!, sample);
      expect(MessageHelpers.validateMessage(structuredClone(sample))).toBe(
        MessageRegistry[sample.type],
      );
      const parsed = parseMessage(JSON.stringify(theirs));
      expect(parsed).toMatchObject({ kind: 'message', message: sample });
    },
  );

  it('keeps fields it does not know for forwarding, and out of the message', () => {
    const frame = { type: 'answer', sdp: SDP, extra: { deep: [1] } };
    expect(parseMessage(JSON.stringify(frame))).toEqual({
      kind: 'message',
      message: { type: 'answer', sdp: SDP },
      raw: frame,
    });
  });

  it('reads the integer player ids of UE 4 as text', () => {
    expect(parseMessage({ type: 'offer', sdp: SDP, playerId: 101 })).toMatchObject({
      message: { playerId: '101' },
    });
  });

  it.each([{ candidate: null }, { candidate: { candidate: '' } }])(
    'takes %j as the end of candidates',
    (fields) => {
      expect(parseMessage({ type: 'iceCandidate', ...fields })).toMatchObject({ message: fields });
    },
  );

  const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
  it.each([
    ['null', 'null', undefined],
    ['an array', '[]', undefined],
    ['a number', '7', undefined],
    ['text', '"offer"', undefined],
    ['no JSON', '{', undefined],
    ['nothing', '', undefined],
    ['no type', '{}', undefined],
    ['a numeric type', '{"type":7}', undefined],
    ['a numeric id', '{"type":"endpointId","id":7}', 'endpointId'],
    ['no id', '{"type":"endpointId"}', 'endpointId'],
    ['an id of another prototype', '{"type":"endpointId","__proto__":{"id":"x"}}', 'endpointId'],
    [
      'a long id',
      JSON.stringify({ type: 'endpointId', id: 'x'.repeat(MAX_ID_LENGTH + 1) }),
      'endpointId',
    ],
    ['SDP that is a number', '{"type":"offer","sdp":7}', 'offer'],
    [
      'SDP that is too long',
      JSON.stringify({ type: 'answer', sdp: 'v'.repeat(MAX_SDP_LENGTH + 1) }),
      'answer',
    ],
    ['a candidate that is text', '{"type":"iceCandidate","candidate":"x"}', 'iceCandidate'],
    [
      'a line index below 0',
      '{"type":"iceCandidate","candidate":{"candidate":"","sdpMLineIndex":-1}}',
      'iceCandidate',
    ],
    ['a list of numbers', '{"type":"streamerList","ids":[1]}', 'streamerList'],
    ['an infinite time', '{"type":"ping","time":1e999}', 'ping'],
    ['options that are a list', '{"type":"config","peerConnectionOptions":[]}', 'config'],
    ['nesting that would exhaust the stack', `{"type":"ping","time":1,"x":${deep}}`, 'ping'],
  ])('refuses %s', (_what, frame, type) => {
    const parsed = parseMessage(frame);
    expect(parsed.kind).toBe('invalid');
    expect(parsed).toMatchObject(type === undefined ? {} : { type });
  });

  it.each(['toString', '__proto__', 'constructor', 'sendOffer'])('does not know %s', (type) => {
    expect(parseMessage(`{"type":"${type}"}`)).toEqual({ kind: 'unknown', type });
  });

  it('gives an answer for any text and any JSON', () => {
    const typed = fc.record(
      {
        type: fc.constantFrom(...SIGNALLING_TYPES),
        sdp: fc.jsonValue(),
        id: fc.jsonValue(),
        playerId: fc.jsonValue(),
        candidate: fc.jsonValue(),
        time: fc.jsonValue(),
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.jsonValue(), typed), (input) => {
        expect(['message', 'unknown', 'invalid']).toContain(parseMessage(input).kind);
      }),
    );
  });
});

function isOurs(type: string): boolean {
  return (SIGNALLING_TYPES as readonly string[]).includes(type);
}
