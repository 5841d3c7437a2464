/**
 * Sound against picture by content, on published segments: the demo flashes a panel and beeps at
 * each UTC second; both are found in what ffmpeg decodes.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FLASH_PANEL } from '../../infra/demo/timecodeLayout.ts';
import { BoxSplitter } from '../../packager/cmaf/index.ts';

const run = promisify(execFile);
const FPS = 30;
const SAMPLE_RATE = 48_000;
/** A beep is at full level within a few samples; a tenth of full scale is far above coding noise. */
const BEEP_LEVEL = 3277;
const FLASH_LUMA = 128;
const REARM_S = 0.5;

/** A flash and the beep beside it, in ms of media time past the UTC second they belong to. */
export type SyncPoint = {
  readonly second: number;
  readonly flashMs: number;
  readonly beepMs: number;
};

/**
 * Measures over `msns` (consecutive) of a video track and the audio track `a128`.
 *
 * @param media URL of the broadcast's media, `http://…/live/demo`
 */
export async function measureSync(
  media: string,
  videoTrack: string,
  msns: readonly number[],
): Promise<SyncPoint[]> {
  const directory = await mkdtemp(join(tmpdir(), 'gs-sync-'));
  try {
    const video = await download(media, videoTrack, msns, directory);
    const audio = await download(media, 'a128', msns, directory);
    const crop = `crop=iw*${FLASH_PANEL.width}:ih*${FLASH_PANEL.height}:iw*${FLASH_PANEL.left}:ih*${FLASH_PANEL.top},scale=1:1:flags=area,format=gray`;
    const luma = await decode([
      '-i',
      video.file,
      '-vf',
      crop,
      '-fps_mode',
      'passthrough',
      '-f',
      'rawvideo',
      '-',
    ]);
    const pcm = await decode(['-i', audio.file, '-ac', '1', '-f', 's16le', '-']);
    const flashes = onsets(
      luma.length,
      1 / FPS,
      video.startS,
      (index) => (luma[index] ?? 0) > FLASH_LUMA,
    );
    const samples = new Int16Array(pcm.buffer, pcm.byteOffset, Math.floor(pcm.length / 2));
    const beeps = onsets(
      samples.length,
      1 / SAMPLE_RATE,
      audio.startS,
      (index) => Math.abs(samples[index] ?? 0) > BEEP_LEVEL,
    );
    return flashes.flatMap((flash) => {
      const second = Math.round(flash);
      const beep = beeps.find((candidate) => Math.abs(candidate - second) < REARM_S);
      return beep === undefined
        ? []
        : [{ second, flashMs: (flash - second) * 1000, beepMs: (beep - second) * 1000 }];
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function download(
  media: string,
  track: string,
  msns: readonly number[],
  directory: string,
): Promise<{ file: string; startS: number }> {
  const playlist = await (await fetch(`${media}/${track}/media.m3u8`)).text();
  const init = /EXT-X-MAP:URI="([^"]+)"/.exec(playlist)?.[1] ?? '';
  const parts = await Promise.all(
    [init, ...msns.map((msn) => `${msn}.m4s`)].map(async (name) => {
      const response = await fetch(`${media}/${track}/${name}`);
      if (!response.ok) {
        throw new Error(`${track}/${name} answers ${response.status}`);
      }
      return new Uint8Array(await response.arrayBuffer());
    }),
  );
  const file = join(directory, `${track}.mp4`);
  await writeFile(file, Buffer.concat(parts));
  return {
    file,
    startS:
      firstDecodeTime(parts[1] ?? new Uint8Array()) /
      (track.startsWith('a') ? SAMPLE_RATE : 90_000),
  };
}

function firstDecodeTime(segment: Uint8Array): number {
  const boxes = new BoxSplitter().push(segment);
  const moof = boxes.find((box) => box.type === 'moof');
  const view =
    moof === undefined
      ? undefined
      : new DataView(moof.bytes.buffer, moof.bytes.byteOffset, moof.bytes.byteLength);
  for (let at = 0; view !== undefined && at + 20 <= view.byteLength; at += 1) {
    if (view.getUint32(at) === 0x74666474) {
      return Number(view.getBigUint64(at + 8)); // tfdt version 1
    }
  }
  throw new Error('a segment without tfdt');
}

async function decode(args: readonly string[]): Promise<Buffer> {
  const { stdout } = await run('ffmpeg', ['-v', 'error', '-nostdin', ...args], {
    encoding: 'buffer',
    maxBuffer: 1 << 28,
  });
  return stdout;
}

function onsets(
  count: number,
  stepS: number,
  startS: number,
  isOn: (index: number) => boolean,
): number[] {
  const found: number[] = [];
  let last = Number.NEGATIVE_INFINITY;
  for (let index = 1; index < count; index += 1) {
    const at = startS + index * stepS;
    if (isOn(index) && !isOn(index - 1) && at - last > REARM_S) {
      found.push(at);
      last = at;
    }
  }
  return found;
}
