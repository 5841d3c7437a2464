import { expect, test } from 'vitest';
import { validateMpd } from './mpdSchema.ts';
import { makePresentation } from '../support/presentation.ts';
import { renderMpd } from '../../packager/playlists/index.ts';
import type { Presentation } from '../../packager/playlists/model.ts';

const FIRST = 897_600_600;
const one = makePresentation({ firstMsn: FIRST, segments: 8, openParts: 2 });
const two = makePresentation({ firstMsn: FIRST, segments: 8, eraStarts: [FIRST + 4] });

test.each<[string, Presentation]>([
  ['live', one],
  ['of two eras', two],
  ['of the whole window', { ...two, view: 'dvr', windowMs: 7_200_000 }],
  ['that has ended', { ...two, isEnded: true }],
  ['of a recording', { ...one, view: 'vod' }],
  ['of a recording with two eras', { ...two, view: 'vod' }],
])('[M01] an MPD %s is valid', async (_, presentation) => {
  expect(await validateMpd(renderMpd(presentation))).toEqual([]);
});
