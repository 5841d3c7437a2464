/** Public names of tokens. */
export { BEARER_PROTOCOL, TOKEN_COOKIE, findToken, selectSubprotocol } from './findToken.ts';
export { parseDurationMs } from './duration.ts';
export { ROLES, mayComeBy } from './identity.ts';
export { type Fetch, isTrustworthyUrl } from './issuerDocuments.ts';
export {
  ISSUER_ALGORITHMS,
  type RevocationList,
  type TokenSource,
  createJwtAdmission,
} from './jwtAdmission.ts';
export { mintToken } from './mintToken.ts';
export { LOOPBACK, parseRange, withStreamerAddresses } from './streamerAddresses.ts';
