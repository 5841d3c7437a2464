/** The command line of the demo, parsed into frozen options. Pure. */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { errorText, GatewayError } from '../kernel/errors.ts';

const optionsSchema = z.strictObject({
  url: z
    .url({ protocol: /^wss?$/ })
    .default('ws://127.0.0.1:8888')
    .describe('Signalling server, its streamer side.'),
  id: z.string().min(1).max(256).default('demo').describe('Streamer id to ask for.'),
  size: z
    .string()
    .regex(/^\d{2,4}x\d{2,4}$/, 'must be WIDTHxHEIGHT')
    .default('1280x720')
    .transform((text) => {
      const [width = 0, height = 0] = text.split('x').map(Number);
      return { width, height };
    })
    .refine(
      ({ width, height }) =>
        width % 2 === 0 && height % 2 === 0 && width >= 320 && width <= 3840 && height >= 180,
      'must be even, 320x180 to 3840 wide',
    )
    .describe('Size of the picture in pixels.'),
  fps: z.coerce.number().int().min(5).max(120).default(30).describe('Frames per second.'),
  bitrate: z.coerce
    .number()
    .int()
    .min(100_000)
    .max(100_000_000)
    .default(5_000_000)
    .describe('Video bitrate (bit/s), constant.'),
  codec: z.literal('h264', 'must be h264: the demo sends nothing else').default('h264'),
  logFormat: z.enum(['pretty', 'json']).optional(),
  withParent: z.boolean().default(false).describe('End when the process that started it is gone.'),
});

/** Options of a demo process. */
export type DemoOptions = Readonly<z.output<typeof optionsSchema>>;

/** @throws GatewayError `bad_config` that names every fault */
export function parseOptions(args: readonly string[]): DemoOptions {
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        id: { type: 'string' },
        size: { type: 'string' },
        fps: { type: 'string' },
        bitrate: { type: 'string' },
        codec: { type: 'string' },
        'log-format': { type: 'string' },
        'with-parent': { type: 'boolean' },
      },
    }));
  } catch (error) {
    throw new GatewayError('bad_config', errorText(error), { cause: error });
  }
  const named = Object.entries(values).map(([name, value]) => [
    name.replaceAll(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
    value,
  ]);
  const result = optionsSchema.safeParse(Object.fromEntries(named));
  if (!result.success) {
    const faults = result.error.issues.map(
      (issue) =>
        `--${issue.path.join('.')}: ${issue.message} (got ${JSON.stringify(values[String(issue.path[0])])})`,
    );
    throw new GatewayError('bad_config', faults.join('\n'));
  }
  return result.data;
}
