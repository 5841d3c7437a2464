/** `grandstand broadcast list|show`: a client of the REST API. */
import { z } from 'zod';
import { errorText, GatewayError } from '../../kernel/errors.ts';

const viewSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  reason: z.string().optional(),
  encoder: z.string().nullable(),
  tracks: z.array(z.looseObject({ name: z.string() })),
  urls: z.looseObject({ watch: z.string() }),
});
const listSchema = z.looseObject({ broadcasts: z.array(viewSchema) });

/** Prints every broadcast in a line each, or the API's JSON. */
export async function listBroadcasts(baseUrl: string, isJson: boolean): Promise<void> {
  const body = await fetchJson(new URL('/api/v1/broadcasts', baseUrl));
  const { broadcasts } = parseAnswer(listSchema, body);
  if (isJson) {
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
export async function showBroadcast(baseUrl: string, id: string, isJson: boolean): Promise<void> {
  const body = await fetchJson(new URL(`/api/v1/broadcasts/${encodeURIComponent(id)}`, baseUrl));
  console.log(
    isJson ? JSON.stringify(body) : JSON.stringify(parseAnswer(viewSchema, body), undefined, 2),
  );
}

function parseAnswer<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (!result.success) {
    throw new GatewayError(
      'bad_request',
      'what answered is not a Grandstand gateway of this version',
    );
  }
  return result.data;
}

async function fetchJson(url: URL): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  } catch (error) {
    throw new GatewayError(
      'origin_unavailable',
      `no gateway answers on ${url.origin}: ${errorText(error)}`,
      { cause: error },
    );
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    const detail = z.looseObject({ detail: z.string() }).safeParse(body);
    throw new GatewayError(
      response.status === 404 ? 'not_found' : 'bad_request',
      detail.success ? detail.data.detail : `HTTP ${response.status}`,
    );
  }
  return body;
}
