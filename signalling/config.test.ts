import { expect, it } from 'vitest';
import { signallingConfigSchema } from './config.ts';

it('has defaults for everything, on loopback', () => {
  expect(signallingConfigSchema.parse({})).toMatchObject({
    streamers: { host: '127.0.0.1', port: 8888 },
    mode: 'presenter',
    peerConnectionOptions: {},
  });
});

it("makes a list of a single ICE url, which Epic's frontend iterates", () => {
  const iceServers = [{ urls: 'stun:a:1' }, { urls: ['turn:b:2'], username: 'u' }];
  const config = signallingConfigSchema.parse({ peerConnectionOptions: { iceServers, x: 1 } });
  expect(config.peerConnectionOptions).toEqual({
    iceServers: [{ urls: ['stun:a:1'] }, { urls: ['turn:b:2'], username: 'u' }],
    x: 1,
  });
});

it('refuses what it does not know', () => {
  expect(signallingConfigSchema.safeParse({ streamer_port: 8888 }).success).toBe(false);
});
