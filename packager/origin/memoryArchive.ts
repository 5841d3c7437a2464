/** For tests: what a disk would have of a broadcast. */
import { concatBytes } from '../cmaf/index.ts';
import type { Presentation } from '../playlists/model.ts';
import {
  type Archive,
  noArchive,
  type RestoredBroadcast,
  type RestoredSegment,
  type SegmentRecord,
} from './storage.ts';
import type { TrackHeader } from './trackHeader.ts';

type Kept = { record: SegmentRecord; chunks: Uint8Array[]; isClosed: boolean };

/**
 * An archive that keeps all in memory, as a disk would; `found` is what a restart finds there with a
 * ring of `ringSegments`.
 */
export function memoryArchive(
  ringSegments: number,
): Archive & { found: () => RestoredBroadcast; ended: Presentation[] } {
  const tracks = new Map<string, Map<number, Kept>>();
  const byTrack = new Map<string, Map<number, TrackHeader>>();
  const eras = new Map([[0, { era: 0, firstMsn: 0 }]]);
  const ended: Presentation[] = [];
  const of = (track: string): Map<number, Kept> => {
    const kept = tracks.get(track) ?? new Map<number, Kept>();
    tracks.set(track, kept);
    return kept;
  };
  return {
    ...noArchive,
    ended,
    header: (_b, track, era, header) => {
      const known = byTrack.get(track) ?? new Map<number, TrackHeader>();
      byTrack.set(track, known.set(era, header));
    },
    era: (_b, era) => eras.set(era.era, era),
    open: (_b, track, record) => of(track).set(record.msn, { record, chunks: [], isClosed: false }),
    append: (_b, track, record, chunk) => {
      const kept = of(track).get(record.msn);
      kept?.chunks.push(chunk);
      of(track).set(record.msn, { record, chunks: kept?.chunks ?? [], isClosed: false });
    },
    complete: (_b, track, record, filler) => {
      const chunks = [...(filler ?? of(track).get(record.msn)?.chunks ?? [])];
      of(track).set(record.msn, { record, chunks, isClosed: true });
    },
    end: (_b, presentation) => ended.push(presentation),
    list: (_b, track) =>
      [...of(track).values()].filter(({ isClosed }) => isClosed).map(({ record }) => record),
    found: () => ({
      eras: [...eras.values()],
      isEnded: false,
      tracks: [...tracks].map(([name, kept]) => {
        const all = [...kept.values()];
        const closed = all.filter(({ isClosed }) => isClosed);
        const whole = ({ record, chunks }: Kept): RestoredSegment => ({
          record,
          chunks: chunks.length === 0 ? [] : [concatBytes(chunks)],
        });
        const open = all.find(({ isClosed }) => !isClosed);
        return {
          name,
          headers: byTrack.get(name) ?? new Map(),
          closed: closed.slice(-ringSegments).map(whole),
          open: open === undefined ? undefined : { record: open.record, chunks: [...open.chunks] },
        };
      }),
    }),
  };
}
