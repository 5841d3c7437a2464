/** Public names of the ingest. */
export { ingestConfigSchema } from './config.ts';
export { createIngest } from './ingest.ts';
