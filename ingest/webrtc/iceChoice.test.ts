import { describe, expect, it } from 'vitest';
import { ingestConfigSchema } from '../config.ts';
import { chooseIce } from './iceChoice.ts';

const NOTHING = { iceServers: [], isRelayOnly: false };
const LOGIN = { username: 'u', credential: 'c' };

const config = (iceServers: unknown[], more: object = {}): Parameters<typeof chooseIce>[0] =>
  ingestConfigSchema.parse({ iceServers, ...more });

describe('chooseIce', () => {
  it('takes one STUN and one TURN server, the configured ones before the announced', () => {
    const announced = {
      iceServers: [
        { urls: ['stun:theirs:1', 'stun:theirs:2'] },
        { urls: ['turn:theirs:3'], ...LOGIN },
      ],
      isRelayOnly: false,
    };
    expect(chooseIce(config([]), announced, 'cam', 0).iceServers).toEqual([
      { urls: ['stun:theirs:1'] },
      { urls: ['turn:theirs:3'], ...LOGIN },
    ]);
    const ours = config([{ urls: 'turn:ours:4', ...LOGIN }]);
    expect(chooseIce(ours, announced, 'cam', 0).iceServers).toEqual([
      { urls: ['stun:theirs:1'] },
      { urls: ['turn:ours:4'], ...LOGIN },
    ]);
  });

  it('prefers UDP to TCP to TLS, and leaves out what werift cannot use', () => {
    const turn = (...urls: string[]): unknown =>
      chooseIce(config([{ urls, ...LOGIN }]), NOTHING, 'cam', 0).iceServers[0]?.urls[0];
    expect(turn('turns:a', 'turn:a?transport=tcp', 'turn:a?transport=udp')).toBe(
      'turn:a?transport=udp',
    );
    expect(turn('turns:a', 'turn:a?transport=tcp')).toBe('turn:a?transport=tcp');
    expect(turn('turns:a?transport=udp', 'turns:a')).toBe('turns:a');
    expect(turn('turns:a?transport=udp')).toBeUndefined();
    const tls = { iceServers: [{ urls: ['stuns:a'] }], isRelayOnly: false }; // asked in the clear
    expect(chooseIce(config([]), tls, 'cam', 0).iceServers).toEqual([]);
    const open = { iceServers: [{ urls: ['turn:nobody'] }], isRelayOnly: false };
    expect(chooseIce(config([]), open, 'cam', 0).iceServers).toEqual([]);
  });

  it('makes credentials that end out of the shared secret', () => {
    const shared = config([{ urls: ['turn:a'], secret: 'north', ttlSeconds: 600 }]);
    const [server] = chooseIce(shared, NOTHING, 'cam', 1_000_000).iceServers;
    // printf 1600:cam | openssl dgst -sha1 -hmac north -binary | base64
    expect(server).toEqual({
      urls: ['turn:a'],
      username: '1600:cam',
      credential: 'XDgFYQAn6I0Nr7Hv+WQ7e31nS8I=',
    });
    expect(JSON.stringify(shared)).not.toContain('north');
  });

  it('is relay-only where either side says so', () => {
    const relay = config([], { iceTransportPolicy: 'relay' });
    expect(chooseIce(relay, NOTHING, 'cam', 0).isRelayOnly).toBe(true);
    expect(chooseIce(config([]), { ...NOTHING, isRelayOnly: true }, 'cam', 0).isRelayOnly).toBe(
      true,
    );
    expect(chooseIce(config([]), NOTHING, 'cam', 0).isRelayOnly).toBe(false);
  });

  it('refuses half a login, and two kinds of it', () => {
    const urls = ['turn:a'];
    expect(() => config([{ urls, username: 'u' }])).toThrow('username and credential');
    expect(() => config([{ urls, ...LOGIN, secret: 's' }])).toThrow('username and credential');
    expect(() => config([{ urls: ['http://a'] }])).toThrow();
  });
});
