/**
 * Ladders that are asked for: presets by name, and the rules that a new one must keep beyond what is
 * read back from Redis.
 */
import { z } from 'zod';
import { type Grid, gridFault, nearestGrid } from './grid.ts';
import { DEFAULT_LADDER, type Ladder, ladderSchema, type VideoRung } from './wire.ts';

/** Names of the presets. */
export const LADDER_PRESETS = ['720p', '1080p', '1080p60', '2160p60'] as const;

/** One preset's name. */
export type LadderPreset = (typeof LADDER_PRESETS)[number];

const audio = DEFAULT_LADDER.audio;
const FULL_HD_60: readonly VideoRung[] = [
  { name: 'v1080', width: 1920, height: 1080, bitrateBps: 8_000_000 },
  { name: 'v720', width: 1280, height: 720, bitrateBps: 4_500_000 },
  { name: 'v480', width: 854, height: 480, bitrateBps: 1_800_000 },
  { name: 'v360', width: 640, height: 360, bitrateBps: 900_000 },
];

/** Each preset's ladder and frame rate. H.264 throughout: every player has it. */
const PRESETS: Readonly<Record<LadderPreset, { readonly fps: number; readonly ladder: Ladder }>> = {
  '720p': { fps: 30, ladder: DEFAULT_LADDER },
  '1080p': {
    fps: 30,
    ladder: {
      video: [
        { name: 'v1080', width: 1920, height: 1080, bitrateBps: 5_000_000 },
        ...DEFAULT_LADDER.video,
      ],
      audio,
    },
  },
  '1080p60': { fps: 60, ladder: { video: [...FULL_HD_60], audio } },
  '2160p60': {
    fps: 60,
    ladder: {
      video: [
        { name: 'v2160', width: 3840, height: 2160, bitrateBps: 24_000_000 },
        { name: 'v1440', width: 2560, height: 1440, bitrateBps: 13_000_000 },
        ...FULL_HD_60,
      ],
      audio,
    },
  },
};

/** A ladder that is new here: names say what is in a rung (architecture §5). */
export const newLadderSchema = ladderSchema.superRefine((ladder, context) => {
  for (const message of misnamed(ladder)) {
    context.addIssue({ code: 'custom', message });
  }
});

/** A preset's name, or a ladder of one's own. */
export const ladderWishSchema = z
  .union([z.enum(LADDER_PRESETS), newLadderSchema], {
    error: `is one of ${LADDER_PRESETS.join(', ')}, or has video and audio rungs`,
  })
  .describe(`A ladder, or one of ${LADDER_PRESETS.join(', ')}.`);

/** A wished ladder. */
export type LadderWish = z.output<typeof ladderWishSchema>;

/** Ladder and frame rate of a preset. */
export function ladderPreset(name: LadderPreset): {
  readonly fps: number;
  readonly ladder: Ladder;
} {
  return PRESETS[name];
}

/**
 * The ladder of a wish, and the grid where none is wished with it: a preset has a frame rate of its
 * own, and takes the durations of `grid` where they are whole in it.
 */
export function resolveLadder(wish: LadderWish, grid: Grid): { ladder: Ladder; grid: Grid } {
  if (typeof wish !== 'string') {
    return { ladder: wish, grid };
  }
  const { fps, ladder } = PRESETS[wish];
  const paced = { ...grid, fps };
  return { ladder, grid: gridFault(paced) === undefined ? paced : nearestGrid(fps) };
}

/**
 * What is encoded of `ladder` for a source of which it is known how high its picture is: the rungs
 * that are not above it, or where all are, those of the lowest height.
 *
 * @param sourceHeight pixels; undefined where nobody has said, which leaves nothing out
 */
export function fitLadder(ladder: Ladder, sourceHeight: number | undefined): Ladder {
  const lowest = Math.min(...ladder.video.map(({ height }) => height));
  const bound = Math.max(sourceHeight ?? Infinity, lowest);
  return { ...ladder, video: ladder.video.filter(({ height }) => height <= bound) };
}

function misnamed({ video, audio: sound }: Ladder): string[] {
  const stems = [
    ...video.map(({ name, height, codec = 'h264' }) => ({
      ...{ name, stem: codec === 'h264' ? `v${height}` : `v${height}-${codec}` },
    })),
    ...sound.map(({ name, bitrateBps }) => ({ name, stem: `a${Math.round(bitrateBps / 1000)}` })),
  ];
  return stems
    .filter(({ name, stem }) => !new RegExp(`^${stem}(-\\d{1,2})?$`).test(name))
    .map(({ name, stem }) => `rung ${name} must be named ${stem}, or ${stem}-2 and so on`);
}
