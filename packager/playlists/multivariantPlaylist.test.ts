import { expect, test } from 'vitest';
import { A128, makePresentation, V360, V720 } from '../../test/support/presentation.ts';
import type { Presentation, SegmentEntry } from './model.ts';
import { renderMultivariant } from './multivariantPlaylist.ts';

test('[V01 V02 V05 V06 V07 V08 V10 V11 V12 V14 H02] golden: the rung nearest to 2 Mbit/s first, audio apart and as a variant of its own', () => {
  const V1080 = { ...V720, name: 'v1080', bitrateBps: 5_000_000, width: 1920, height: 1080 };
  const presentation = makePresentation({
    firstMsn: 1,
    segments: 1,
    tracks: [V1080, V720, V360, A128],
  });
  expect(renderMultivariant(presentation)).toBe(`#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a128",NAME="Main",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a128/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3954000,AVERAGE-BANDWIDTH=2660000,CODECS="avc1.4D401F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="a128",CLOSED-CAPTIONS=NONE
v720/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=7704000,AVERAGE-BANDWIDTH=5160000,CODECS="avc1.4D401F,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=30.000,AUDIO="a128",CLOSED-CAPTIONS=NONE
v1080/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1254000,AVERAGE-BANDWIDTH=860000,CODECS="avc1.4D401E,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="a128",CLOSED-CAPTIONS=NONE
v360/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=180000,AVERAGE-BANDWIDTH=144000,CODECS="mp4a.40.2",AUDIO="a128",CLOSED-CAPTIONS=NONE
a128/media.m3u8
`);
});

test('[V03 V04] before anything is measured, shorter segments may peak higher, and shorter chunks cost more boxes', () => {
  const grid = { segmentMs: 1000, partMs: 500, chunkMs: 50, fps: 60 };
  const text = renderMultivariant(
    makePresentation({ firstMsn: 1, segments: 1, tracks: [V360], grid }),
  );
  expect(text).toContain('BANDWIDTH=1464000,AVERAGE-BANDWIDTH=732000,');
});

test('[V01] a broadcast without audio names no audio group', () => {
  const text = renderMultivariant(makePresentation({ firstMsn: 1, segments: 1, tracks: [V360] }));
  expect(text).toContain('CODECS="avc1.4D401E",RESOLUTION=640x360');
  expect(text).not.toContain('AUDIO=');
});

test('[V01] describes the newest era where an encoder changed the codec level', () => {
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

test('[V03 V04] measured rates decide, the audio group included; the order stays', () => {
  const measured = (peakBps: number, averageBps: number) => ({ measured: { peakBps, averageBps } });
  const presentation = makePresentation({
    firstMsn: 1,
    segments: 1,
    tracks: [
      { ...V720, ...measured(3_000_000, 2_400_000) },
      { ...V360, ...measured(2_100_000, 2_000_000) },
      { ...A128, ...measured(140_000, 131_000) },
    ],
  });
  expect(
    [...renderMultivariant(presentation).matchAll(/BANDWIDTH=\d+,AVERAGE-BANDWIDTH=\d+/g)].join(
      ' ',
    ),
  ).toBe(
    'BANDWIDTH=3140000,AVERAGE-BANDWIDTH=2531000 BANDWIDTH=2240000,AVERAGE-BANDWIDTH=2131000 ' +
      'BANDWIDTH=140000,AVERAGE-BANDWIDTH=131000',
  );
});

const A64 = { ...A128, name: 'a64', bitrateBps: 64_000 };

test('[V01 V03 V05 V06 V07 V14] golden: audio rungs are a group each of the same member, the best for the best', () => {
  const V480 = { ...V360, name: 'v480', bitrateBps: 1_200_000, width: 854, height: 480 };
  const tracks = [V720, V480, V360, A64, A128];
  const text = renderMultivariant(makePresentation({ firstMsn: 1, segments: 1, tracks }));
  expect(text.split('\n').slice(3).join('\n'))
    .toBe(`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a64",NAME="Main",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a64/media.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a128",NAME="Main",LANGUAGE="und",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="a128/media.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=3954000,AVERAGE-BANDWIDTH=2660000,CODECS="avc1.4D401F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="a128",CLOSED-CAPTIONS=NONE
v720/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2004000,AVERAGE-BANDWIDTH=1360000,CODECS="avc1.4D401E,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=30.000,AUDIO="a128",CLOSED-CAPTIONS=NONE
v480/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1174000,AVERAGE-BANDWIDTH=796000,CODECS="avc1.4D401E,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO="a64",CLOSED-CAPTIONS=NONE
v360/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=100000,AVERAGE-BANDWIDTH=80000,CODECS="mp4a.40.2",AUDIO="a64",CLOSED-CAPTIONS=NONE
a64/media.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=180000,AVERAGE-BANDWIDTH=144000,CODECS="mp4a.40.2",AUDIO="a128",CLOSED-CAPTIONS=NONE
a128/media.m3u8
`);
});

test.each([
  [[V360], [A64, A128], ['a128']],
  [
    [V720, V360],
    [A128, A64],
    ['a128', 'a64'],
  ],
  [
    [V720, V360],
    [A128, A64, { ...A64, name: 'a32', bitrateBps: 32_000 }],
    ['a128', 'a64'],
  ],
  [[V360, V720], [A64], ['a64', 'a64']],
])(
  'every audio rung has a variant, with more of them than video rungs too',
  (video, audio, groups) => {
    const tracks = [...video, ...audio];
    const text = renderMultivariant(makePresentation({ firstMsn: 1, segments: 1, tracks }));
    const named = [...text.matchAll(/AUDIO="(a\d+)"/g)].map(([, name]) => name);
    expect(named).toEqual([...groups, ...audio.map(({ name }) => name)]);
  },
);

test('[V13] golden: I-frame playlists of the rungs whose pictures are known', () => {
  const made = makePresentation({ firstMsn: 1, segments: 2, tracks: [V720, V360, A128] });
  const [v720, ...others] = made.windows;
  const iframe = { offset: 0, length: 30_000 };
  const pictured = {
    ...v720!,
    segments: v720!.segments.map((segment): SegmentEntry => ({ ...segment, iframe })),
  };
  const presentation = { ...made, windows: [pictured, ...others] };
  const iframes = (text: string): string[] =>
    text.split('\n').filter((line) => line.startsWith('#EXT-X-I-FRAME-STREAM-INF:'));
  const expected =
    '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1887000,CODECS="avc1.4D401F",RESOLUTION=1280x720,URI="v720/iframes.m3u8"';
  expect(iframes(renderMultivariant(presentation))).toEqual([expected]);
  expect(iframes(renderMultivariant({ ...presentation, view: 'vod' }))).toEqual([expected]);
  expect(iframes(renderMultivariant({ ...presentation, view: 'dvr' }))).toEqual([]);
  const measured = { peakBps: 3_000_000, averageBps: 2_400_000, iframePeakBps: 120_000 };
  const windows = [{ ...pictured, track: { ...V720, measured } }];
  expect(iframes(renderMultivariant({ ...presentation, windows }))[0]).toContain(
    ':BANDWIDTH=120000,',
  );
});

test('the dvr view names the playlists of the whole window', () => {
  const presentation = makePresentation({ firstMsn: 1, segments: 1, tracks: [V720, A128] });
  expect(renderMultivariant({ ...presentation, view: 'dvr' })).toBe(
    renderMultivariant(presentation).replaceAll('/media.m3u8', '/dvr.m3u8'),
  );
});
