import { expect, test } from 'vitest';
import { A128, makePresentation, V360, V720 } from '../../test/support/presentation.ts';
import type { Presentation } from './model.ts';
import { renderMultivariant } from './multivariantPlaylist.ts';

test('golden: the rung nearest to 2 Mbit/s first, audio apart and as a variant of its own', () => {
  const V1080 = { ...V720, name: 'v1080', bitrateBps: 5_000_000, width: 1920, height: 1080 };
  const presentation = makePresentation({
    firstMsn: 1,
    segments: 1,
    tracks: [V1080, V720, V360, A128],
  });
  expect(renderMultivariant(presentation)).toBe(`#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="Main",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a128/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3325000,AVERAGE-BANDWIDTH=2660000,CODECS="avc1.4D401F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
v720/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=6450000,AVERAGE-BANDWIDTH=5160000,CODECS="avc1.4D401F,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
v1080/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1075000,AVERAGE-BANDWIDTH=860000,CODECS="avc1.4D401E,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="audio",CLOSED-CAPTIONS=NONE
v360/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=180000,AVERAGE-BANDWIDTH=144000,CODECS="mp4a.40.2",AUDIO="audio",CLOSED-CAPTIONS=NONE
a128/media.m3u8
`);
});

test('shorter segments may peak higher, and shorter chunks cost more boxes', () => {
  const grid = { segmentMs: 1000, partMs: 500, chunkMs: 50, fps: 60 };
  const text = renderMultivariant(
    makePresentation({ firstMsn: 1, segments: 1, tracks: [V360], grid }),
  );
  expect(text).toContain('BANDWIDTH=1098000,AVERAGE-BANDWIDTH=732000,');
});

test('a broadcast without audio names no audio group', () => {
  const text = renderMultivariant(makePresentation({ firstMsn: 1, segments: 1, tracks: [V360] }));
  expect(text).toContain('CODECS="avc1.4D401E",RESOLUTION=640x360');
  expect(text).not.toContain('AUDIO=');
});

test('describes the newest era where an encoder changed the codec level', () => {
  const presentation: Presentation = makePresentation({
    firstMsn: 1,
    segments: 3,
    tracks: [V720],
    eraStarts: [2],
  });
  const windows = presentation.windows.map((window) => ({
    ...window,
    tracksByEra: new Map([[1, { ...V720, codecs: 'avc1.640020' }]]),
  }));
  expect(renderMultivariant({ ...presentation, windows })).toContain('CODECS="avc1.640020"');
});
