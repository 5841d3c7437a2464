import { describe, expect, expectTypeOf, it } from 'vitest';
import { encodeFromStreamer } from '../../signalling/protocol/index.ts';
import { ControlInbox, encodeOutbound, type OutboundMessage } from './controlChannel.ts';

const response = (text: string): Uint8Array =>
  encodeFromStreamer({ kind: 'text', name: 'Response', text });

describe('the control channel', () => {
  it('can say two things and nothing else', () => {
    expectTypeOf<OutboundMessage>().toEqualTypeOf<'IFrameRequest' | 'RequestInitialSettings'>();
    expect([...encodeOutbound('IFrameRequest')]).toEqual([0]);
    expect([...encodeOutbound('RequestInitialSettings')]).toEqual([7]);
  });

  it('counts what comes in and notices that it was given control', () => {
    const inbox = new ControlInbox();
    expect(inbox.push(response('hello'), 0)).toEqual({ kind: 'response', text: 'hello' });
    for (const data of [
      Uint8Array.of(222, 1),
      new Uint8Array(0),
      'text',
      new Uint8Array(300_000),
    ]) {
      expect(inbox.push(data, 0)).toBeUndefined();
    }
    const seen = { received: 5, unknown: 1, invalid: 3, dropped: 0, hasInputControl: false };
    expect(inbox.stats).toEqual(seen);
    const ownership = encodeFromStreamer({
      kind: 'ownership',
      name: 'InputControlOwnership',
      hasControl: true,
    });
    expect(inbox.push(ownership, 0)).toEqual({ kind: 'inputControl', hasControl: true });
    expect(inbox.stats.hasInputControl).toBe(true);
  });

  it('puts a freeze frame together, and ends it', () => {
    const inbox = new ControlInbox();
    const chunk = (...bytes: number[]): Uint8Array =>
      encodeFromStreamer({
        kind: 'chunk',
        name: 'FreezeFrame',
        totalBytes: 4,
        chunk: Uint8Array.from(bytes),
      });
    expect(inbox.push(chunk(1, 2, 3), 0)).toBeUndefined();
    expect(inbox.push(chunk(4), 0)).toEqual({ kind: 'freeze', jpeg: Uint8Array.of(1, 2, 3, 4) });
    const end = encodeFromStreamer({ kind: 'empty', name: 'UnfreezeFrame' });
    expect(inbox.push(end, 0)).toEqual({ kind: 'unfreeze' });
    // What had begun before the end is no beginning of the next.
    inbox.push(chunk(1, 2), 0);
    inbox.push(end, 0);
    expect(inbox.push(chunk(5, 6, 7, 8), 0)).toMatchObject({ kind: 'freeze' });
    expect(inbox.push(chunk(5, 6, 7, 8), 0)).toBeUndefined();
    expect(inbox.stats.dropped).toBe(1);
  });

  it('drops and counts what is too long or comes too often, each second anew', () => {
    const inbox = new ControlInbox();
    expect(inbox.push(response('x'.repeat(16_385)), 0)).toBeUndefined();
    const taken = Array.from({ length: 150 }, () => inbox.push(response('x'), 10));
    expect(taken.filter((message) => message !== undefined)).toHaveLength(100);
    expect(inbox.push(response('x'), 1010)).toBeDefined();
    expect(inbox.stats.dropped).toBe(51);
  });
});
