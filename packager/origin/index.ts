/** The origin: what the gateway needs of it. */
export { type OriginConfig, originConfigSchema } from './config.ts';
export { createOrigin, type Origin, type OriginDeps } from './origin.ts';
