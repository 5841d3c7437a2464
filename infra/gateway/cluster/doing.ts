/** What a process of a cluster works on, told from what it logs. Pure. */
import { z } from 'zod';

const recordSchema = z.looseObject({
  msg: z.string(),
  level: z.number().default(30),
  time: z.number().default(0),
  broadcast: z.string().optional(),
  streamerId: z.string().optional(),
  job: z.string().optional(),
  epoch: z.string().optional(),
  slot: z.number().optional(),
  track: z.string().optional(),
  attempt: z.number().optional(),
  pid: z.number().optional(),
  t0: z.string().optional(),
});

/** One line of a log. `time` is Unix ms. */
export type LogRecord = Readonly<z.output<typeof recordSchema>>;

/** The record in a line of JSON; undefined where it is none. */
export function parseRecord(line: string): LogRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** What is worked on: a line for each, by what it is about. */
export type Doing = ReadonlyMap<string, string>;

type Step = (doing: Doing, record: LogRecord) => Doing;

const encoderKey = ({ broadcast = '', slot = 0 }: LogRecord): string =>
  `encoder ${broadcast} ${slot}`;
const publishKey = ({ broadcast = '', track = '', slot = 0 }: LogRecord): string =>
  `publish ${broadcast} ${track} ${slot}`;
const encoderEnds: Step = (doing, record) => without(doing, encoderKey(record));

/** By message. */
const STEPS: Readonly<Record<string, Step>> = {
  'job begins': (doing, { job = '', epoch = '' }) =>
    withEntry(doing, `job ${job}`, `job ${job}, epoch ${epoch}`),
  'job over': (doing, { job = '' }) => without(doing, `job ${job}`, encoderOfJob(job)),
  'encoder started': (doing, record) => {
    const { broadcast = '', slot = 0, pid = 0 } = record;
    const text = `encodes ${broadcast} slot ${slot}, ffmpeg ${pid}`;
    return withEntry(doing, encoderKey(record), text);
  },
  'encoder stopped': encoderEnds,
  'encoder failed, starting it again': encoderEnds,
  'publish begins': (doing, record) => {
    const { broadcast = '', track = '', slot = 0, attempt = 0 } = record;
    const text = `takes ${broadcast}/${track} from slot ${slot}, attempt ${attempt}`;
    return withEntry(doing, publishKey(record), text);
  },
  'publish ended': (doing, record) => without(doing, publishKey(record)),
};

/** What is worked on after `record`. */
export function afterRecord(doing: Doing, record: LogRecord): Doing {
  return Object.hasOwn(STEPS, record.msg) ? (STEPS[record.msg]?.(doing, record) ?? doing) : doing;
}

/** Key of the encoder of job `{broadcast}.{group}.{slot}`; of another job a key of nothing. */
function encoderOfJob(job: string): string {
  const match = /^([^.]+)\.[^.]+\.(\d)(?:\.|$)/.exec(job);
  return `encoder ${match?.[1] ?? ''} ${match?.[2] ?? ''}`;
}

function withEntry(doing: Doing, key: string, text: string): Doing {
  return new Map([...doing, [key, text]]);
}

function without(doing: Doing, ...keys: string[]): Doing {
  return new Map([...doing].filter(([key]) => !keys.includes(key)));
}
