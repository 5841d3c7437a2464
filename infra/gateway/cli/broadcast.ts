/** `grandstand broadcast …`: a client of the REST API. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { errorText, GatewayError } from '../../kernel/errors.ts';
import { type Api, callApi, parseAnswer } from './client.ts';

const viewSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  reason: z.string().optional(),
  encoder: z.string().nullable(),
  tracks: z.array(z.looseObject({ name: z.string() })),
  leftOut: z.looseObject({ tracks: z.array(z.string()), reason: z.string() }).nullish(),
  urls: z.looseObject({ watch: z.string() }),
  recording: z.looseObject({ hls: z.string(), isComplete: z.boolean() }).nullish(),
});
const listSchema = z.looseObject({ broadcasts: z.array(viewSchema) });

/** What a new broadcast is to be; the rest are the gateway's defaults. */
export type CreateOptions = Api & {
  readonly publish?: boolean | undefined;
  readonly streamer?: string | undefined;
  /** Another deployment's signalling server. */
  readonly signalling?: string | undefined;
  readonly redundancy?: '1' | '2' | undefined;
  /** Name of a preset. */
  readonly ladder?: string | undefined;
  /** Of the source picture at its largest (pixels). */
  readonly sourceHeight?: number | undefined;
  /** YAML file with `source`, `ladder`, `sourceHeight`, `grid` and `redundancy`. */
  readonly file?: string | undefined;
};

/** Prints every broadcast in a line each, or the API's JSON. */
export async function listBroadcasts(api: Api): Promise<void> {
  const body = await call(api, 'GET', '');
  const { broadcasts } = parseAnswer(listSchema, body);
  if (api.json) {
    console.log(JSON.stringify(body));
    return;
  }
  if (broadcasts.length === 0) {
    console.log(
      'no broadcasts: connect a streamer (Unreal with -PixelStreamingSignallingURL=…, or `grandstand demo`)',
    );
  }
  for (const one of broadcasts) {
    console.log(
      `${one.id.padEnd(20)} ${one.state.padEnd(12)} ${one.tracks
        .map((track) => track.name)
        .join(',')
        .padEnd(24)} ${one.encoder ?? '-'}`,
    );
  }
}

/** Prints one broadcast. */
export async function showBroadcast(id: string, api: Api): Promise<void> {
  const body = await call(api, 'GET', `/${encodeURIComponent(id)}`);
  console.log(
    api.json ? JSON.stringify(body) : JSON.stringify(parseAnswer(viewSchema, body), undefined, 2),
  );
}

/** Makes one and prints what became of it. */
export async function createBroadcast(id: string, options: CreateOptions): Promise<void> {
  const wish = {
    ...(await readWish(options.file)),
    ...(options.ladder === undefined ? {} : { ladder: options.ladder }),
    ...(options.sourceHeight === undefined ? {} : { sourceHeight: options.sourceHeight }),
    ...(options.publish === true ? { source: { kind: 'publish' } } : {}),
    ...(options.streamer === undefined && options.signalling === undefined
      ? {}
      : {
          source: {
            kind: 'pixel-streaming',
            streamerId: options.streamer,
            url: options.signalling,
          },
        }),
    ...(options.redundancy === undefined ? {} : { redundancy: Number(options.redundancy) }),
    id,
  };
  printChange(await call(options, 'POST', '', wish), options);
}

/** Stops one, or starts one that was stopped, and prints what became of it. */
export async function changeBroadcast(verb: 'stop' | 'start', id: string, api: Api): Promise<void> {
  printChange(await call(api, 'POST', `/${encodeURIComponent(id)}/${verb}`, {}), api);
}

/** Forgets one that has ended. */
export async function deleteBroadcast(id: string, api: Api): Promise<void> {
  await call(api, 'DELETE', `/${encodeURIComponent(id)}`);
  console.log(api.json ? JSON.stringify({ id, deleted: true }) : `${id} is deleted`);
}

function printChange(body: unknown, api: Api): void {
  const { id, state, reason, leftOut, urls, recording } = parseAnswer(viewSchema, body);
  if (api.json) {
    console.log(JSON.stringify(body));
    return;
  }
  const why = reason === undefined ? '' : ` (${reason})`;
  const path = state === 'ended' ? recording?.hls : urls.watch;
  console.log(`${id} is ${state}${why}`);
  if (leftOut != null) {
    console.log(`without ${leftOut.tracks.join(', ')}: ${leftOut.reason}`);
  }
  if (path !== undefined) {
    console.log(new URL(path, api.url).href);
  }
}

async function readWish(file: string | undefined): Promise<Record<string, unknown>> {
  if (file === undefined) {
    return {};
  }
  try {
    // The gateway judges what is in it.
    return z.record(z.string(), z.unknown()).parse(parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw new GatewayError('bad_config', `cannot read ${file}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function call(api: Api, method: string, path: string, body?: unknown): Promise<unknown> {
  return callApi(api, method, `/broadcasts${path}`, body);
}
