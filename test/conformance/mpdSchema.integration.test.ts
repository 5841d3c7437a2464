import { expect, test } from 'vitest';
import { renderMpd } from '../../packager/playlists/index.ts';
import { makePresentation } from '../support/presentation.ts';
import { validateMpd } from './mpdSchema.ts';

const FIRST = 897_600_600;

test.each([
  ['one era', { firstMsn: FIRST, segments: 8, openParts: 2 }],
  ['two eras', { firstMsn: FIRST, segments: 8, openParts: 0, eraStarts: [FIRST + 4] }],
  ['a gap', { firstMsn: FIRST, segments: 8, openParts: 1, gaps: [FIRST + 6] }],
  [
    'segments of 1.5 s',
    { firstMsn: FIRST, segments: 2, grid: { segmentMs: 1500, partMs: 500, chunkMs: 100, fps: 30 } },
  ],
])('the MPD of %s is valid', async (_, plan) => {
  expect(await validateMpd(renderMpd(makePresentation(plan)))).toEqual([]);
});

test('an element out of its order is invalid', async () => {
  const mpd = renderMpd(makePresentation({ firstMsn: FIRST, segments: 1 }));
  const role = /<Role [^>]*>/.exec(mpd)?.[0] ?? '';
  const disordered = mpd.replace(role, '').replace('</AdaptationSet>', `${role}</AdaptationSet>`);
  expect((await validateMpd(disordered)).join('\n')).toContain('Role');
});
