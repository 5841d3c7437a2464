/** Which era a segment is in: what was agreed on with other origins, and what is here already. */
import { describe, expect, it } from 'vitest';
import type { Agreement } from '../../infra/kernel/directory.ts';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { renderMpd } from '../playlists/index.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import { type Archive, noArchive, type SegmentRecord } from './storage.ts';
import type { Publisher } from './publisher.ts';

const OTHER_HEADER = VIDEO_HEADER.map((byte, index) => (index === 15 ? 1 : byte));
const STEP = 0.25;

/** An origin and what it agreed on: answers about eras wait for the test where it says so. */
class Origin {
  readonly live: LiveBroadcast;
  /** What is agreed on, as Redis has it. */
  readonly held: Map<string, string>;
  /** Of the picture: the header that each complete segment was kept with. */
  readonly initUris = new Map<number, string>();
  isHeld = false;
  #nowMs = N * 2000;
  readonly #waiting: (() => void)[] = [];

  constructor(held = new Map<string, string>()) {
    this.held = held;
    const agreement: Agreement = {
      claim: (key, value) => {
        const answer = held.get(key) ?? value;
        held.set(key, answer);
        return this.isHeld && key.startsWith('era:')
          ? new Promise((resolve) => {
              this.#waiting.push(() => {
                resolve(answer);
              });
            })
          : Promise.resolve(answer);
      },
      claims: () => Promise.resolve(new Map()),
    };
    const archive: Archive = {
      ...noArchive,
      complete: (_broadcast, track, { msn, initUri }: SegmentRecord) => {
        if (track === 'v180') {
          this.initUris.set(msn - N, initUri);
        }
      },
    };
    const depth = { windowSegments: 12, ringSegments: 15 };
    this.live = new LiveBroadcast(BROADCAST, depth, () => undefined, {
      agreement,
      archive,
      nowMs: (): UnixMs => unixMs(this.#nowMs),
    });
  }

  join(name: string, attempt = 1, header?: Uint8Array, slot = 0): Publisher {
    const bytes = header ?? (name === 'v180' ? VIDEO_HEADER : AUDIO_HEADER);
    return this.live.addPublisher(name, { slot, epoch: { timestamp: 1, attempt } }, bytes);
  }

  /** What each of `publishers` makes of segments `from` up to `to`, in small steps by turns. */
  async send(from: number, to: number, publishers: readonly Publisher[]): Promise<void> {
    for (let at = from; at < to; at += STEP) {
      this.#nowMs = (N + at) * 2000;
      for (const publisher of publishers) {
        const [name, make] =
          publisher.header.init.kind === 'video' ? ['v180', video] : ['a128', audio];
        this.live.publish(name, publisher, make(N + at, N + at + STEP));
      }
      await settled();
    }
  }

  async answer(): Promise<void> {
    for (const resolve of this.#waiting.splice(0)) {
      resolve();
    }
    await settled();
  }

  get eras(): readonly (readonly [number, number])[] {
    return this.live.presentation()!.eras.map(({ era, firstMsn }) => [era, firstMsn - N] as const);
  }

  /** Segments of a track with the era that they were made in; `!` where Periods say another. */
  segments(name: string): string[] {
    const { eras, windows } = this.live.presentation()!;
    const window = windows.find(({ track }) => track.name === name);
    return window!.segments.map(({ msn, era }) => {
      const told = eras.findLast(({ firstMsn }) => firstMsn <= msn)?.era;
      return `${msn - N} e${era}${told === era ? '' : '!'}`;
    });
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) {
    await Promise.resolve();
  }
}

describe('a header that changes', () => {
  it('[M03 H18] begins no earlier than now, whatever another origin had that era for', async () => {
    const origin = new Origin();
    const [a, v] = [origin.join('a128'), origin.join('v180')];
    await origin.send(0, 5, [a, v]);
    origin.held.set('era:demo:1', String(N + 1));
    const [before] = /<Period[^]*<\/Period>/.exec(renderMpd(origin.live.presentation()!)) ?? [];
    const next = origin.join('v180', 2, OTHER_HEADER);
    await settled();
    await origin.send(5, 8, [a, next]);
    expect(origin.segments('v180')).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((msn) => `${msn} e${msn < 5 ? 0 : 1}`),
    );
    expect(origin.segments('a128')).toEqual(origin.segments('v180'));
    expect(renderMpd(origin.live.presentation()!)).toContain(before);
  });

  it.each([
    ['is gone', []],
    ['goes on', ['v180']],
  ])(
    '[M03 H18] leaves an open segment to the header it has, where its publisher %s',
    async (_name, stays) => {
      const origin = new Origin();
      const [a, v] = [origin.join('a128'), origin.join('v180')];
      await origin.send(0, 3.25, [a, v]);
      if (stays.length === 0) {
        origin.live.leave('v180', v);
      }
      // The other origin has nothing of segment 3 yet.
      origin.held.set('era:demo:1', String(N + 3));
      const next = origin.join('v180', 2, OTHER_HEADER);
      await settled();
      await origin.send(3.25, 6, [a, next, ...(stays.length === 0 ? [] : [v])]);
      expect(origin.segments('v180')).toEqual(['0 e0', '1 e0', '2 e0', '3 e0', '4 e1', '5 e1']);
      expect(origin.eras).toEqual([
        [0, -N],
        [1, 4],
      ]);
      expect(origin.initUris.get(3)).toBe(v.header.uri);
      expect(origin.initUris.get(4)).toBe(next.header.uri);
    },
  );
});

describe('a track that comes late, while its era is agreed on', () => {
  async function shown(): Promise<{ origin: Origin; v: Publisher }> {
    const origin = new Origin();
    const v = origin.join('v180');
    await origin.send(0, 4.5, [v]);
    expect(origin.live.presentation()?.windows).toHaveLength(1);
    origin.isHeld = true;
    return { origin, v };
  }

  it.each([
    ['its connection comes again', 0],
    ['its other slot comes', 1],
  ])('[M03] begins with that era where %s before the answer', async (_name, slot) => {
    const { origin, v } = await shown();
    const first = origin.join('a128');
    if (slot === 0) {
      origin.live.leave('a128', first);
    }
    const a = origin.join('a128', 1, undefined, slot);
    await origin.send(4.5, 6.5, [v, a]);
    expect(origin.live.track('a128')?.ring.segments).toEqual([]);
    await origin.answer();
    await origin.send(6.5, 9, [v, a]);
    expect(origin.segments('a128')).toEqual(['7 e1', '8 e1']);
    expect(origin.eras.at(-1)).toEqual([1, 7]);
  });

  it('[M03] does not take what the session before was answered', async () => {
    const { origin, v } = await shown();
    origin.join('a128');
    origin.live.end();
    origin.live.start();
    const again = origin.join('v180', 2);
    await origin.send(5, 9, [again]);
    expect(origin.live.publish('v180', v, video(N + 9, N + 10))).toBe('fenced');
    expect(origin.live.presentation()?.windows).toHaveLength(1);
    const a = origin.join('a128', 2);
    await origin.answer();
    await origin.send(9, 12, [again, a]);
    expect(origin.segments('a128')).toEqual(['9 e2', '10 e2', '11 e2']);
    expect(origin.segments('v180').slice(-4)).toEqual(['8 e1', '9 e2', '10 e2', '11 e2']);
  });
});

describe('another session', () => {
  it.each([
    ['where the other origin begins it', false, 5],
    ['where its first bytes are, if the answer is late', true, 4],
  ])('[U02 H18] begins %s', async (_name, isHeld, firstMsn) => {
    const origin = new Origin();
    await origin.send(0, 4, [origin.join('a128'), origin.join('v180')]);
    origin.live.end();
    origin.held.set('era:demo:1', String(N + 5));
    origin.isHeld = isHeld;
    origin.live.start();
    await settled();
    const publishers = [origin.join('a128', 2), origin.join('v180', 2)];
    await origin.send(4, 4.5, publishers);
    await origin.answer();
    await origin.send(4.5, 8, publishers);
    const made = [4, 5, 6, 7].filter((msn) => msn >= firstMsn).map((msn) => `${msn} e1`);
    expect(origin.segments('v180')).toEqual(made);
    expect(origin.eras).toEqual([[1, firstMsn]]);
  });
});

it('[M03] a track that comes late opens an era at all origins, whoever of them has viewers', async () => {
  const held = new Map<string, string>();
  const [watched, idle] = [new Origin(held), new Origin(held)];
  for (const origin of [watched, idle]) {
    const v = origin.join('v180');
    await origin.send(0, 4.5, [v]);
    if (origin === watched) {
      expect(origin.live.presentation()).toBeDefined();
    }
    const a = origin.join('a128');
    await settled();
    await origin.send(4.5, 7, [v, a]);
  }
  expect(idle.segments('v180')).toEqual(watched.segments('v180'));
  expect(idle.segments('a128')).toEqual(watched.segments('a128'));
  expect(idle.eras).toEqual(watched.eras);
});
