/**
 * Who may come in here, and who may operate: the configured admission, tokens of our own, and the
 * list of those that were taken back.
 */
import { type Admission, buildAdmission, tokenSecret } from '../../signalling/index.ts';
import type { CloseStack } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';
import type { KeyValueStore } from '../kernel/redis.ts';
import type { GatewayConfig } from './config.ts';
import { keptSecret } from './dataDirectory.ts';
import { type IssuedTokens, issuedTokens } from './issuedTokens.ts';
import { TOKEN_SECRET_FILE } from './loadConfig.ts';

/** The gateway's doors. */
export type Doors = {
  /** Of streamers, SFUs and players. */
  readonly admission: Admission;
  /** Of the operator API. */
  readonly operators: Admission;
  readonly tokens: IssuedTokens;
};

/**
 * Opens them. Without admission our own secret still makes and reads tokens, of operators only: the
 * API can be operated from elsewhere.
 *
 * @param dataDirectory where the secret is kept when none is configured
 */
export async function openDoors(deps: {
  readonly config: GatewayConfig['admission'];
  readonly dataDirectory: string;
  readonly store: KeyValueStore;
  readonly logger: Logger;
  readonly stack: CloseStack;
}): Promise<Doors> {
  const { config, logger, stack } = deps;
  const kept = await keptSecret(deps.dataDirectory, TOKEN_SECRET_FILE);
  const nowMs = (): number => Date.now();
  const isOpen = config.kind === 'none';
  const secret = isOpen ? kept : await tokenSecret(config);
  const tokens = issuedTokens(
    deps.store,
    secret === undefined
      ? { none: 'Tokens are made by the issuer, or the plugin decides: see admission.kind.' }
      : {
          secret,
          refusal: (role) =>
            isOpen && role !== 'operator'
              ? 'Everyone may come in, so a token would change nothing: set admission.kind to jwt.'
              : undefined,
        },
    nowMs,
  );
  const build = (of: typeof config): ReturnType<typeof buildAdmission> =>
    buildAdmission(of, { logger, nowMs, revoked: tokens });
  const admission = stack.push(await build(config));
  const { jwt } = config;
  const operators = isOpen
    ? stack.push(
        await build({
          ...config,
          kind: 'jwt',
          jwt: {
            ...jwt,
            ...{
              audience: 'grandstand',
              roleClaim: 'role',
              streamersClaim: 'streamers',
              roles: {},
            },
            ...{ secret: kept, secretFile: undefined, issuer: undefined },
          },
        }),
      )
    : admission;
  return { admission, operators, tokens };
}
