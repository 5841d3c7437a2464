/** `grandstand token …`: a client of the REST API. */
import { z } from 'zod';
import { type Api, callApi, parseAnswer } from './client.ts';

/** What a token is to be. */
export type TokenOptions = Api & { readonly ttl: string; readonly subject?: string };

const recordSchema = z.looseObject({
  jti: z.string(),
  role: z.string(),
  subject: z.string().nullable(),
  streamers: z.array(z.string()).nullable(),
  expires: z.string(),
});
const madeSchema = recordSchema.extend({ token: z.string() });
const listSchema = z.looseObject({
  tokens: z.array(recordSchema.extend({ revoked: z.boolean() })),
});

/** Makes a token and prints it; what else is to be known goes to stderr, so that it can be piped. */
export async function makeToken(
  role: string,
  streamer: string | undefined,
  options: TokenOptions,
): Promise<void> {
  const body = await callApi(options, 'POST', '/tokens', {
    ...{ role, ttl: options.ttl },
    ...(options.subject === undefined ? {} : { subject: options.subject }),
    ...(streamer === undefined ? {} : { streamers: [streamer] }),
  });
  const { token, jti, expires } = parseAnswer(madeSchema, body);
  if (options.json) {
    console.log(JSON.stringify(body));
    return;
  }
  console.log(token);
  console.error(`good until ${expires}; \`grandstand token revoke ${jti}\` takes it back`);
}

/** Prints the tokens that were made, in a line each, or the API's JSON. */
export async function listTokens(api: Api): Promise<void> {
  const body = await callApi(api, 'GET', '/tokens');
  const { tokens } = parseAnswer(listSchema, body);
  if (api.json) {
    console.log(JSON.stringify(body));
    return;
  }
  for (const { jti, role, subject, streamers, expires, revoked } of tokens) {
    const state = revoked ? 'revoked' : `until ${expires}`;
    console.log(
      `${jti} ${role.padEnd(9)} ${subject ?? '-'} ${streamers?.join(',') ?? 'all'} ${state}`,
    );
  }
  if (tokens.length === 0) {
    console.log('no tokens were made');
  }
}

/** Takes one back. */
export async function revokeToken(jti: string, api: Api): Promise<void> {
  await callApi(api, 'DELETE', `/tokens/${encodeURIComponent(jti)}`);
  console.log(api.json ? JSON.stringify({ jti, revoked: true }) : `${jti} is revoked`);
}
