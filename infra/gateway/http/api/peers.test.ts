import { expect, it } from 'vitest';
import { peerRoutes } from './peers.ts';
import type { Call } from './route.ts';

const PLAYER = {
  playerId: '101',
  kind: 'player',
  role: 'presenter',
  subject: null,
  subscribedTo: null,
  remoteAddress: '203.0.113.7',
} as const;
const STREAMER = {
  streamerId: 'demo',
  kind: 'streamer',
  streaming: true,
  subscribers: [],
  remoteAddress: '198.51.100.7',
} as const;

/** What a list says to an operator, or to anyone while everyone may come in. */
async function list(path: string, isOperator: boolean): Promise<string> {
  let said = '';
  const response = {
    status: () => response,
    set: () => response,
    json: (body: unknown) => {
      said = JSON.stringify(body);
    },
  };
  const routes = peerRoutes({
    isOperator: () => Promise.resolve(isOperator),
    signalling: {
      snapshot: () => ({ uptimeMs: 0, streamers: [STREAMER], players: [] }),
      peers: () => Promise.resolve({ players: [PLAYER], seats: [] }),
      order: () => Promise.resolve({ kind: 'done' }),
    },
  });
  const route = routes.find((one) => one.method === 'get' && one.path === path);
  await route?.handle({ response, params: {} } as unknown as Call);
  return said;
}

it.each([
  ['/api/v1/players', PLAYER.remoteAddress],
  ['/api/v1/streamers', STREAMER.remoteAddress],
])('%s tells addresses to operators only', async (path, address) => {
  expect(await list(path, true)).toContain(address);
  const said = await list(path, false);
  expect(said).toMatch(/101|demo/);
  expect(said).not.toContain(address);
});
