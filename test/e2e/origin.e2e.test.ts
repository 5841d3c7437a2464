/**
 * What only time and faults show of the origin, on a real gateway with the demo at one rung: the
 * window slides, the gateway is killed and comes back under playing pages, the broadcast ends and
 * stays as a recording. The tests are one story and run in their order.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { followPlaylist, type FollowReport } from '../conformance/followPlaylist.ts';
import { lintCmaf } from '../conformance/lintCmaf.ts';
import { lintMediaPlaylist } from '../conformance/lintMediaPlaylist.ts';
import { validateMpd } from '../conformance/mpdSchema.ts';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import {
  dashSegmentUrl,
  getBytes,
  getPlaylist,
  getText,
  playlistsOf,
} from '../support/delivery.ts';
import { freePorts, type GatewayProcess, startGatewayProcess } from '../support/gatewayProcess.ts';
import { getHttp2, makeCertificate } from '../support/http2.ts';
import { until } from '../support/until.ts';
import { untilPlaying, type WatchStats, watchStats } from '../support/watchPage.ts';

const run = promisify(execFile);
const LIVE_MS = 40_000;
const TRACKS = ['v360', 'a128'];
/** Segments that the live window of this test lists. */
const WINDOW_SEGMENTS = 6;
const SEGMENT_S = 2;
/** Longest that a killed gateway may need to be back with pictures on this machine. */
const OUTAGE_MS = 30_000;

let started: GatewayProcess | undefined;
let gateway: GatewayProcess;
let browser: TestBrowser | undefined;
let live = '';
let secureMedia = '';
let certificate: Awaited<ReturnType<typeof makeCertificate>> | undefined;
const pages = new Map<string, Page>();

beforeAll(async () => {
  certificate = await makeCertificate();
  const [secure = 0, media = 0] = await freePorts(2);
  secureMedia = `https://127.0.0.1:${media}/live/demo`;
  started = await startGatewayProcess({
    isDemo: true,
    environment: {
      GRANDSTAND_BROADCAST_LADDER_VIDEO:
        '[{"name":"v360","width":640,"height":360,"bitrateBps":700000}]',
      GRANDSTAND_BROADCAST_LADDER_AUDIO: '[{"name":"a128","bitrateBps":128000}]',
      GRANDSTAND_ORIGIN_WINDOW_MS: String(WINDOW_SEGMENTS * SEGMENT_S * 1000),
      GRANDSTAND_ORIGIN_RING_MS: '30000',
      GRANDSTAND_HTTP_LIMITS_HEADERS_TIMEOUT_MS: '2000',
      GRANDSTAND_TLS_CERTIFICATE_FILE: certificate.certificateFile,
      GRANDSTAND_TLS_KEY_FILE: certificate.keyFile,
      GRANDSTAND_TLS_LISTEN: `127.0.0.1:${secure}`,
      GRANDSTAND_TLS_MEDIA_LISTEN: `127.0.0.1:${media}`,
    },
  });
  gateway = started;
  live = `${gateway.url}/live/demo`;
  browser = await launchBrowser();
  await gateway.untilLive('demo', LIVE_MS);
  await until('the window is full', LIVE_MS, async () => {
    return (await getPlaylist(`${live}/v360/media.m3u8`)).segments.length >= WINDOW_SEGMENTS;
  });
});

afterAll(async () => {
  try {
    await browser?.close('done');
  } finally {
    await started?.stop();
    await rm(certificate?.directory ?? '', { recursive: true, force: true });
  }
});

it('[T12 T18 H14 H15] answers a blocking reload over HTTP/2 with all that AVPlayer insists on', async () => {
  const { open, segments } = await getPlaylist(`${live}/v360/media.m3u8`);
  const msn = (open ?? segments.at(-1)!).msn + 1;
  const url = `${secureMedia}/v360/media.m3u8?_HLS_msn=${msn}&_HLS_part=0`;
  const { headers, body } = await getHttp2(url, certificate?.certificateFile ?? '', {
    'accept-encoding': 'gzip',
  });
  expect(headers[':status']).toBe(200);
  expect(headers['content-encoding']).toBe('gzip');
  const text = gunzipSync(body).toString();
  expect(lintMediaPlaylist(text)).toEqual([]);
  for (const tag of ['PROGRAM-DATE-TIME', 'PRELOAD-HINT', 'RENDITION-REPORT', 'PART']) {
    expect(text).toContain(`#EXT-X-${tag}:`);
  }
  expect(text).toContain('CAN-BLOCK-RELOAD=YES');
});

it('[T14 T15 V16 B24] lists relative URLs that answer without a redirect, whatever host is asked for', async () => {
  const { media, iframes } = await playlistsOf(`${live}/main.m3u8`);
  for (const url of [`${live}/main.m3u8`, `${live}/manifest.mpd`, ...media, ...iframes]) {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Proto': 'gopher' },
    });
    expect(answer.status, url).toBe(200);
    const text = await answer.text();
    expect(text).not.toContain('evil.test');
    expect(text).not.toContain('EXT-X-DEFINE');
    // Names of schemas and the clock apart, nothing says a host.
    expect(text.replaceAll(/(xmlns|profiles|schemeIdUri)="[^"]*"/g, '')).not.toMatch(/https?:/);
  }
  expect([...media, ...iframes].every((url) => url.startsWith(live))).toBe(true);
});

it('[B10 B21] closes slow and oversized requests while others are served as ever', async () => {
  const { hostname, port } = new URL(gateway.url);
  const closed = Array.from({ length: 100 }, async () => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.on('data', () => undefined);
    const drip = setInterval(() => socket.write('x'), 200);
    socket.write('GET /live/demo/main.m3u8 HTTP/1.1\r\nHost: a\r\nX-Slow: ');
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(drip);
  });
  const { faults } = await followPlaylist(`${live}/v360/media.m3u8`, 4);
  expect(faults).toEqual([]);
  await Promise.all(closed);
  const huge = await fetch(`${live}/main.m3u8`, { headers: { 'X-Huge': 'x'.repeat(65_536) } });
  expect(huge.status).toBe(431);
});

it('[M01 M20] has MPDs that the MPEG schema accepts, of the window and of all that is kept', async () => {
  for (const manifest of ['manifest.mpd', 'dvr.mpd']) {
    const mpd = await getText(`${live}/${manifest}`);
    expect(await validateMpd(mpd)).toEqual([]);
    expect(mpd).not.toMatch(/"P\d+[YM]/);
  }
});

it('[H10 C1 C2 C4 C5] has segments of CMAF without a gap, each its parts joined', async () => {
  for (const track of TRACKS) {
    const { segments } = await getPlaylist(`${live}/${track}/media.m3u8`);
    const whole = segments.filter(({ isGap }) => !isGap).slice(-4);
    const bytes = await Promise.all(
      whole.map(({ uri = '' }) => getBytes(`${live}/${track}/${uri}`)),
    );
    const init = await getBytes(`${live}/${track}/${whole[0]?.mapUri ?? ''}`);
    expect(lintCmaf(init, bytes)).toEqual([]);
    for (const [index, { parts }] of whole.entries()) {
      const joined = await Promise.all(parts.map(({ uri }) => getBytes(`${live}/${track}/${uri}`)));
      expect(parts.length === 0 || Buffer.concat(joined).equals(bytes[index]!)).toBe(true);
    }
  }
});

it('gives DASH and HLS the same segments under the same URLs', async () => {
  for (const track of TRACKS) {
    const { segments } = await getPlaylist(`${live}/${track}/media.m3u8`);
    const { msn, uri = '' } = segments.at(-1)!;
    const url = await dashSegmentUrl(`${live}/manifest.mpd`, track, msn);
    expect(url).toBe(`${live}/${track}/${uri}`);
    expect((await getBytes(url)).length).toBeGreaterThan(1000);
  }
});

it('[V13] has I-frame playlists whose byte ranges are pictures', async () => {
  const { iframes } = await playlistsOf(`${live}/main.m3u8`);
  expect(iframes).toEqual([`${live}/v360/iframes.m3u8`]);
  const text = await getText(iframes[0]!);
  expect(lintMediaPlaylist(text)).toEqual([]);
  const playlist = await getPlaylist(iframes[0]!);
  expect(playlist.isIframesOnly).toBe(true);
  const { uri = '', byteRange = '' } = playlist.segments.findLast(({ isGap }) => !isGap)!;
  const [length = 0, offset = 0] = byteRange.split('@').map(Number);
  const url = new URL(uri, iframes[0]).href;
  const answer = await fetch(url, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
  expect(answer.status).toBe(206);
  const picture = Buffer.from(await answer.arrayBuffer());
  expect(picture.length).toBe(length);
  expect(picture.equals((await getBytes(url)).subarray(offset, offset + length))).toBe(true);
  expect(picture.includes('moof') && picture.includes('mdat')).toBe(true);
});

it('[V03 V04] says the bandwidth that its segments have', async () => {
  const said = /BANDWIDTH=(\d+),AVERAGE-BANDWIDTH=(\d+)/.exec(await getText(`${live}/main.m3u8`));
  const measured = { peak: 0, average: 0 };
  for (const track of TRACKS) {
    const { segments } = await getPlaylist(`${live}/${track}/media.m3u8`);
    const whole = segments.filter(({ isGap }) => !isGap);
    const rates = await Promise.all(
      whole.map(async ({ uri = '', duration = 1 }) => {
        return ((await getBytes(`${live}/${track}/${uri}`)).length * 8) / duration;
      }),
    );
    measured.peak += Math.max(...rates);
    measured.average += rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  }
  expect(measured.peak).toBeLessThan(1.25 * Number(said?.[1]));
  expect(measured.average).toBeLessThan(1.1 * Number(said?.[2]));
});

it('plays in both players', async () => {
  for (const player of ['hls', 'dash']) {
    const page = await browser!.context.newPage();
    await page.goto(`${gateway.url}/watch/demo?player=${player}&level=v360`);
    await untilPlaying(page);
    // A page that is loaded anew has forgotten it.
    await page.evaluate('window.wasHereBefore = true');
    pages.set(player, page);
  }
});

it('[U01 U02 U03 U04 U05 H13 H17 H18 R02 R09 C8 B29] is followed without a fault while its window slides and while the gateway is killed and comes back; both players play on', async () => {
  const firstMsn = (await getPlaylist(`${live}/v360/media.m3u8`)).mediaSequence;
  const playlists = TRACKS.flatMap((track) => [
    `${live}/${track}/media.m3u8`,
    `${live}/${track}/dvr.m3u8`,
  ]);
  const following = Promise.all(
    playlists.map((url) => followPlaylist(url, 32, undefined, { outageMs: OUTAGE_MS })),
  );
  const before = await until('the window has slid', 20_000, async () => {
    const now = await getPlaylist(`${live}/v360/media.m3u8`);
    return now.mediaSequence >= firstMsn + 4 ? now : undefined;
  });
  expect(before.segments.length).toBeGreaterThanOrEqual(WINDOW_SEGMENTS);
  const played = await Promise.all(
    [...pages.values()].map(async (page) => [page, await watchStats(page)] as const),
  );

  const killedMs = performance.now();
  await gateway.killAndRestart();
  // What was published is there before its publisher is.
  const after = await getPlaylist(`${live}/v360/media.m3u8`);
  expect(after.mediaSequence).toBeGreaterThanOrEqual(before.mediaSequence);
  expect(after.discontinuitySequence).toBeGreaterThanOrEqual(before.discontinuitySequence);
  const lastMsn = before.segments.at(-1)?.msn ?? 0;
  await until('new segments are published', OUTAGE_MS, async () => {
    const { segments } = await getPlaylist(`${live}/v360/media.m3u8`);
    return segments.some(({ msn, isGap }) => msn > lastMsn + 1 && !isGap);
  });
  const outageMs = performance.now() - killedMs;

  for (const [page, stats] of played) {
    const now = await until(`${stats.player} plays on`, OUTAGE_MS, async () => {
      const each = await watchStats(page);
      return each.currentTimeUnixMs > stats.currentTimeUnixMs + outageMs ? each : undefined;
    });
    expect(await page.evaluate('window.wasHereBefore')).toBe(true);
    expect(now.stalledMs - stats.stalledMs).toBeLessThanOrEqual(outageMs + 1000);
  }
  const reports: readonly FollowReport[] = await following;
  expect(reports.map(({ faults }) => faults)).toEqual(playlists.map(() => []));
  expect(reports.map(({ updates }) => updates > 20)).toEqual(playlists.map(() => true));
  expect(
    reports.reduce((sum, { unchangedSegments }) => sum + unchangedSegments, 0),
  ).toBeGreaterThan(0);
  // Only what reaches further back than six target durations has something to skip.
  expect(reports.some(({ deltas }) => deltas > 0)).toBe(true);
  expect(await validateMpd(await getText(`${live}/manifest.mpd`))).toEqual([]);
  expect(await validateMpd(await getText(`${live}/dvr.mpd`))).toEqual([]);
});

it('is rewound past the live window and brought back, in both players', async () => {
  const rewind = async ([player, page]: [string, Page]): Promise<void> => {
    const before = await watchStats(page);
    // Before the gateway was killed: what comes next is on disk, then a gap.
    await page.evaluate('window.grandstand.seekBack(35)');
    const back = await untilPage(page, `${player} plays 35 s ago`, (now) => {
      return (now.latencyMs ?? 0) - (before.latencyMs ?? 0) > 28_000 && now.bufferS > 0;
    });
    await untilPage(page, `${player} moves there`, (now) => {
      return now.currentTimeUnixMs > back.currentTimeUnixMs + 1500;
    });
    await page.evaluate('window.grandstand.goLive()');
    const again = await untilPage(page, `${player} is live again`, (now) => {
      return (now.latencyMs ?? Infinity) < 8000 && now.bufferS > 0;
    });
    await untilPage(page, `${player} moves on there`, (now) => {
      return now.currentTimeUnixMs > again.currentTimeUnixMs + 1500;
    });
  };
  await Promise.all([...pages].map(rewind));
});

it('[U06 R08 H13 M17] ends: ENDLIST in every playlist, static MPDs, directives ignored, both players at the end', async () => {
  const { media } = await playlistsOf(`${live}/main.m3u8`);
  const mpdBefore = await getText(`${live}/manifest.mpd`);
  const { open, segments } = await getPlaylist(media[0]!);
  const next = (open ?? segments.at(-1)!).msn + 2;
  const held = fetch(`${media[0]!}?_HLS_msn=${next}`);
  const stopped = await fetch(`${gateway.url}/api/v1/broadcasts/demo/stop`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${gateway.internalToken}`,
      'Content-Type': 'application/json',
    },
  });
  expect(stopped.status, await stopped.text()).toBeLessThan(300);
  await until('the playlists end', 10_000, async () => {
    const all = await Promise.all(media.map((url) => getPlaylist(url)));
    return all.every(({ hasEnd }) => hasEnd);
  });
  expect((await held).status).toBe(200);
  for (const url of media) {
    const dvr = url.replace('media.m3u8', 'dvr.m3u8');
    expect([
      ...lintMediaPlaylist(await getText(url)),
      ...lintMediaPlaylist(await getText(dvr)),
    ]).toEqual([]);
    expect((await getPlaylist(dvr)).hasEnd).toBe(true);
    const ignored = await getText(`${url}?_HLS_msn=${next + 100}&_HLS_part=0&_HLS_skip=YES`);
    expect(ignored).toBe(await getText(url));
  }
  for (const manifest of ['manifest.mpd', 'dvr.mpd']) {
    const mpd = await getText(`${live}/${manifest}`);
    expect(await validateMpd(mpd)).toEqual([]);
    expect(mpd).toMatch(/<MPD [^>]*type="static"/);
    expect(mpd).toMatch(/mediaPresentationDuration="PT[\d.]+S"/);
    expect(mpd).not.toMatch(/minimumUpdatePeriod|timeShiftBufferDepth|availabilityTimeOffset/);
    for (const [id] of mpdBefore.matchAll(/<Representation id="[^"]+"/g)) {
      expect(mpd).toContain(id);
    }
  }
  for (const [player, page] of pages) {
    await untilPage(page, `${player} is at the end`, ({ hasEnded }) => hasEnded === true);
    await page.close();
  }
});

it('stays as a recording that is read from its first to its last frame', async () => {
  const answer: unknown = await (
    await fetch(`${gateway.url}/api/v1/broadcasts/demo/recordings`)
  ).json();
  const id = /"id":"([^"]+)"/.exec(JSON.stringify(answer))?.[1] ?? '';
  const vod = `${gateway.url}/vod/demo/${id}`;
  const { media, iframes } = await playlistsOf(`${vod}/main.m3u8`);
  let seconds = 0;
  for (const url of [...media, ...iframes]) {
    expect(lintMediaPlaylist(await getText(url))).toEqual([]);
    const playlist = await getPlaylist(url);
    expect([playlist.type, playlist.hasEnd]).toEqual(['VOD', true]);
    seconds = playlist.segments.reduce((sum, { duration = 0 }) => sum + duration, 0);
    const first = playlist.segments.find(({ isGap }) => !isGap)!;
    expect((await getBytes(new URL(first.uri ?? '', url).href)).length).toBeGreaterThan(500);
  }
  expect(seconds).toBeGreaterThan(20);
  const mpd = await getText(`${vod}/manifest.mpd`);
  expect(await validateMpd(mpd)).toEqual([]);
  expect(mpd).toMatch(/<MPD [^>]*type="static"/);
  const { stdout } = await run(
    'ffmpeg',
    ['-v', 'error', '-i', `${vod}/main.m3u8`, '-map', '0:v:0', '-c', 'copy', '-f', 'framecrc', '-'],
    { timeout: 60_000, maxBuffer: 16 << 20 },
  );
  expect(stdout.split('\n').filter((line) => /^0,/.test(line)).length).toBeGreaterThan(300);
});

/** Waits until the page's measurements satisfy; tells them where they never do. */
async function untilPage(
  page: Page,
  what: string,
  holds: (stats: WatchStats) => boolean,
): Promise<WatchStats> {
  let last: WatchStats | undefined;
  return until(what, 30_000, async () => {
    last = await watchStats(page);
    return holds(last) ? last : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${what}: never, but ${JSON.stringify(last)}`, { cause: error });
  });
}
