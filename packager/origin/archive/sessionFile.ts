/**
 * The file of one session of a broadcast (`{id}.json`), from its start to its end: which grid it has,
 * its eras, and how its tracks are described once it has ended and is a recording. Pure: text and values.
 */
import { z } from 'zod';
import { type Grid, gridSchema } from '../../../infra/kernel/grid.ts';
import type { DateRange, Presentation, TrackDescription } from '../../playlists/model.ts';
import type { DateRangeRecord, EraRecord } from '../storage.ts';

/** How a track of an ended session is described. */
export type EndedTrack = {
  readonly track: TrackDescription;
  readonly tracksByEra: ReadonlyMap<number, TrackDescription>;
};

/** What is known of a session that has ended. */
export type SessionEnd = {
  readonly endedMs: number;
  readonly tracks: readonly EndedTrack[];
  readonly dateRanges: readonly DateRange[];
};

/** See the file header. */
export type SessionFile = {
  readonly id: string;
  readonly grid: Grid | undefined;
  readonly eras: readonly EraRecord[];
  readonly end: SessionEnd | undefined;
  /** Of the broadcast, in its newest session. */
  readonly dateRanges?: DateRangeRecord | undefined;
};

const descriptionSchema = z.object({
  name: z.string(),
  kind: z.enum(['video', 'audio']),
  codecs: z.string(),
  timescale: z.int().min(1),
  bitrateBps: z.number(),
  width: z.number().optional(),
  height: z.number().optional(),
  fps: z.number().optional(),
  channels: z.number().optional(),
  sampleRate: z.number().optional(),
  measured: z.object({ peakBps: z.number(), averageBps: z.number() }).optional(),
});
const dateRangeSchema = z.object({
  id: z.string(),
  class: z.string().optional(),
  startMs: z.number(),
  endMs: z.number().optional(),
  plannedDurationMs: z.number().optional(),
  isEndOnNext: z.boolean().optional(),
  listedMs: z.number().optional(),
  attributes: z
    .record(
      z.string(),
      z.union([
        z.string(),
        z.number(),
        z
          .object({ hex: z.string() })
          .transform(({ hex }) => new Uint8Array(Buffer.from(hex, 'hex'))),
      ]),
    )
    .optional(),
});
const sessionSchema = z.object({
  id: z.string(),
  grid: gridSchema.optional(),
  eras: z.array(z.object({ era: z.int().min(0), firstMsn: z.int().min(0) })),
  end: z
    .object({
      endedMs: z.number(),
      tracks: z.array(
        z.object({
          track: descriptionSchema,
          tracksByEra: z.array(z.tuple([z.int(), descriptionSchema])),
        }),
      ),
      dateRanges: z.array(dateRangeSchema),
    })
    .optional(),
  dateRanges: z
    .object({ ranges: z.array(dateRangeSchema), usedIds: z.array(z.string()) })
    .optional(),
});

/** What an archive keeps of the presentation that a broadcast ended with. */
export function sessionEndOf(presentation: Presentation, endedMs: number): SessionEnd {
  return {
    endedMs,
    tracks: presentation.windows.map(({ track, tracksByEra }) => ({
      track,
      tracksByEra: tracksByEra ?? new Map(),
    })),
    dateRanges: presentation.dateRanges ?? [],
  };
}

/** The file's text. */
export function sessionText(session: SessionFile): string {
  return JSON.stringify(session, (_key, value: unknown) => {
    if (value instanceof Map) {
      return Array.from(value as ReadonlyMap<unknown, unknown>);
    }
    return value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value;
  });
}

/** Reads the file; undefined where it is not one. */
export function readSession(text: string): SessionFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = sessionSchema.safeParse(value).data;
  if (parsed === undefined) {
    return undefined;
  }
  const { id, grid, eras, end, dateRanges } = parsed;
  return {
    id,
    grid,
    eras,
    end:
      end === undefined
        ? undefined
        : {
            endedMs: end.endedMs,
            tracks: end.tracks.map(({ track, tracksByEra }) => ({
              track: present(track),
              tracksByEra: new Map(tracksByEra.map(([era, one]) => [era, present(one)])),
            })),
            dateRanges: end.dateRanges.map(present),
          },
    dateRanges: dateRanges && { ...dateRanges, ranges: dateRanges.ranges.map(present) },
  };
}

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** JSON has no undefined: what zod calls optional is either there or absent. */
function present<T extends object>(value: T): Present<T> {
  return value as Present<T>;
}

/** Name of a recording: the UTC instant of its first segment, `20261120t220409z`. */
export function recordingId(fromMs: number): string {
  return new Date(fromMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'z')
    .replaceAll(/[-:]/g, '')
    .toLowerCase();
}

/** The instant that `recordingId` named, to the second (Unix ms); 0 where it did not. */
export function recordingStartMs(id: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z$/.exec(id);
  const [year, month, day, hour, minute, second] = (match?.slice(1) ?? []).map(Number);
  return year === undefined ? 0 : Date.UTC(year, (month ?? 1) - 1, day, hour, minute, second);
}

/** Whether `text` has the form of `recordingId`. */
export function isRecordingId(text: string): boolean {
  return /^\d{8}t\d{6}z$/.test(text);
}
