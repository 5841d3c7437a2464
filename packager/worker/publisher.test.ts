import { expect, it } from 'vitest';
import { GatewayError } from '../../infra/kernel/errors.ts';
import { retryMs } from './publisher.ts';

const away = new GatewayError('origin_unavailable', 'connect ECONNREFUSED', {
  cause: new Error('connect ECONNREFUSED'),
});
const refused = new GatewayError('origin_unavailable', '503 full');

it('tracks come back to an origin within less than the part that it waits for a late one', () => {
  for (const attempt of [0, 1, 5, 50]) {
    const [soonest, latest] = [0, 1].map((random) => retryMs(away, attempt, () => random));
    expect(latest).toBeLessThanOrEqual(200);
    expect(soonest).toBeGreaterThanOrEqual(100);
  }
});

it('an origin that refuses is asked less and less often', () => {
  const times = [0, 1, 2, 3, 9].map((attempt) => retryMs(refused, attempt, () => 1));
  expect(times).toEqual([250, 500, 1000, 2000, 2000]);
});
