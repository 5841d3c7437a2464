import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DataChannelError,
  decodeFromStreamer,
  decodeToStreamer,
  DEFAULT_PROTOCOL,
  encodeFromStreamer,
  encodeToStreamer,
  type FieldType,
  FreezeFrameAssembler,
  type FromStreamerMessage,
  MAX_FREEZE_FRAME_BYTES,
  mergeProtocol,
  renderProtocol,
} from './index.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });
const VALUES: Readonly<Record<FieldType, fc.Arbitrary<number | string>>> = {
  uint8: fc.integer({ min: 0, max: 0xff }),
  uint16: fc.integer({ min: 0, max: 0xffff }),
  int16: fc.integer({ min: -0x8000, max: 0x7fff }),
  float: fc.float(),
  double: fc.double(),
  string: text,
};
const toStreamer = fc
  .constantFrom(...DEFAULT_PROTOCOL.toStreamer)
  .chain(([name, { structure }]) =>
    fc.tuple(fc.constant(name), fc.tuple(...structure.map((type) => VALUES[type]))),
  );
const chunk = fc.uint8Array({ maxLength: 300 });
const fromStreamer: fc.Arbitrary<FromStreamerMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('ownership' as const),
    name: fc.constantFrom('QualityControlOwnership' as const, 'InputControlOwnership' as const),
    hasControl: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('text' as const),
    name: fc.constantFrom('Response' as const, 'InitialSettings' as const, 'Protocol' as const),
    text,
  }),
  fc.record({
    kind: fc.constant('chunk' as const),
    name: fc.constant('FreezeFrame' as const),
    totalBytes: fc.integer({ min: 300, max: MAX_FREEZE_FRAME_BYTES }),
    chunk,
  }),
  fc.record({ kind: fc.constant('raw' as const), name: fc.constant('TestEcho'), payload: chunk }),
  fc.constant({ kind: 'empty' as const, name: 'UnfreezeFrame' as const }),
);

describe('to the streamer', () => {
  it.each([
    ['IFrameRequest', [], '00'],
    ['KeyDown', [65, 1], '3c4101'],
    ['MouseMove', [65535, 258, -1, -32768], '4affff0201ffff0080'],
    ['UIInteraction', ['hé'], '3202006800e900'],
    ['GamepadAnalog', [1, 2, 1], '5c0102000000000000f03f'],
  ])("%s %j has the bytes of Epic's frontend", (name, values, hex) => {
    expect(Buffer.from(encodeToStreamer(name, values)).toString('hex')).toBe(hex);
  });

  it('is read back', () => {
    fc.assert(
      fc.property(toStreamer, ([name, values]) => {
        const decoded = decodeToStreamer(encodeToStreamer(name, values));
        expect(decoded).toEqual({ kind: 'message', message: { name, values } });
      }),
    );
  });

  it.each([
    ['an unknown name', 'Nonsense', [], 'unknown_message'],
    ['a missing value', 'KeyDown', [65], 'wrong_values'],
    ['text for a number', 'KeyUp', ['A'], 'wrong_values'],
    ['a number for text', 'Command', [1], 'wrong_values'],
    ['a number out of range', 'KeyUp', [256], 'wrong_values'],
    ['a fraction', 'KeyUp', [1.5], 'wrong_values'],
    ['text that is too long', 'Command', ['x'.repeat(65_536)], 'too_large'],
  ])('refuses to write %s', (_what, name, values, code) => {
    expect(() => encodeToStreamer(name, values)).toThrow(
      expect.objectContaining({ constructor: DataChannelError, code }),
    );
  });

  it.each([
    ['nothing', []],
    ['too few bytes', [74, 0]],
    ['too many bytes', [61, 1, 2]],
    ['text without its length', [50, 1]],
    ['text shorter than its length', [50, 2, 0, 65, 0]],
  ])('refuses to read %s', (_what, bytes) => {
    expect(decodeToStreamer(Uint8Array.from(bytes)).kind).toBe('invalid');
  });
});

describe('from the streamer', () => {
  it('has text to the end in UTF-16LE, and freeze frames with the size of the whole', () => {
    const response = encodeFromStreamer({ kind: 'text', name: 'Response', text: 'hé' });
    expect(Buffer.from(response).toString('hex')).toBe('016800e900');
    const freeze = encodeFromStreamer({
      kind: 'chunk',
      name: 'FreezeFrame',
      totalBytes: 258,
      chunk: Uint8Array.of(0xff),
    });
    expect(Buffer.from(freeze).toString('hex')).toBe('0302010000ff');
  });

  it('is read back', () => {
    fc.assert(
      fc.property(fromStreamer, (message) => {
        expect(decodeFromStreamer(encodeFromStreamer(message))).toEqual({
          kind: 'message',
          message,
        });
      }),
    );
  });

  it.each([
    ['nothing', []],
    ['half a character', [1, 65]],
    ['an ownership without its flag', [0]],
    ['a freeze frame without its size', [3, 1, 0]],
    ['a freeze frame larger than it says', [3, 0, 0, 0, 0, 1]],
    ['a freeze frame of a negative size', [3, 0xff, 0xff, 0xff, 0xff]],
    ['a freeze frame of 2 GiB', [3, 0xff, 0xff, 0xff, 0x7f]],
  ])('refuses to read %s', (_what, bytes) => {
    expect(decodeFromStreamer(Uint8Array.from(bytes)).kind).toBe('invalid');
  });

  it('gives an answer for any bytes, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(['message', 'unknown', 'invalid']).toContain(decodeFromStreamer(bytes).kind);
        expect(['message', 'unknown', 'invalid']).toContain(decodeToStreamer(bytes).kind);
      }),
    );
  });
});

describe('FreezeFrameAssembler', () => {
  it('gives the file when its last chunk came, and starts anew', () => {
    const frame = new FreezeFrameAssembler();
    for (const round of [1, 2]) {
      expect(frame.push(5, Uint8Array.of(round, 2, 3))).toBeUndefined();
      expect(frame.push(5, Uint8Array.of(4, 5))).toEqual(Uint8Array.of(round, 2, 3, 4, 5));
    }
  });

  it('forgets a file that grows over what was announced', () => {
    const frame = new FreezeFrameAssembler();
    expect(frame.push(3, Uint8Array.of(1, 2))).toBeUndefined();
    expect(frame.push(3, Uint8Array.of(3, 4))).toBeUndefined();
    expect(frame.push(1, Uint8Array.of(9))).toEqual(Uint8Array.of(9));
  });
});

describe('Protocol maps', () => {
  const merge = (...texts: readonly string[]) =>
    texts.reduce((protocol, one) => {
      const merged = mergeProtocol(protocol, one);
      return merged.kind === 'merged' ? merged.protocol : protocol;
    }, DEFAULT_PROTOCOL);

  it('are what was rendered', () => {
    expect(merge(...renderProtocol(DEFAULT_PROTOCOL))).toEqual(DEFAULT_PROTOCOL);
  });

  it('learn the messages of an application', () => {
    const protocol = merge(
      '{"Direction":0,"Wave":{"id":120,"structure":["uint8","string"]}}',
      '{"Direction":1,"Waved":{"id":121}}',
    );
    const bytes = encodeToStreamer('Wave', [3, 'x'], protocol.toStreamer);
    expect(decodeToStreamer(bytes, protocol.toStreamer)).toMatchObject({
      message: { name: 'Wave', values: [3, 'x'] },
    });
    expect(decodeFromStreamer(Uint8Array.of(121, 7), protocol.fromStreamer)).toEqual({
      kind: 'message',
      message: { kind: 'raw', name: 'Waved', payload: Uint8Array.of(7) },
    });
    expect(decodeFromStreamer(Uint8Array.of(121, 7)).kind).toBe('unknown');
  });

  it('let a moved id stand for one message only', () => {
    const { toStreamer: map } = merge('{"Direction":0,"Wave":{"id":60}}');
    expect(decodeToStreamer(Uint8Array.of(60), map)).toMatchObject({ message: { name: 'Wave' } });
    expect(map.has('KeyDown')).toBe(false);
  });

  it.each([
    ["JSStreamer's bare direction", '{"Direction":1}'],
    [
      'UE 5.1 without structures',
      '{"Direction":0,"UIInteraction":{"id":50},"Command":{"id":51},"LatencyTest":{"id":6}}',
    ],
    [
      'ids out of range',
      '{"Direction":0,"A":{"id":256},"B":{"id":-1},"C":{"id":1.5},"D":{"id":"9"},"E":7,"F":null}',
    ],
    ['unknown field types', '{"Direction":0,"KeyUp":{"id":61,"structure":["raw"]}}'],
    ['Protocol itself', '{"Direction":1,"Protocol":{"id":9},"Other":{"id":255}}'],
  ])('are left as they are by %s', (_what, one) => {
    expect(merge(one)).toEqual(DEFAULT_PROTOCOL);
  });

  it.each([
    '',
    'null',
    '[]',
    '7',
    '{}',
    '{"Direction":2}',
    `{"Direction":0,"x":"${'x'.repeat(65_536)}"}`,
  ])('refuse %.20s', (one) => {
    expect(mergeProtocol(DEFAULT_PROTOCOL, one).kind).toBe('invalid');
  });
});
