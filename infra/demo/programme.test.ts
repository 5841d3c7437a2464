import { describe, expect, it } from 'vitest';
import { iceServersOf } from './iceServers.ts';
import { parseOptions } from './options.ts';
import { dueTick, tickMs } from './pacer.ts';
import { createPlanes } from './planes.ts';
import { createScene, isFlash } from './scene.ts';
import { INITIAL_STAGE } from './stage.ts';
import { decodeLuma, FLASH_PANEL, timecodeRows } from './timecodeLayout.ts';
import { CHUNK_BYTES, CHUNK_RATE, fillChunk } from './tone.ts';

const SECOND = 1_795_200_000;

describe('grid', () => {
  it.each([24, 25, 30, 50, 60, 90, 7])('has tick n due exactly at n / %i s', (rate) => {
    for (let tick = SECOND * rate; tick < SECOND * rate + 2 * rate; tick++) {
      expect(dueTick(tickMs(tick, rate), rate)).toBe(tick);
      expect(dueTick(tickMs(tick, rate) - 0.5, rate)).toBe(tick - 1);
    }
  });
});

describe('flash and beep', () => {
  it('start together at the UTC second', () => {
    const fps = 30;
    const flashes = Array.from({ length: 60 }, (_, index) => SECOND * fps + index).filter((frame) =>
      isFlash(frame, fps),
    );
    expect(flashes.map((frame) => tickMs(frame, fps) - SECOND * 1000)).toEqual(
      [0, 1, 2, 30, 31, 32].map((frame) => expect.closeTo((frame * 1000) / 30, 2) as number),
    );
    const level = (chunk: number): number => {
      const samples = Buffer.alloc(CHUNK_BYTES);
      fillChunk(SECOND * CHUNK_RATE + chunk, samples);
      return Math.max(
        ...Array.from({ length: CHUNK_BYTES / 2 }, (_, at) => samples.readInt16LE(at * 2)),
      );
    };
    // 60 ms are three chunks of 20 ms; not a sample more.
    expect([-1, 0, 1, 2, 3].map((chunk) => level(chunk) > 8000)).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(level(3)).toBe(0);
  });
});

describe('scene', () => {
  it('draws frames that show their time and flash, and leaves nothing of the last', () => {
    const [width, height, fps] = [640, 360, 30];
    const scene = createScene({ width, height, fps, facts: 'test' });
    const buffer = scene.createBuffer();
    const panelAt =
      Math.round((FLASH_PANEL.top + FLASH_PANEL.height * 0.1) * height) * width +
      Math.round((FLASH_PANEL.left + FLASH_PANEL.width * 0.1) * width);
    const { top } = timecodeRows(height);
    const show = (frame: number): { time: number | undefined; isBright: boolean } => {
      const captureMs = tickMs(frame, fps);
      scene.draw(buffer, { frame, frameCount: 1, captureMs, stage: INITIAL_STAGE, peers: 0 });
      const { bytes } = buffer.planes;
      return {
        time: decodeLuma((x, y) => bytes[y * width + x] ?? 0, width, top, height),
        isBright: (bytes[panelAt] ?? 0) > 128,
      };
    };
    const first = SECOND * fps;
    expect(show(first + 45)).toEqual({ time: SECOND * 1000 + 1500, isBright: false });
    const kept = Buffer.from(buffer.planes.bytes);
    expect(show(first)).toEqual({ time: SECOND * 1000, isBright: true });
    expect(show(first + 1)).toEqual({ time: SECOND * 1000 + 33, isBright: true });
    expect(show(first + 3)).toEqual({ time: SECOND * 1000 + 100, isBright: false });
    // The same frame over other ones is the same bytes.
    show(first + 45);
    expect(Buffer.compare(kept, buffer.planes.bytes)).toBe(0);
    expect(createPlanes(width, height).bytes.length).toBe(kept.length);
  });
});

describe('command line', () => {
  it('has the documented defaults', () => {
    expect(parseOptions([])).toMatchObject({
      url: 'ws://127.0.0.1:8888',
      id: 'demo',
      size: { width: 1280, height: 720 },
      fps: 30,
      bitrate: 5_000_000,
      codec: 'h264',
    });
  });

  it.each([
    [['--codec', 'vp8'], '--codec'],
    [['--size', '1281x720'], '--size'],
    [['--size', 'large'], '--size'],
    [['--fps', '0'], '--fps'],
    [['--url', 'http://x'], '--url'],
    [['--bitrate', 'lots'], '--bitrate'],
    [['--nonsense'], 'nonsense'],
  ])('refuses %j and names it', (args, name) => {
    expect(() => parseOptions(args)).toThrow(name);
  });
});

describe('ice servers', () => {
  it('takes STUN and TURN urls, one or many, and leaves out the rest', () => {
    expect(
      iceServersOf({
        iceServers: [
          { urls: 'stun:stun.example:19302' },
          {
            urls: ['turn:turn.example?transport=tcp', 'turns:turn.example:443'],
            username: 'u',
            credential: 'c',
          },
          { urls: ['http://nonsense', 7] },
          null,
        ],
      }),
    ).toEqual([
      'stun:stun.example:19302',
      { hostname: 'turn.example', port: 3478, username: 'u', password: 'c', relayType: 'TurnTcp' },
      { hostname: 'turn.example', port: 443, username: 'u', password: 'c', relayType: 'TurnTls' },
    ]);
    expect(iceServersOf({})).toEqual([]);
  });
});
