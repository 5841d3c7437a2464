import { expect, test } from 'vitest';
import { unixMs } from '../../infra/kernel/time.ts';
import { transcodeStatusSchema } from '../../infra/kernel/wire.ts';
import { JobStatus } from './jobStatus.ts';

const encoder = {
  name: 'h264_nvenc',
  class: 'nvenc',
  isGpuScaled: true,
  reason: 'probe succeeded',
} as const;

function encode(status: JobStatus, frames: number, untilMs: number): void {
  for (let left = frames - 1; left >= 0; left -= 1) {
    status.encoded(unixMs(untilMs - left * 40));
  }
}

test('state, speed and reason follow what happens', () => {
  const ladder = {
    video: [{ name: 'v360', width: 640, height: 360, bitrateBps: 700_000 }],
    audio: [{ name: 'a128', bitrateBps: 128_000 }],
  };
  const status = new JobStatus(encoder, '7.2', { grid: { fps: 25 }, ladder });
  const fixed = {
    encoder: 'h264_nvenc',
    encoderReason: 'probe succeeded',
    epoch: '7.2',
    tracks: ['v360', 'a128'],
  };
  status.waiting('no ingest has a feed of this broadcast');
  expect(status.render(unixMs(1000), undefined)).toEqual({
    ...{ ...fixed, state: 'starting', framesIn: 0, framesOut: 0, restarts: 0 },
    reason: 'no ingest has a feed of this broadcast',
  });
  encode(status, 25, 1900);
  status.meter.arrived({ kind: 'video', stampMs: 1500 }, 1520);
  status.meter.published('video', 1500, { earlierMs: 0, laterMs: 0 }, 1600);
  expect(status.render(unixMs(2000), undefined)).toEqual({
    ...{ ...fixed, state: 'encoding', framesIn: 1, framesOut: 25, restarts: 0 },
    ...{ speed: 1, fpsIn: 1, fpsOut: 25, videoDelayMs: 80 },
  });
  encode(status, 10, 2300);
  expect(status.render(unixMs(3000), 'origin: 422')).toMatchObject({
    ...{ state: 'encoding', speed: 0.4, reason: 'origin: 422' },
  });
  expect(status.render(unixMs(3500), 'origin: gone', false)).toMatchObject({ isTaken: false });
  expect(status.render(unixMs(6300), undefined).reason).toBe('the encoder is 4.0 s behind');
  status.restarting('ffmpeg ended (SIGKILL)');
  const last = status.render(unixMs(7000), undefined);
  expect(last).toMatchObject({
    ...{ state: 'restarting', restarts: 1, speed: 0, reason: 'ffmpeg ended (SIGKILL)' },
  });
  expect(transcodeStatusSchema.parse(last)).toEqual(last);
  expect(status.publishedUntilMs).toBe(2300);
});
