/** Watches media on its way, with the time at which each picture came: the feed, and what is published. */
import {
  BoxSplitter,
  parseFragment,
  parseInit,
  type TrackInit,
} from '../../packager/cmaf/index.ts';

/** A picture of the feed. */
export type FeedPicture = {
  /** Its stamp (Unix ms). */
  readonly stampMs: number;
  readonly arrivedMs: number;
  readonly isKeyframe: boolean;
};

/** A published picture. */
export type PublishedPicture = { readonly stampMs: number; readonly arrivedMs: number };

const ID = {
  segment: 0x18538067,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
} as const;
const UNKNOWN_SIZE = 2 ** 56 - 1;

/** Reads the feed until `signal` aborts; the pictures that have come so far. */
export function watchFeed(url: string, token: string, signal: AbortSignal): readonly FeedPicture[] {
  const pictures: FeedPicture[] = [];
  const read = async (): Promise<void> => {
    const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, signal });
    let rest = Buffer.alloc(0);
    let clusterMs = 0;
    for await (const slice of response.body ?? []) {
      rest = Buffer.concat([rest, slice]);
      for (let element = elementAt(rest); element !== undefined; element = elementAt(rest)) {
        const { id, start, end } = element;
        if (id === ID.timestamp) {
          clusterMs = rest.readUIntBE(start, end - start) / 10;
        } else if (id === ID.simpleBlock && rest[start] === 0x81) {
          const stampMs = clusterMs + rest.readInt16BE(start + 1) / 10;
          const isKeyframe = ((rest[start + 3] ?? 0) & 0x80) !== 0;
          pictures.push({ stampMs, arrivedMs: Date.now(), isKeyframe });
        }
        rest = rest.subarray(end);
      }
    }
  };
  void read().catch(() => undefined); // aborted, or the gateway is gone: what came stays
  return pictures;
}

/** The next whole element; masters that never end are entered. */
function elementAt(bytes: Buffer): { id: number; start: number; end: number } | undefined {
  const idBytes = Math.clz32(bytes[0] ?? 0) - 23;
  const sizeBytes = Math.clz32(bytes[idBytes] ?? 0) - 23;
  const start = idBytes + sizeBytes;
  if (bytes.length < start || bytes.length < 2) {
    return undefined;
  }
  const id = bytes.readUIntBE(0, idBytes);
  let size = (bytes[idBytes] ?? 0) & (0xff >> sizeBytes);
  for (let at = idBytes + 1; at < start; at += 1) {
    size = size * 256 + (bytes[at] ?? 0);
  }
  if (size === UNKNOWN_SIZE || id === ID.segment || id === ID.cluster) {
    return { id, start, end: start };
  }
  return bytes.length < start + size ? undefined : { id, start, end: start + size };
}

/**
 * Follows a track as a DASH player does, segment after segment while they grow.
 *
 * @param track URL of the track, `http://…/live/demo/v360`
 * @param fromMsn first segment
 */
export function watchPublished(
  track: string,
  fromMsn: number,
  signal: AbortSignal,
): readonly PublishedPicture[] {
  const pictures: PublishedPicture[] = [];
  const read = async (): Promise<void> => {
    const playlist = await (await fetch(`${track}/media.m3u8`, { signal })).text();
    const name = /EXT-X-MAP:URI="([^"]+)"/.exec(playlist)?.[1] ?? '';
    const header = new Uint8Array(
      await (await fetch(`${track}/${name}`, { signal })).arrayBuffer(),
    );
    const init = parseInit(header);
    for (let msn = fromMsn; !signal.aborted; msn += 1) {
      const response = await fetch(`${track}/${msn}.m4s`, { signal });
      if (response.ok) {
        await readSegment(response, init, pictures);
      }
    }
  };
  void read().catch(() => undefined);
  return pictures;
}

async function readSegment(
  response: Response,
  init: TrackInit,
  pictures: PublishedPicture[],
): Promise<void> {
  const splitter = new BoxSplitter();
  let moof: ReturnType<BoxSplitter['push']>[number] | undefined;
  for await (const slice of response.body ?? []) {
    for (const box of splitter.push(slice as Uint8Array)) {
      if (box.type === 'mdat' && moof !== undefined) {
        for (const sample of parseFragment(moof, box, init)) {
          pictures.push({ stampMs: (sample.dts * 1000) / init.timescale, arrivedMs: Date.now() });
        }
      }
      moof = box.type === 'moof' ? box : moof;
    }
  }
}
