import fc from 'fast-check';
import { expect, test } from 'vitest';
import { A128, makePresentation, V720 } from '../../test/support/presentation.ts';
import { renderMpd } from './mpd.ts';

test('[M02 M04 M05 M06 M07 M08 M09 M10 M12 M13 M20] golden: one era', () => {
  const presentation = makePresentation({
    firstMsn: 897_600_600,
    segments: 3,
    openParts: 1,
    tracks: [V720, A128],
  });
  expect(renderMpd(presentation)).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019,http://www.dashif.org/guidelines/low-latency-live-v5" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="1970-01-01T00:00:00.000Z" minimumUpdatePeriod="PT2S" minBufferTime="PT1S" timeShiftBufferDepth="PT60S" maxSegmentDuration="PT2.006S">
  <ServiceDescription id="0">
    <Latency referenceId="1" target="1000" max="3000" min="500"/>
    <PlaybackRate max="1.1" min="0.9"/>
  </ServiceDescription>
  <Period id="e0" start="PT0S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1" maxWidth="1280" maxHeight="720" maxFrameRate="30">
      <ProducerReferenceTime id="1" type="captured" wallClockTime="1970-01-01T00:00:00.000Z" presentationTime="0">
        <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
      </ProducerReferenceTime>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="v720" bandwidth="2516000" codecs="avc1.4D401F" width="1280" height="720" frameRate="30">
        <Resync type="0" dT="9000" marker="true"/>
        <Resync type="1" dT="180000" marker="true"/>
        <SegmentTemplate timescale="90000" duration="180000" startNumber="0" availabilityTimeOffset="1.9" availabilityTimeComplete="false" initialization="$RepresentationID$/init-v720e0.mp4" media="$RepresentationID$/$Number$.m4s"/>
      </Representation>
    </AdaptationSet>
    <AdaptationSet id="2" lang="und" contentType="audio" mimeType="audio/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1">
      <ProducerReferenceTime id="2" type="captured" wallClockTime="1970-01-01T00:00:00.000Z" presentationTime="0">
        <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
      </ProducerReferenceTime>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="a128" bandwidth="144000" codecs="mp4a.40.2" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <Resync type="1" dT="5120" marker="true"/>
        <SegmentTemplate timescale="48000" duration="96000" startNumber="0" availabilityTimeOffset="1.9" availabilityTimeComplete="false" initialization="$RepresentationID$/init-a128e0.mp4" media="$RepresentationID$/$Number$.m4s"/>
      </Representation>
    </AdaptationSet>
  </Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
  <LeapSecondInformation availabilityStartLeapOffset="0"/>
</MPD>
`);
});

test('[M03 M04] stays the same text while only segments come, go and are missing', () => {
  const firstMsn = fc.integer({ min: 800_000_000, max: 900_000_000 });
  const constant = renderMpd(makePresentation({ firstMsn: 1, segments: 1 }));
  fc.assert(
    fc.property(firstMsn, fc.integer({ min: 1, max: 30 }), fc.nat(3), (first, segments, parts) => {
      const later = { firstMsn: first, segments, openParts: parts, gaps: [first] };
      const shown = makePresentation(later);
      // Measured rates grow; the MPD keeps the declared ones.
      const windows = shown.windows.map((window) => ({
        ...window,
        track: { ...window.track, measured: { peakBps: first, averageBps: first } },
      }));
      expect(renderMpd({ ...shown, windows })).toBe(constant);
    }),
    { numRuns: 30 },
  );
});

test('[M15] an era is a Period whose number, offset and wall clock begin with its first segment', () => {
  const first = 897_600_600;
  const two = makePresentation({
    firstMsn: first,
    segments: 4,
    tracks: [V720],
    eraStarts: [first + 2],
  });
  const text = renderMpd(two);
  expect([...text.matchAll(/<Period [^>]*>/g)].map(([tag]) => tag)).toEqual([
    '<Period id="e0" start="PT0S">',
    '<Period id="e1" start="PT1795201204S">',
  ]);
  expect(text).toContain(
    'wallClockTime="2026-11-20T19:00:04.000Z" presentationTime="161568108360000"',
  );
  expect(text).toContain('startNumber="897600602" presentationTimeOffset="161568108360000"');
  expect(text).toContain('publishTime="2026-11-20T19:00:04.000Z"');
});

test('[M03] publishTime moves with each change of the Periods and never back', () => {
  const first = 897_600_600;
  const presentation = makePresentation({
    firstMsn: first - 900,
    segments: 911,
    tracks: [V720],
    eraStarts: [first, first + 10],
  });
  const { eras } = presentation;
  const publishTimeOf = (from: number, to: number): string | undefined =>
    /publishTime="([^"]+)"/.exec(renderMpd({ ...presentation, eras: eras.slice(from, to) }))?.[1];
  expect([
    publishTimeOf(0, 1),
    publishTimeOf(0, 2),
    publishTimeOf(0, 3),
    publishTimeOf(1, 3),
  ]).toEqual([
    '1970-01-01T00:00:00.000Z',
    '2026-11-20T19:00:00.000Z',
    '2026-11-20T19:00:20.000Z',
    '2026-11-20T19:01:00.000Z',
  ]);
});

test('[M03 M15] a Period keeps the codecs that its own init segment has', () => {
  const presentation = makePresentation({
    firstMsn: 1,
    segments: 3,
    tracks: [V720],
    eraStarts: [2],
  });
  const windows = presentation.windows.map((window) => ({
    ...window,
    tracksByEra: new Map([[1, { ...V720, codecs: 'avc1.640020' }]]),
  }));
  const codecs = [...renderMpd({ ...presentation, windows }).matchAll(/codecs="([^"]+)"/g)];
  expect(codecs.map(([, value]) => value)).toEqual(['avc1.4D401F', 'avc1.640020']);
});

test('[M03] an era that a track has not reached is no Period yet', () => {
  const presentation = makePresentation({ firstMsn: 1, segments: 3, eraStarts: [2] });
  const windows = presentation.windows.map((window) =>
    window.track.kind === 'audio' ? { ...window, initUris: new Map([[0, 'init-a.mp4']]) } : window,
  );
  expect(renderMpd({ ...presentation, windows }).match(/<Period /g)).toHaveLength(1);
});

test('timeShiftBufferDepth is the window that is shown: dvr.mpd differs in nothing else', () => {
  const made = makePresentation({ firstMsn: 1, segments: 1 });
  const presentation = { ...made, eras: [{ era: 0, firstMsn: 0 }] };
  const dvr = renderMpd({ ...presentation, view: 'dvr', windowMs: 7_200_500 });
  expect(dvr.replace('PT7200.5S', 'PT60S')).toBe(renderMpd(presentation));
});

test('nobody can rewind to before the session: its first era begins there in dvr.mpd', () => {
  const presentation = { ...makePresentation({ firstMsn: 10, segments: 2 }), view: 'dvr' as const };
  const dvr = renderMpd({ ...presentation, eras: [{ era: 0, firstMsn: 10 }] });
  expect(dvr).toContain('<Period id="e0" start="PT20S">');
  expect(dvr).toContain('startNumber="10" presentationTimeOffset="1800000"');
});

test('no era, no MPD', () => {
  const presentation = makePresentation({ firstMsn: 1, segments: 1 });
  expect(() => renderMpd({ ...presentation, eras: [] })).toThrow(RangeError);
});

const FIRST = 897_600_600;

test('[M17 M03] the end changes the type and what belongs to it; Periods, ids and numbers stay', () => {
  const plan = { firstMsn: FIRST, segments: 4, tracks: [V720, A128], eraStarts: [FIRST + 2] };
  const live = renderMpd(makePresentation(plan));
  const ended = renderMpd({ ...makePresentation(plan), isEnded: true });
  expect(/<MPD [^>]*>/.exec(ended)?.[0]).toBe(
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-20T19:00:08.000Z" mediaPresentationDuration="PT1795201208S" minBufferTime="PT1S" maxSegmentDuration="PT2.006S">',
  );
  const body = (mpd: string): string => mpd.slice(mpd.indexOf('<ServiceDescription'));
  expect(body(ended).replaceAll(/ endNumber="\d+"/g, '')).toBe(
    body(live).replaceAll(' availabilityTimeOffset="1.9" availabilityTimeComplete="false"', ''),
  );
  expect([...ended.matchAll(/startNumber="(\d+)" endNumber="(\d+)"/g)].map(([tag]) => tag)).toEqual(
    [
      'startNumber="0" endNumber="897600601"',
      'startNumber="0" endNumber="897600601"',
      'startNumber="897600602" endNumber="897600603"',
      'startNumber="897600602" endNumber="897600603"',
    ],
  );
});

test.each([
  ['at the end of a number', 4, 'PT1795201208S'],
  ['inside a segment: the longer of the tracks', 2, 'PT1795201207.019S'],
])('[M17] a broadcast ends %s', (_, lastParts, duration) => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 3,
    openParts: lastParts,
    tracks: [V720, A128],
  });
  const windows = presentation.windows.map(({ open, ...window }) => ({
    ...window,
    segments: [...window.segments, open!],
    open: undefined,
  }));
  const text = renderMpd({ ...presentation, windows, isEnded: true });
  expect(text).toContain(`mediaPresentationDuration="${duration}"`);
  expect(text.match(/endNumber="897600603"/g)).toHaveLength(2);
});

test('[M10 M15 M17 M20] golden: a recording begins at 0 with its first segment', () => {
  const presentation = makePresentation({
    firstMsn: FIRST,
    segments: 4,
    tracks: [V720],
    firstEra: 3,
    eraStarts: [FIRST + 2],
  });
  // An era keeps the number it began with, long before the recording.
  const eras = presentation.eras.map((era, index) => (index === 0 ? { ...era, firstMsn: 5 } : era));
  expect(renderMpd({ ...presentation, eras, view: 'vod' }))
    .toBe(`<?xml version="1.0" encoding="UTF-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" mediaPresentationDuration="PT8S" minBufferTime="PT1S" maxSegmentDuration="PT2.006S">
  <Period id="e3" start="PT0S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1" maxWidth="1280" maxHeight="720" maxFrameRate="30">
      <ProducerReferenceTime id="1" type="captured" wallClockTime="2026-11-20T19:00:00.000Z" presentationTime="161568108000000"/>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="v720" bandwidth="2516000" codecs="avc1.4D401F" width="1280" height="720" frameRate="30">
        <Resync type="0" dT="9000" marker="true"/>
        <Resync type="1" dT="180000" marker="true"/>
        <SegmentTemplate timescale="90000" duration="180000" startNumber="897600600" endNumber="897600601" presentationTimeOffset="161568108000000" initialization="$RepresentationID$/init-v720e3.mp4" media="$RepresentationID$/$Number$.m4s"/>
      </Representation>
    </AdaptationSet>
  </Period>
  <Period id="e4" start="PT4S">
    <AdaptationSet id="1" contentType="video" mimeType="video/mp4" containerProfiles="cmfc" segmentAlignment="true" startWithSAP="1" maxWidth="1280" maxHeight="720" maxFrameRate="30">
      <ProducerReferenceTime id="1" type="captured" wallClockTime="2026-11-20T19:00:04.000Z" presentationTime="161568108360000"/>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
      <Representation id="v720" bandwidth="2516000" codecs="avc1.4D401F" width="1280" height="720" frameRate="30">
        <Resync type="0" dT="9000" marker="true"/>
        <Resync type="1" dT="180000" marker="true"/>
        <SegmentTemplate timescale="90000" duration="180000" startNumber="897600602" endNumber="897600603" presentationTimeOffset="161568108360000" initialization="$RepresentationID$/init-v720e4.mp4" media="$RepresentationID$/$Number$.m4s"/>
      </Representation>
    </AdaptationSet>
  </Period>
</MPD>
`);
});

test('a recording has only what every track has', () => {
  const presentation = makePresentation({ firstMsn: FIRST, segments: 6, tracks: [V720, A128] });
  const [video, audio] = presentation.windows;
  const text = renderMpd({
    ...presentation,
    view: 'vod',
    windows: [
      { ...video!, segments: video!.segments.slice(1) },
      { ...audio!, segments: audio!.segments.slice(0, 5) },
    ],
  });
  expect(text).toContain('mediaPresentationDuration="PT8S"');
  expect(text.match(/startNumber="897600601" endNumber="897600604"/g)).toHaveLength(2);
});

test('a ladder of two codecs has an AdaptationSet for each, with ids of its own', () => {
  const hevc = { ...V720, name: 'v720-hevc', codecs: 'hvc1.1.6.L93.90' };
  const mpd = renderMpd(makePresentation({ firstMsn: 1, segments: 1, tracks: [V720, hevc, A128] }));
  const sets = [...mpd.matchAll(/<AdaptationSet id="(\d)".*?<\/AdaptationSet>/gs)];
  expect(
    sets.map(([text, id]) => [
      id,
      [...text.matchAll(/(?:ProducerReferenceTime|Representation) id="([^"]+)"/g)].map(
        ([, own]) => own,
      ),
    ]),
  ).toEqual([
    ['1', ['1', 'v720']],
    ['3', ['3', 'v720-hevc']],
    ['2', ['2', 'a128']],
  ]);
});
