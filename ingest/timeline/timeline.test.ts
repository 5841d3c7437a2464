import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessUnit, SenderReport, StampedUnit } from '../../infra/kernel/media.ts';
import { BroadcastClock } from '../../infra/kernel/broadcastClock.ts';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { OPUS_SILENCE } from './opus.ts';
import { Timeline } from './timeline.ts';

const EPOCH_MS = 1_795_196_400_000;

type Event =
  | { readonly atMs: number; readonly unit: AccessUnit }
  | { readonly atMs: number; readonly report: SenderReport };

type Simulated = {
  readonly startMs?: number;
  readonly seconds: number;
  readonly fps?: number;
  readonly hasAudio?: boolean;
  /** Sender's wall clock minus ours. */
  readonly clockOffsetMs?: number;
  /** How much faster than ours the sender's clocks run. */
  readonly ppm?: number;
  readonly firstVideoReportMs?: number;
  readonly firstAudioReportMs?: number;
  readonly videoTransitMs?: (index: number) => number;
  readonly audioTransitMs?: (index: number) => number;
  readonly reportErrorMs?: (index: number) => number;
};

/** When the unit with these bytes was captured, by our clock. */
const capturedMs = new WeakMap<Uint8Array, number>();

/** A sender whose pictures and sound are captured at the same instants of its own clock. */
function simulate(options: Simulated): Event[] {
  const { startMs = EPOCH_MS, seconds, fps = 30, hasAudio = true } = options;
  const {
    clockOffsetMs = 0,
    ppm = 0,
    firstVideoReportMs = 450,
    firstAudioReportMs = 900,
  } = options;
  const { videoTransitMs = () => 30, audioTransitMs = () => 10, reportErrorMs = () => 0 } = options;
  const speed = 1 + ppm / 1e6;
  const ourMs = (senderMs: number): number => startMs + senderMs / speed;
  const events: Event[] = [];
  const add = (kind: 'video' | 'audio', rate: number, base: number, step: number): void => {
    const transitMs = kind === 'video' ? videoTransitMs : audioTransitMs;
    for (let index = 0; (index * step * 1000) / rate < seconds * 1000; index += 1) {
      const atMs = ourMs((index * step * 1000) / rate) + transitMs(index);
      const rtpTime = base + index * step;
      const isKeyframe = kind === 'audio' || index === 0;
      const data = Uint8Array.of(0xfc, 0, 0);
      capturedMs.set(data, ourMs((index * step * 1000) / rate));
      events.push({ atMs, unit: { kind, rtpTime, arrivedMs: unixMs(atMs), data, isKeyframe } });
    }
    const firstMs = kind === 'video' ? firstVideoReportMs : firstAudioReportMs;
    for (let index = 0; firstMs + index * 1000 < seconds * 1000; index += 1) {
      const senderMs = firstMs + index * 1000;
      const atMs = ourMs(senderMs) + 5;
      const ntpMs = unixMs(startMs + senderMs + clockOffsetMs + reportErrorMs(index));
      const rtpTime = base + Math.round((senderMs * rate) / 1000);
      events.push({ atMs, report: { kind, rtpTime, ntpMs, arrivedMs: unixMs(atMs) } });
    }
  };
  add('video', 90_000, 3_000_000_000, 90_000 / fps);
  if (hasAudio) {
    add('audio', 48_000, 77_777, 960);
  }
  return events.sort((a, b) => a.atMs - b.atMs);
}

type Out = { readonly unit: StampedUnit; readonly atMs: number; readonly timeMs: number };

function run(timeline: Timeline, events: readonly Event[]): Out[] {
  const out: Out[] = [];
  for (const event of events) {
    const units = [
      ...timeline.advance(event.atMs as UnixMs),
      ...('unit' in event ? timeline.push(event.unit) : timeline.senderReport(event.report)),
    ];
    for (const unit of units) {
      const timeMs = (unit.time * 1000) / (unit.kind === 'video' ? 90_000 : 48_000);
      out.push({ unit, atMs: event.atMs, timeMs });
    }
  }
  return out;
}

function play(options: Simulated, timeline = new Timeline()): { out: Out[]; timeline: Timeline } {
  timeline.beginSource({ hasAudio: options.hasAudio ?? true });
  return { out: run(timeline, simulate(options)), timeline };
}

const of = (out: readonly Out[], kind: 'video' | 'audio'): Out[] =>
  out.filter(({ unit }) => unit.kind === kind);

const steps = (out: readonly Out[]): number[] =>
  out.slice(1).map(({ unit }, index) => unit.time - (out[index]?.unit.time ?? 0));

/** Stamp minus true capture time in ms, `index` frames after the start. */
function errorsMs(out: readonly Out[], startMs: number, stepMs: number, ppm = 0): number[] {
  return out.map(({ timeMs }, index) => timeMs - (startMs + (index * stepMs) / (1 + ppm / 1e6)));
}

/** Stamp minus true capture time of each unit of the source that got through. */
function trueErrorsMs(out: readonly Out[], kind: 'video' | 'audio'): number[] {
  return of(out, kind).flatMap(({ unit, timeMs }) => {
    const atMs = capturedMs.get(unit.data);
    return atMs === undefined ? [] : [timeMs - atMs];
  });
}

/** Most that a sound was apart from the picture before it. */
function worstSkewMs(out: readonly Out[]): number {
  let videoMs: number | undefined;
  let most = 0;
  for (const { unit, timeMs } of out) {
    const errorMs = timeMs - (capturedMs.get(unit.data) ?? Number.NaN);
    if (unit.kind === 'video') {
      videoMs = errorMs;
    } else if (videoMs !== undefined && !Number.isNaN(errorMs)) {
      most = Math.max(most, Math.abs(errorMs - videoMs));
    }
  }
  return most;
}

const worst = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe('mapping at the start', () => {
  it('takes the sender reports as UTC when the clocks agree', () => {
    const { out, timeline } = play({ seconds: 10, clockOffsetMs: 4 });
    expect(timeline.utcFrom).toBe('sender-report');
    expect(worst(errorsMs(of(out, 'video'), EPOCH_MS + 4, 1000 / 30))).toBeLessThan(0.1);
    expect(worst(errorsMs(of(out, 'audio'), EPOCH_MS + 4, 20))).toBeLessThan(0.1);
    expect(new Set(steps(of(out, 'video')))).toEqual(new Set([3000]));
    expect(new Set(steps(of(out, 'audio')))).toEqual(new Set([960]));
  });

  it.each([450, 900, 1800])('holds everything until a first report at %d ms', (lateMs) => {
    const { out } = play({ seconds: 4, firstAudioReportMs: lateMs });
    expect(out[0]?.atMs).toBeCloseTo(EPOCH_MS + Math.max(450, lateMs) + 5, 3);
    expect(of(out, 'video')).toHaveLength(120);
    expect(of(out, 'audio')).toHaveLength(200);
  });

  it('waits no longer than 2 s from the first picture, then slews to late reports', () => {
    const { out, timeline } = play({ seconds: 20, firstAudioReportMs: 5000 });
    expect(out[0]?.atMs).toBeGreaterThanOrEqual(EPOCH_MS + 2030);
    expect(out[0]?.atMs).toBeLessThan(EPOCH_MS + 2080);
    expect(timeline.utcFrom).toBe('sender-report');
    expect(worst(steps(of(out, 'video')).map((step) => step - 3000))).toBeLessThanOrEqual(90);
    expect(
      worst(errorsMs(of(out, 'video').slice(-30), EPOCH_MS + 570 * (1000 / 30), 1000 / 30)),
    ).toBeLessThan(5);
  });

  it.each([3 * 3_600_000, -3 * 3_600_000, 400, -400])(
    'keeps audio on video and UTC on our clock when the sender is %d ms off',
    (clockOffsetMs) => {
      const { out, timeline } = play({ seconds: 10, clockOffsetMs });
      expect(timeline.utcFrom).toBe('arrival');
      const video = errorsMs(of(out, 'video'), EPOCH_MS, 1000 / 30);
      const audio = errorsMs(of(out, 'audio'), EPOCH_MS, 20);
      expect(worst(video)).toBeLessThan(31);
      expect(Math.abs((video[0] ?? 99) - (audio[0] ?? 0))).toBeLessThan(0.1);
    },
  );

  it('does not stamp into the future when the sender is ahead by less than 250 ms', () => {
    const { out } = play({ seconds: 5, clockOffsetMs: 200 });
    expect(Math.max(...out.map(({ timeMs, atMs }) => timeMs - atMs))).toBeLessThan(1);
  });

  it('takes a first report that is far off for an outlier', () => {
    const { out } = play({
      seconds: 20,
      reportErrorMs: (index) => (index === 0 ? 7000 : index === 4 ? -900 : 0),
      firstAudioReportMs: 450,
    });
    expect(
      worst(errorsMs(of(out, 'video').slice(-60), EPOCH_MS + 540 * (1000 / 30), 1000 / 30)),
    ).toBeLessThan(40);
    const skewMs = (of(out, 'video').at(-1)?.timeMs ?? 0) - (of(out, 'audio').at(-1)?.timeMs ?? 0);
    expect(skewMs).toBeCloseTo(19_966.667 - 19_980, 0);
  });

  it('maps a source without audio at once and gives it silence end to end', () => {
    const { out } = play({ seconds: 5, hasAudio: false });
    expect(out[0]?.atMs).toBe(EPOCH_MS + 30);
    const audio = of(out, 'audio');
    expect(audio.every(({ unit }) => unit.data === OPUS_SILENCE)).toBe(true);
    expect(new Set(steps(audio))).toEqual(new Set([960]));
    expect(audio.length).toBeGreaterThan(245);
    const lastVideoMs = of(out, 'video').at(-1)?.timeMs ?? 0;
    expect(audio.at(-1)?.timeMs).toBeGreaterThan(lastVideoMs - 41);
    expect(audio.at(-1)?.timeMs).toBeLessThanOrEqual(lastVideoMs);
  });

  it('gives silence where audio was promised and does not come, and where it stops', () => {
    const events = simulate({ seconds: 12 }).filter(
      (event) =>
        !('unit' in event) ||
        event.unit.kind === 'video' ||
        (event.atMs > EPOCH_MS + 4000 && event.atMs < EPOCH_MS + 8000),
    );
    const timeline = new Timeline();
    timeline.beginSource({ hasAudio: true });
    const audio = of(run(timeline, events), 'audio');
    expect(worst(steps(audio))).toBeLessThanOrEqual(960 * 3);
    expect(Math.min(...steps(audio))).toBeGreaterThan(840);
    const isSilent = (fromMs: number, toMs: number): boolean[] =>
      audio
        .filter(({ timeMs }) => timeMs > EPOCH_MS + fromMs && timeMs < EPOCH_MS + toMs)
        .map(({ unit }) => unit.data === OPUS_SILENCE);
    expect(isSilent(100, 3900).every(Boolean)).toBe(true);
    expect(isSilent(4100, 7900).some(Boolean)).toBe(false);
    expect(isSilent(8100, 11_400).every(Boolean)).toBe(true);
  });
});

describe('while live', () => {
  it.each([200, -200])('follows %d ppm for two hours without a step, audio end to end', (ppm) => {
    const seconds = 7200;
    const { out } = play({
      seconds,
      ppm,
      clockOffsetMs: 7_200_000,
      videoTransitMs: (index) => 30 + ((index * 7) % 13),
    });
    const video = of(out, 'video');
    const audio = of(out, 'audio');
    expect(video).toHaveLength(seconds * 30);
    expect(audio).toHaveLength(seconds * 50);
    expect(worst(steps(video).map((step) => step - 3000))).toBeLessThanOrEqual(90);
    expect(worst(steps(audio).map((step) => step - 960))).toBeLessThanOrEqual(48);
    const exact = steps(audio).filter((step) => step === 960).length;
    expect(exact / audio.length).toBeGreaterThan(0.95);
    expect(worst(errorsMs(video, EPOCH_MS, 1000 / 30, ppm))).toBeLessThan(45);
    const skew = errorsMs(
      video.filter((_, index) => index % 3 === 0),
      EPOCH_MS,
      100,
      ppm,
    ).map(
      (error, index) =>
        error -
        (errorsMs(
          audio.slice(index * 5, index * 5 + 1),
          EPOCH_MS + (index * 100) / (1 + ppm / 1e6),
          20,
        )[0] ?? 0),
    );
    expect(worst(skew)).toBeLessThan(20);
  });

  it('maps anew when the source jumps in RTP time', () => {
    const events = simulate({ seconds: 10 }).map((event): Event => {
      if (event.atMs < EPOCH_MS + 5000) {
        return event;
      }
      return 'unit' in event
        ? { ...event, unit: { ...event.unit, rtpTime: event.unit.rtpTime + 900_000_000 } }
        : { ...event, report: { ...event.report, rtpTime: event.report.rtpTime + 900_000_000 } };
    });
    const timeline = new Timeline();
    timeline.beginSource({ hasAudio: true });
    const out = run(timeline, events);
    expect(timeline.rebases).toBe(1);
    expect(Math.max(...out.map(({ timeMs, atMs }) => timeMs - atMs))).toBeLessThan(50);
    expect(out.at(-1)?.timeMs).toBeGreaterThan(EPOCH_MS + 9900);
    for (const kind of ['video', 'audio'] as const) {
      expect(Math.min(...steps(of(out, kind)))).toBeGreaterThan(0);
    }
  });

  it.each([
    ['while its first units are held', 100, 100],
    ['one track after the other', 5000, 5040],
  ])('maps anew when the source jumps %s', (_when, audioMs, videoMs) => {
    for (const jumpMs of [-7200_000, -20_000, 20_000, 7200_000]) {
      const events = simulate({ seconds: 10 }).map((event): Event => {
        const of = 'unit' in event ? event.unit : event.report;
        const [fromMs, rate] = of.kind === 'video' ? [videoMs, 90] : [audioMs, 48];
        const rtpTime = of.rtpTime + (event.atMs < EPOCH_MS + fromMs ? 0 : jumpMs * rate);
        return 'unit' in event
          ? { ...event, unit: { ...event.unit, rtpTime } }
          : { ...event, report: { ...event.report, rtpTime } };
      });
      const timeline = new Timeline();
      timeline.beginSource({ hasAudio: true });
      const out = run(timeline, events);
      expect(timeline.rebases).toBeLessThan(4);
      expect(Math.max(...out.map(({ timeMs, atMs }) => timeMs - atMs))).toBeLessThan(50);
      for (const kind of ['video', 'audio'] as const) {
        expect(of(out, kind).at(-1)?.timeMs).toBeGreaterThan(EPOCH_MS + 9900);
        expect(Math.min(...steps(of(out, kind)))).toBeGreaterThan(0);
      }
    }
  });

  it('goes on above the last stamp with the next source, and keeps audio on video', () => {
    const timeline = new Timeline();
    const first = play({ seconds: 5, clockOffsetMs: 0 }, timeline).out;
    // Its clock is late by 150 ms, so by itself it would begin below the last stamp.
    const startMs = EPOCH_MS + 5040;
    const second = play({ startMs, seconds: 30, clockOffsetMs: -150 }, timeline).out;
    for (const kind of ['video', 'audio'] as const) {
      const all = of([...first, ...second], kind);
      expect(Math.min(...steps(all))).toBeGreaterThan(0);
    }
    expect(second[0]?.timeMs).toBeGreaterThanOrEqual(first.at(-1)?.timeMs ?? 0);
    const video = trueErrorsMs(second, 'video');
    expect(video.at(-1)).toBeCloseTo(-150, -1);
    // Until it is known where sound belongs there is silence.
    expect(
      of(second, 'audio')
        .slice(0, 40)
        .every(({ unit }) => unit.data === OPUS_SILENCE),
    ).toBe(true);
    expect(worstSkewMs(second)).toBeLessThan(15);
  });

  it('goes on from the point of another timeline, above what that one stamped', () => {
    for (const aheadMs of [-8000, 1500, 5000]) {
      const timeline = new Timeline();
      timeline.resume({ newestMs: EPOCH_MS + aheadMs, transitMs: 30 });
      const { out } = play({ seconds: 20 }, timeline);
      for (const kind of ['video', 'audio'] as const) {
        expect(of(out, kind)[0]?.timeMs).toBeGreaterThanOrEqual(EPOCH_MS + aheadMs);
        expect(Math.min(...steps(of(out, kind)))).toBeGreaterThan(0);
      }
      expect(worst(steps(of(out, 'video')).map((step) => step - 3000))).toBeLessThanOrEqual(90);
      expect(worstSkewMs(out)).toBeLessThan(15);
    }
  });

  it('fills a lost sound packet with silence on the 20 ms grid', () => {
    const lost = new Set([100, 101, 102, 200]);
    let index = 0;
    const events = simulate({ seconds: 10 }).filter(
      (event) => !('unit' in event) || event.unit.kind === 'video' || !lost.has(index++),
    );
    const timeline = new Timeline();
    timeline.beginSource({ hasAudio: true });
    const audio = of(run(timeline, events), 'audio');
    expect(new Set(steps(audio))).toEqual(new Set([960]));
    const silent = audio.flatMap(({ unit }, at) => (unit.data === OPUS_SILENCE ? [at] : []));
    expect(silent).toEqual([...lost]);
  });
});

describe('in place of a source', () => {
  const CARD = { data: Uint8Array.of(1), isKeyframe: true };

  it('goes on one frame after the last picture, with silence, and gives way to the next source', () => {
    const timeline = new Timeline();
    const before = play({ seconds: 5 }, timeline).out;
    timeline.endSource();
    const filled: Out[] = [];
    for (let atMs = EPOCH_MS + 5800; atMs < EPOCH_MS + 20_000; atMs += 33) {
      for (const unit of timeline.fill(unixMs(atMs), () => CARD)) {
        filled.push({ unit, atMs, timeMs: unit.time / (unit.kind === 'video' ? 90 : 48) });
      }
    }
    const after = play({ startMs: EPOCH_MS + 20_000, seconds: 10 }, timeline).out;
    expect(of(filled, 'video')[0]?.atMs).toBe(EPOCH_MS + 5800);
    const video = of([...before, ...filled], 'video');
    expect(new Set(steps(video))).toEqual(new Set([3000]));
    expect(video.at(-1)?.timeMs).toBeGreaterThan(EPOCH_MS + 19_850);
    expect(worst(steps(of([...before, ...filled], 'audio')))).toBeLessThan(1920);
    expect(of(filled, 'audio').every(({ unit }) => unit.data === OPUS_SILENCE)).toBe(true);
    // The next source is shown from its first picture, near UTC, with no hole of two frames.
    expect(of(after, 'video')).toHaveLength(300);
    expect(after[0]?.atMs).toBe(EPOCH_MS + 20_030);
    expect(worst(trueErrorsMs(after, 'video'))).toBeLessThan(5);
    expect((after[0]?.timeMs ?? 0) - (video.at(-1)?.timeMs ?? 0)).toBeLessThan(134);
    expect(worst(steps(of([...filled, ...after], 'audio')))).toBeLessThan(1920);
    expect(worstSkewMs(after)).toBeLessThan(1);
  });

  it('stamps nothing before the first picture, and no more than 2 s at once', () => {
    const timeline = new Timeline();
    expect(timeline.fill(unixMs(EPOCH_MS), () => CARD)).toEqual([]);
    play({ seconds: 1 }, timeline);
    const units = timeline.fill(unixMs(EPOCH_MS + 60_000), () => CARD);
    const video = units.filter(({ kind }) => kind === 'video');
    expect(video).toHaveLength(60);
    expect(video.at(-1)!.time / 90 - EPOCH_MS).toBeGreaterThan(59_860);
    expect(video.every(({ time }) => (time - EPOCH_MS * 90) % 3000 === 0)).toBe(true);
  });
});

type LongRun = {
  readonly hours: number;
  readonly ppm: number;
  readonly fps: number;
  readonly clockOffsetMs: number;
  readonly hasReports: boolean;
  /** The sender's clock steps by so much each hour. */
  readonly stepMs: number;
  /** Our wall clock against the true time. */
  readonly wallErrorMs: (trueMs: number) => number;
};

/** Half a day of one source, unit by unit, on a broadcast clock over a wall clock. */
function longRun(options: LongRun): {
  utcMs: number;
  skewMs: number;
  slewTicks: number;
  units: number;
} {
  const { hours, ppm, fps, clockOffsetMs, hasReports, stepMs, wallErrorMs } = options;
  const speed = 1 + ppm / 1e6;
  let nowMs = 0;
  const clock = new BroadcastClock({
    wallMs: () => EPOCH_MS + nowMs + wallErrorMs(nowMs),
    monotonicMs: () => nowMs,
  });
  const timeline = new Timeline(fps === 10 ? 30 : fps);
  timeline.beginSource({ hasAudio: true });
  const most = { utcMs: 0, skewMs: 0, slewTicks: 0, units: 0 };
  const lastError = { video: 0, audio: 0 };
  let lastVideo = 0;
  // SILK, 60 ms: fewer packets for the same hours.
  const captured = new WeakMap<Uint8Array, number>();
  const take = (units: readonly StampedUnit[]): void => {
    for (const unit of units) {
      const atMs = captured.get(unit.data);
      if (atMs === undefined) {
        continue;
      }
      // Against the broadcast clock, since that is what viewers' positions are measured by.
      const errorMs =
        unit.time / (unit.kind === 'video' ? 90 : 48) - (atMs + clock.nowMs() - nowMs);
      most.units += 1;
      lastError[unit.kind] = errorMs;
      most.utcMs = Math.max(most.utcMs, Math.abs(errorMs));
      if (unit.kind === 'video') {
        const slew = lastVideo === 0 ? 0 : unit.time - lastVideo - 90_000 / fps;
        most.slewTicks = Math.max(most.slewTicks, Math.abs(slew));
        lastVideo = unit.time;
      } else {
        most.skewMs = Math.max(most.skewMs, Math.abs(errorMs - lastError.video));
      }
    }
  };
  const next = { video: 0, audio: 0, report: 450 };
  const jitter = (index: number): number => (index * 7919) % 9;
  const endMs = hours * 3_600_000;
  for (let index = 0; nowMs < endMs; index += 1) {
    const senderMs = Math.min(next.video, next.audio, next.report);
    const captureMs = senderMs / speed;
    if (senderMs === next.report) {
      const ntpMs = unixMs(
        EPOCH_MS + senderMs + clockOffsetMs + stepMs * Math.floor(senderMs / 3_600_000),
      );
      for (const kind of ['video', 'audio'] as const) {
        nowMs = captureMs + 5;
        const rtpTime = Math.round(senderMs * (kind === 'video' ? 90 : 48));
        const arrivedMs = clock.nowMs();
        take(hasReports ? timeline.senderReport({ kind, rtpTime, ntpMs, arrivedMs }) : []);
      }
      next.report += 1000 + (index % 5) * 100;
      continue;
    }
    const kind = senderMs === next.video ? 'video' : 'audio';
    const data = kind === 'video' ? Uint8Array.of(0) : Uint8Array.of(0x18, 0);
    captured.set(data, captureMs);
    nowMs = Math.max(nowMs, captureMs + (kind === 'video' ? 20 : 12) + jitter(index));
    const rtpTime = Math.round(senderMs * (kind === 'video' ? 90 : 48));
    take(timeline.push({ kind, rtpTime, arrivedMs: clock.nowMs(), data, isKeyframe: true }));
    next[kind] += kind === 'video' ? 1000 / fps : 60;
  }
  return most;
}

describe('half a day', () => {
  const usual: LongRun = {
    ...{ hours: 12, ppm: 200, fps: 10, clockOffsetMs: 0, hasReports: true, stepMs: 0 },
    wallErrorMs: () => 0,
  };
  it.each<[string, Partial<LongRun>]>([
    ['a clock that runs fast', {}],
    ['a clock that runs slow', { ppm: -200 }],
    ['a clock that is hours off and runs slow', { clockOffsetMs: 7_200_000, ppm: -200 }],
    ['no reports', { hours: 4, hasReports: false }],
    ['a clock that steps forth each hour', { hours: 4, stepMs: 180, ppm: 0 }],
    ['a clock that steps back each hour', { hours: 4, stepMs: -2_000 }],
    [
      'our system clock stepping forth',
      { hours: 3, wallErrorMs: (at) => (at > 3_600_000 ? 5000 : 0) },
    ],
    [
      'our system clock stepping back',
      { hours: 3, wallErrorMs: (at) => (at > 3_600_000 ? -5000 : 0) },
    ],
  ])('stays at UTC within 40 ms, sound on picture, with %s', (_what, different) => {
    const most = longRun({ ...usual, ...different });
    expect(most.units).toBeGreaterThan({ ...usual, ...different }.hours * 90_000);
    expect(most.utcMs).toBeLessThan(40);
    expect(most.skewMs).toBeLessThan(20);
    expect(most.slewTicks).toBeLessThanOrEqual(90);
  });
});

describe('whatever arrives', () => {
  const eventArbitrary = fc.record({
    kind: fc.constantFrom('video', 'audio'),
    what: fc.constantFrom('unit', 'unit', 'unit', 'report', 'begin', 'end'),
    waitMs: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 20_000 })),
    jump: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: -(2 ** 32), max: 2 ** 32 })),
    errorMs: fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -1e10, max: 1e10 })),
    hasAudio: fc.boolean(),
  });

  it('stamps of a track only grow and are never far in the future', () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { maxLength: 120 }), (inputs) => {
        const timeline = new Timeline();
        timeline.beginSource({ hasAudio: true });
        let nowMs = EPOCH_MS;
        const jumps = { video: 0, audio: 0 };
        const last = { video: 0, audio: 0 };
        for (const { kind, what, waitMs, jump, errorMs, hasAudio } of inputs) {
          nowMs += waitMs;
          jumps[kind as 'video'] += jump;
          const rate = kind === 'video' ? 90 : 48;
          const rtpTime = Math.round((nowMs - EPOCH_MS) * rate) + jumps[kind as 'video'];
          const arrivedMs = unixMs(nowMs);
          const units = timeline.advance(arrivedMs);
          if (what === 'begin') {
            timeline.beginSource({ hasAudio });
          } else if (what === 'end') {
            timeline.endSource();
          } else if (what === 'report') {
            const ntpMs = unixMs(nowMs + errorMs);
            units.push(...timeline.senderReport({ kind: kind, rtpTime, ntpMs, arrivedMs }));
          } else {
            const data = Uint8Array.of(0xfc, 0);
            units.push(
              ...timeline.push({
                kind: kind,
                rtpTime,
                arrivedMs,
                data,
                isKeyframe: false,
              }),
            );
          }
          for (const unit of units) {
            expect(unit.time).toBeGreaterThan(last[unit.kind]);
            last[unit.kind] = unit.time;
            expect(unit.time / (unit.kind === 'video' ? 90 : 48) - nowMs).toBeLessThan(1100);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
