import { describe, expect, expectTypeOf, it } from 'vitest';
import { encodeFromStreamer } from '../../signalling/protocol/index.ts';
import { ControlInbox, encodeOutbound, type OutboundMessage } from './controlChannel.ts';

describe('the control channel', () => {
  it('can say two things and nothing else', () => {
    expectTypeOf<OutboundMessage>().toEqualTypeOf<'IFrameRequest' | 'RequestInitialSettings'>();
    expect([...encodeOutbound('IFrameRequest')]).toEqual([0]);
    expect([...encodeOutbound('RequestInitialSettings')]).toEqual([7]);
  });

  it('counts what comes in and notices that it was given control', () => {
    const inbox = new ControlInbox();
    inbox.push(encodeFromStreamer({ kind: 'text', name: 'Response', text: 'hello' }));
    inbox.push(Uint8Array.of(222, 1));
    inbox.push(new Uint8Array(0));
    inbox.push('text');
    inbox.push(new Uint8Array(300_000));
    expect(inbox.stats).toEqual({ received: 5, unknown: 1, invalid: 3, hasInputControl: false });
    inbox.push(
      encodeFromStreamer({ kind: 'ownership', name: 'InputControlOwnership', hasControl: true }),
    );
    expect(inbox.stats.hasInputControl).toBe(true);
  });
});
