import { describe, expect, it } from 'vitest';
import { type UnixMs, unixMs } from '../../infra/kernel/time.ts';
import { AUDIO_HEADER, VIDEO_HEADER } from '../cmaf/fixtures.ts';
import { BoxSplitter, concatBytes, parseFragment, parseInit, type Sample } from '../cmaf/index.ts';
import { renderMediaPlaylist, renderMpd } from '../playlists/index.ts';
import { audio, BROADCAST, FIRST_MSN as N, video } from './fixtures.ts';
import { LiveBroadcast } from './liveBroadcast.ts';
import type { Publisher } from './publisher.ts';
import { partChunks } from './segmentRing.ts';

const DEPTH = { windowSegments: 30, ringSegments: 45 };
const epoch = (attempt: number): { timestamp: number; attempt: number } => ({
  timestamp: 1,
  attempt,
});
/** Another header of the same track: only the brand's minor version differs. */
const OTHER_VIDEO_HEADER = VIDEO_HEADER.map((byte, index) => (index === 15 ? 1 : byte));

type Rig = {
  readonly live: LiveBroadcast;
  readonly join: (
    track: string,
    attempt: number,
    options?: { slot?: number; header?: Uint8Array },
  ) => Publisher;
  readonly both: (from: number, to: number, publishers: { v: Publisher; a: Publisher }) => void;
  readonly segments: (track: string) => string[];
};

function rig(): Rig {
  const live = new LiveBroadcast(BROADCAST, DEPTH, () => undefined);
  return {
    live,
    join(track, attempt, { slot = 0, header } = {}) {
      const bytes = header ?? (track === 'v180' ? VIDEO_HEADER : AUDIO_HEADER);
      return live.addPublisher(track, { slot, epoch: epoch(attempt) }, bytes);
    },
    both(from, to, { v, a }) {
      for (let at = from; at < to; at += 0.25) {
        live.publish('v180', v, video(at, at + 0.25));
        live.publish('a128', a, audio(at, at + 0.25));
      }
    },
    /** `0 ....` a whole segment, `1 ..xx` with two gap parts, `2 GAP`, `3 e1` of era 1. */
    segments(track) {
      return (live.track(track)?.ring.segments ?? []).map((segment) => {
        const parts = segment.parts.map(({ isGap }) => (isGap ? 'x' : '.')).join('');
        const era = segment.era === 0 ? '' : ` e${segment.era}`;
        return `${segment.msn - N} ${segment.isGap ? 'GAP' : parts}${era}`;
      });
    },
  };
}

describe('LiveBroadcast', () => {
  it('is there once every track has a whole segment, and its parts make the segment', () => {
    const { live, join, both } = rig();
    const publishers = { v: join('v180', 1), a: join('a128', 1) };
    both(N, N + 0.75, publishers);
    expect(live.presentation()).toBeUndefined();
    both(N + 0.75, N + 2.5, publishers);
    const presentation = live.presentation();
    expect(presentation?.windows.map(({ track }) => track.name)).toEqual(['v180', 'a128']);
    expect(presentation?.eras).toEqual([{ era: 0, firstMsn: 0 }]);
    expect(presentation?.windowMs).toBe(60_000);
    for (const name of ['v180', 'a128']) {
      const segment = live.track(name)!.ring.find(N + 1)!;
      const parts = segment.parts.flatMap((part) => partChunks(segment, part));
      expect(concatBytes(parts)).toEqual(concatBytes(segment.chunks));
    }
  });

  it('begins at a segment boundary and drops what overlaps', () => {
    const { live, join, segments } = rig();
    const v = join('v180', 1);
    expect(live.publish('v180', v, video(N - 0.5, N))).toBe('dropped');
    live.publish('v180', v, video(N, N + 0.5));
    expect(live.publish('v180', join('v180', 1), video(N + 0.25, N + 1))).toBe('taken');
    expect(segments('v180')).toEqual(['0 ....']);
  });

  it('lists missed segments as GAP when a broadcast comes back, with the cut segment filled', () => {
    const { live, join, both, segments } = rig();
    both(N, N + 1.5, { v: join('v180', 1), a: join('a128', 1) });
    const before = live.version;
    both(N + 4, N + 5, { v: join('v180', 2), a: join('a128', 2) });
    expect(live.version).toBeGreaterThan(before);
    const expected = ['0 ....', '1 ..xx', '2 GAP', '3 GAP', '4 ....'];
    expect(segments('v180')).toEqual(expected);
    expect(segments('a128')).toEqual(expected);
    const [, text] = renderMediaPlaylist(live.presentation()!, 'v180').split(`${N + 1}.m4s\n`);
    expect(text).toContain('#EXT-X-GAP');
  });

  it('gives a track GAP when the others are a full segment ahead', () => {
    const { live, join, both, segments } = rig();
    const atMs = (segments: number, ms = 0): UnixMs => unixMs(segments * 2000 + ms);
    const publishers = { v: join('v180', 1), a: join('a128', 1) };
    both(N, N + 1.25, publishers);
    live.publish('v180', publishers.v, video(N + 1.25, N + 2.99));
    live.giveUpOnLateTracks(atMs(N + 2.99));
    live.publish('v180', publishers.v, video(N + 2.99, N + 3));
    live.giveUpOnLateTracks(atMs(N + 3));
    live.giveUpOnLateTracks(atMs(N + 3, 499));
    expect(segments('a128').at(-1)).toBe('1 .');
    live.giveUpOnLateTracks(atMs(N + 3, 500));
    expect(segments('a128').at(-1)).toBe('1 .xxx');
    // What comes after all is too late: its name stands in the playlist as missing.
    live.publish('a128', publishers.a, audio(N + 1.25, N + 2.25));
    expect(segments('a128').slice(-2)).toEqual(['1 .xxx', '2 .']);
  });

  it('answers a gap segment for DASH with the last picture and with silence', () => {
    const { live, join, both } = rig();
    both(N, N + 1, { v: join('v180', 1), a: join('a128', 1) });
    both(N + 2, N + 3, { v: join('v180', 2), a: join('a128', 2) });
    const filled = (name: string, header: Uint8Array): Sample[] => {
      const boxes = new BoxSplitter().push(concatBytes(live.track(name)!.ring.find(N + 1)!.chunks));
      return parseFragment(boxes[1]!, boxes[2]!, parseInit(header));
    };
    const [picture, ...more] = filled('v180', VIDEO_HEADER);
    expect(more).toEqual([]);
    expect(picture).toMatchObject({ dts: (N + 1) * 180_000, duration: 180_000, isSync: true });
    expect(picture?.data).toEqual(video(N, N + 1)[0]?.data);
    expect(filled('a128', AUDIO_HEADER).map(({ dts }) => dts)).toEqual(
      audio(N + 1, N + 2).map(({ dts }) => dts),
    );
  });

  describe('follows', () => {
    it('a higher epoch from the first boundary it delivers, and fences the lower one', () => {
      const { live, join, segments } = rig();
      const old = join('v180', 1);
      live.publish('v180', old, video(N, N + 0.5));
      const young = join('v180', 2);
      expect(live.publish('v180', young, video(N + 0.5, N + 1))).toBe('dropped');
      expect(live.publish('v180', old, video(N + 0.5, N + 1))).toBe('taken');
      expect(live.publish('v180', young, video(N + 1, N + 1.5))).toBe('taken');
      expect(live.publish('v180', old, video(N + 1, N + 1.5))).toBe('fenced');
      expect(() => join('v180', 1)).toThrow(expect.objectContaining({ code: 'fenced' }));
      expect(segments('v180')).toEqual(['0 ....', '1 ..']);
    });

    it('a higher epoch that is always a little late, from the next segment on', () => {
      const { live, join } = rig();
      const old = join('v180', 1);
      const young = join('v180', 2);
      live.publish('v180', old, video(N, N + 1.1));
      expect(live.publish('v180', young, video(N + 1, N + 1.1))).toBe('dropped');
      expect(live.publish('v180', old, video(N + 1.1, N + 2))).toBe('taken');
      expect(live.publish('v180', old, video(N + 2, N + 2.1))).toBe('fenced');
      expect(live.publish('v180', young, video(N + 2, N + 2.1))).toBe('taken');
    });

    it('the other slot only when the followed one is gone', () => {
      const { live, join, segments } = rig();
      const first = join('v180', 1);
      const second = join('v180', 1, { slot: 1 });
      live.publish('v180', first, video(N, N + 0.5));
      expect(live.publish('v180', second, video(N, N + 0.5))).toBe('dropped');
      first.isGone = true;
      expect(live.publish('v180', second, video(N + 0.5, N + 1))).toBe('taken');
      expect(segments('v180')).toEqual(['0 ....']);
    });

    it('behind a hole, the next sync sample', () => {
      const { live, join, segments } = rig();
      const v = join('v180', 1);
      live.publish('v180', v, video(N, N + 0.5));
      expect(live.publish('v180', v, video(N + 0.75, N + 1))).toBe('dropped');
      expect(live.publish('v180', v, video(N + 1, N + 1.25))).toBe('taken');
      expect(segments('v180')).toEqual(['0 ..xx', '1 .']);
    });
  });

  describe('a changed header', () => {
    it('is refused from the same epoch and from the other slot', () => {
      const { live, join } = rig();
      live.publish('v180', join('v180', 1), video(N, N + 1));
      expect(() => join('v180', 1, { header: OTHER_VIDEO_HEADER })).toThrow(
        expect.objectContaining({ code: 'fenced' }),
      );
      expect(() => join('v180', 2, { header: OTHER_VIDEO_HEADER, slot: 1 })).toThrow(
        expect.objectContaining({ code: 'fenced' }),
      );
    });

    it('from a higher epoch starts an era on all tracks at one boundary', () => {
      const { live, join, both, segments } = rig();
      both(N, N + 1.5, { v: join('v180', 1), a: join('a128', 1) });
      const publishers = { v: join('v180', 2, { header: OTHER_VIDEO_HEADER }), a: join('a128', 2) };
      both(N + 1.5, N + 4, publishers);
      expect(segments('v180')).toEqual(['0 ....', '1 ..xx', '2 .... e1', '3 .... e1']);
      expect(segments('a128')).toEqual(['0 ....', '1 ..xx', '2 .... e1', '3 .... e1']);
      const [window] = live.presentation()!.windows;
      expect(window?.initUris.get(0)).not.toBe(window?.initUris.get(1));
      expect(live.presentation()?.eras).toEqual([
        { era: 0, firstMsn: 0 },
        { era: 1, firstMsn: N + 2 },
      ]);
    });

    it.each([
      ['is passed by the old one', 2.5],
      ['is reached late', 2.1],
    ])('gets the next era where its own %s', (_name, until) => {
      const { live, join } = rig();
      const old = join('v180', 1);
      live.publish('v180', old, video(N, N + 1.5));
      const young = join('v180', 2, { header: OTHER_VIDEO_HEADER });
      live.publish('v180', old, video(N + 1.5, N + until));
      live.publish('v180', young, video(Math.floor(N + until), N + until));
      live.publish('v180', old, video(N + until, N + 3.25));
      live.publish('v180', young, video(N + 3, N + 4));
      const { ring, headers } = live.track('v180')!;
      expect(ring.segments.map(({ era }) => headers.get(era)?.uri)).toEqual([
        ...Array.from({ length: 3 }, () => old.header.uri),
        young.header.uri,
      ]);
      expect(ring.segments.map(({ era }) => era)).toEqual([0, 0, 1, 2]);
      expect(ring.segments.every(({ parts }) => parts.every(({ isGap }) => !isGap))).toBe(true);
    });

    it('leaves the Period of the old one as it was', () => {
      const { join, both, live } = rig();
      const level = Buffer.from(VIDEO_HEADER).indexOf('avcC') + 7;
      const header = VIDEO_HEADER.map((byte, index) => (index === level ? 0x1f : byte));
      both(N, N + 1.5, { v: join('v180', 1), a: join('a128', 1) });
      both(N + 1.5, N + 4, { v: join('v180', 2, { header }), a: join('a128', 2) });
      const periods = renderMpd(live.presentation()!).split('<Period ').slice(1);
      expect(periods.map((text) => /avc1\.\w+/.exec(text)?.[0])).toEqual([
        'avc1.42C00D',
        'avc1.42C01F',
      ]);
    });

    it.each([
      ['audio in a video track', AUDIO_HEADER],
      ['no header', VIDEO_HEADER.slice(28)],
    ])('that is %s is refused', (_name, header) => {
      expect(() => rig().join('v180', 1, { header })).toThrow(
        expect.objectContaining({ code: 'bad_init' }),
      );
    });
  });

  it('reads differently with each part, and not where a segment only opens', () => {
    const { live, join } = rig();
    const v = join('v180', 1);
    live.publish('v180', v, video(N, N + 1));
    const { version } = live;
    live.publish('v180', v, video(N + 1, N + 1.1));
    expect(live.version).toBe(version);
    live.publish('v180', v, video(N + 1.1, N + 1.25));
    expect(live.version).toBe(version + 1);
  });

  it('keeps who stands by, however many connections say nothing behind their header', () => {
    const { live, join } = rig();
    const [one, other] = [join('v180', 1), join('v180', 1, { slot: 1 })];
    live.publish('v180', one, video(N, N + 1));
    live.publish('v180', other, video(N, N + 1));
    for (let attempt = 2; attempt < 12; attempt += 1) {
      join('v180', attempt);
    }
    live.leave('v180', one);
    live.publish('v180', other, video(N + 1, N + 2));
    expect(live.track('v180')?.frontierMsn).toBe(N + 2);
  });

  it('keeps no more than its ring', () => {
    const { live, join } = rig();
    const v = join('v180', 1);
    live.publish('v180', v, video(N, N + 60));
    expect(live.track('v180')?.ring.segments).toHaveLength(DEPTH.ringSegments);
    expect(live.track('v180')?.ring.find(N)).toBeUndefined();
    expect(live.track('v180')?.ring.find(N + 59)?.msn).toBe(N + 59);
    expect(live.presentation()?.windows[0]?.segments).toHaveLength(DEPTH.windowSegments);
  });
});
