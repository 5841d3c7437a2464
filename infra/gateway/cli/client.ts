/** A client of the operator API, for the commands that use it. */
import { z } from 'zod';
import { errorText, GatewayError } from '../../kernel/errors.ts';

/** How the gateway is reached. */
export type Api = {
  readonly url: string;
  /** Bearer token, needed from another machine. */
  readonly token?: string | undefined;
  readonly json: boolean;
};

const TIMEOUT_MS = 5000;
const problemSchema = z.looseObject({ detail: z.string() });

/** What the API answered, where it is what was expected. */
export function parseAnswer<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (!result.success) {
    throw new GatewayError(
      'bad_request',
      'what answered is not a Grandstand gateway of this version',
    );
  }
  return result.data;
}

/**
 * Calls the API.
 *
 * @param path below `/api/v1`
 * @throws GatewayError with what the gateway says is wrong, or that none answers
 */
export async function callApi(
  api: Api,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const url = new URL(`/api/v1${path}`, api.url);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(api.token === undefined ? {} : { authorization: `Bearer ${api.token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new GatewayError(
      'origin_unavailable',
      `no gateway answers on ${url.origin}: ${errorText(error)}`,
      { cause: error },
    );
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    const problem = problemSchema.safeParse(answer);
    throw new GatewayError(
      response.status === 404 ? 'not_found' : 'bad_request',
      problem.success ? problem.data.detail : `HTTP ${response.status}`,
    );
  }
  return answer;
}
