import { expect, it } from 'vitest';
import { configFromEnvironment, configLeaves, parseConfig } from '../../kernel/config.ts';
import { gatewayConfigSchema } from '../config.ts';
import { clusterLadder, clusterSource, type MemberPlan, planCluster } from './plan.ts';

function plan(): readonly MemberPlan[] {
  let port = 20_000;
  return planCluster({
    directory: '/data',
    redisUrl: 'redis://:password@127.0.0.1:6379',
    token: 'token-of-this-test',
    nextPort: () => (port += 1),
    streamersPort: 8888,
    counts: { ingest: 1, worker: 2, origin: 2 },
    redundancy: 1,
    ladder: clusterLadder(clusterSource('360p'), 1),
    environment: { GRANDSTAND_WORKER_X264_PRESET: 'ultrafast' },
  });
}

it('each process is a whole configuration of one role, told by its environment alone', () => {
  const configs = plan().map(({ environment }) =>
    parseConfig(gatewayConfigSchema, [
      configFromEnvironment(configLeaves(gatewayConfigSchema), environment),
    ]),
  );
  expect(configs.map(({ roles }) => roles)).toEqual([
    ['signalling'],
    ['origin'],
    ['origin'],
    ['ingest'],
    ['worker'],
    ['worker'],
  ]);
  expect(configs[0]?.broadcast.ladder.video).toEqual([
    { name: 'v360', width: 640, height: 360, bitrateBps: 700_000 },
  ]);
  expect(new Set(configs.map(({ dataDir }) => dataDir)).size).toBe(6);
  expect(new Set(configs.map(({ redis }) => redis.url?.reveal())).size).toBe(1);
  expect(configs.every(({ worker }) => worker.x264Preset === 'ultrafast')).toBe(true);
});

it('no two listeners share a port, and each is advertised where it listens', () => {
  const members = plan();
  const urls = members.flatMap(({ url, internalUrl }) => [url, internalUrl]);
  expect(new Set(urls).size).toBe(12);
  for (const { internalUrl, environment } of members) {
    expect(environment['GRANDSTAND_INTERNAL_ADVERTISE']).toBe(internalUrl);
    expect(`http://${environment['GRANDSTAND_INTERNAL_LISTEN'] ?? ''}`).toBe(internalUrl);
  }
});

it('no rung is above the source', () => {
  const names = clusterLadder(clusterSource('480p'), 3).video.map(({ name }) => name);
  expect(names).toEqual(['v480', 'v360']);
});
