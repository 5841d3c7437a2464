import { expect, test } from 'vitest';
import { BroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import { renderMediaPlaylist, renderMpd } from '../../packager/playlists/index.ts';
import { makePresentation } from '../support/presentation.ts';
import { parseMediaPlaylist } from './mediaPlaylist.ts';

const FIRST = 897_600_600;

test.each([2000, -2000])('[B27] a step of the wall clock by %i ms reaches no viewer', (stepMs) => {
  let monotonicMs = 0;
  let offsetMs = FIRST * 2000;
  const clock = new BroadcastClock({
    monotonicMs: () => monotonicMs,
    wallMs: () => offsetMs + monotonicMs,
  });
  const at = (): number => {
    monotonicMs += 2000;
    return clock.nowMs();
  };
  const before = at();
  offsetMs += stepMs;
  const steps = [before, at(), at(), at()].map((nowMs, index) => nowMs - before - index * 2000);
  for (const step of steps) {
    expect(Math.abs(step)).toBeLessThanOrEqual(6);
  }
  // What is published says the time of the media: no clock goes into it.
  const presentation = makePresentation({ firstMsn: FIRST, segments: 6, openParts: 1 });
  const { segments } = parseMediaPlaylist(renderMediaPlaylist(presentation, 'v720'));
  expect(segments.map(({ dateTime = '' }) => Date.parse(dateTime))).toEqual(
    segments.map(({ msn }) => msn * 2000),
  );
  expect(renderMpd(presentation)).toContain('availabilityStartTime="1970-01-01T00:00:00Z"');
});
