/** The origin: what the gateway needs of it. */
export { originConfigSchema } from './config.ts';
export { createOrigin, type Origin } from './origin.ts';
