/** `/api/v1/tokens`: makes tokens, lists what was made, and takes them back. */
import { parseDurationMs } from '../../../../signalling/index.ts';
import { GatewayError } from '../../../kernel/errors.ts';
import type { IssuedTokens } from '../../issuedTokens.ts';
import { sendProblem } from '../problem.ts';
import { type Route, sendJson, withBody } from './route.ts';
import { createTokenSchema, tokenSchema, tokensSchema } from './schemas.ts';

const TOKENS = '/api/v1/tokens';
/** What may be a `jti`, ours or an issuer's. */
const JTI = /^[\x21-\x7e]{1,256}$/;

/** The routes. @param disconnect ends the connections of who came in by a token */
export function tokenRoutes(
  tokens: IssuedTokens,
  disconnect: (jti: string) => Promise<unknown>,
): Route[] {
  return [
    {
      ...{ method: 'get', path: TOKENS, tag: 'tokens', access: 'operator' },
      summary: 'Tokens that were made here and have not expired',
      answers: { 200: { description: 'The tokens, without their text.', schema: tokensSchema } },
      async handle({ response }) {
        sendJson(response, 200, { tokens: await tokens.list() });
      },
    },
    withBody(createTokenSchema, {
      ...{ method: 'post', path: TOKENS, tag: 'tokens', access: 'operator' },
      summary: 'Make a token',
      answers: {
        201: { description: 'The token; its text is shown this once.', schema: tokenSchema },
      },
      problems: [409],
      async handle({ body, response }) {
        try {
          const made = await tokens.mint({ ...body, ttlMs: parseDurationMs(body.ttl) });
          if (made.kind === 'refused') {
            sendProblem(response, { status: 409, detail: made.reason });
            return;
          }
          response.location(`${TOKENS}/${made.token.jti}`);
          sendJson(response, 201, made.token);
        } catch (error) {
          if (!(error instanceof GatewayError) || error.code !== 'bad_request') {
            throw error;
          }
          sendProblem(response, { status: 422, detail: error.message });
        }
      },
    }),
    {
      ...{ method: 'delete', path: `${TOKENS}/{jti}`, tag: 'tokens', access: 'operator' },
      summary: 'Take a token back; who came in by it is disconnected',
      answers: { 204: { description: 'Nobody comes in by it any more.' } },
      problems: [404],
      async handle({ params: { jti = '' }, response }) {
        if (!JTI.test(jti)) {
          sendProblem(response, { status: 404, detail: 'This cannot be the jti of a token.' });
          return;
        }
        await tokens.revoke(jti);
        await disconnect(jti);
        response.status(204).end();
      },
    },
  ];
}
