/** Public names of the ingest. */
export { type IngestConfig, ingestConfigSchema } from './config.ts';
export { createIngest, type Ingest } from './ingest.ts';
