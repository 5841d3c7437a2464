import { expect, it } from 'vitest';
import { GatewayError } from '../kernel/errors.ts';
import { faultCode, nextFault } from './jobFault.ts';
import type { JobFault } from './workerBoard.ts';

/** Seconds that a job which fails each time it is tried is held back, and its last fault. */
function holds(error: unknown, times: number): { seconds: number[]; last: JobFault | undefined } {
  let last: JobFault | undefined;
  const seconds = Array.from({ length: times }, (_, index) => {
    last = nextFault(error, last, index % 2 === 0 ? 'nvenc' : 'x264', 0);
    return (last?.untilMs ?? 0) / 1000;
  });
  return { seconds, last };
}

it('a job that fails is held back longer each time, up to two minutes', () => {
  const error = new GatewayError('bad_media', 'the feed is not Matroska\nits last lines:\n x');
  const { seconds, last } = holds(error, 7);
  expect(seconds).toEqual([1, 3, 9, 27, 81, 120, 120]);
  expect(last).toMatchObject({
    ...{ count: 7, avoid: [], reason: 'the feed is not Matroska | its last lines: | x' },
  });
});

it('an encoder that fails sends the job on at once, twice', () => {
  expect(holds(new GatewayError('encoder_failed', 'no session'), 5).seconds).toEqual([
    0, 0, 1, 3, 9,
  ]);
});

it('a class that cannot do it is not asked again', () => {
  const error = new GatewayError('encoder_unsupported', "Unknown encoder 'x'");
  expect(holds(error, 3).last?.avoid).toEqual(['nvenc', 'x264']);
});

it('who was superseded has not failed', () => {
  expect(nextFault(new GatewayError('fenced', '409'), undefined, 'x264', 0)).toBeUndefined();
  expect([faultCode(new Error('?')), faultCode(new GatewayError('off_grid', ''))]).toEqual([
    ...['unexpected', 'off_grid'],
  ]);
});
