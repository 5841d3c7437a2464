import { describe, expect, it } from 'vitest';
import { Secret } from '../infra/kernel/secret.ts';
import { turnCredentials } from '../infra/kernel/turnCredentials.ts';
import { peerConnectionOptionsFor } from './iceServers.ts';

const NOW_MS = 1_795_204_000_999;
const TURN = {
  urls: ['turn:t:3478'],
  secret: new Secret('north'),
  ttlSeconds: 60,
  relayOnly: 'nobody',
} as const;
const PLAYER = { role: 'player', id: '101' } as const;
/** `echo -n 1795204060:101 | openssl dgst -sha1 -hmac north -binary | base64` */
const GOLDEN = { username: '1795204060:101', credential: 'mO36wEb9stROSmyaUv0S2dYf6aY=' };

describe('TURN credentials', () => {
  it("are coturn's: expiry and id, and their HMAC-SHA1", () => {
    expect(turnCredentials(TURN.secret, '101', 1_795_204_060)).toEqual(GOLDEN);
  });
});

describe('the options of a peer', () => {
  it('have its own credentials beside the servers that everyone has', () => {
    const fixed = { iceServers: [{ urls: ['stun:s:1'] }], bundlePolicy: 'max-bundle' };
    expect(peerConnectionOptionsFor(fixed, TURN, PLAYER, NOW_MS)).toEqual({
      bundlePolicy: 'max-bundle',
      iceServers: [{ urls: ['stun:s:1'] }, { urls: ['turn:t:3478'], ...GOLDEN }],
    });
  });

  it('are what is configured where there is no TURN', () => {
    const none = { ...TURN, urls: [], secret: undefined };
    expect(peerConnectionOptionsFor({}, none, PLAYER, NOW_MS)).toEqual({});
  });

  it.each([
    ['nobody', 'player', false],
    ['players', 'player', true],
    ['players', 'streamer', false],
    ['players', 'ingest', false],
    ['all', 'streamer', true],
    ['all', 'ingest', true],
  ] as const)('with relayOnly %s make a %s use relays only: %s', (relayOnly, role, isRelayed) => {
    const options = peerConnectionOptionsFor({}, { ...TURN, relayOnly }, { role, id: '1' }, NOW_MS);
    expect(options['iceTransportPolicy']).toBe(isRelayed ? 'relay' : undefined);
  });
});
