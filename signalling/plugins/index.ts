/** Public names of admission: its configuration, and how it is built. */
export { buildAdmission, tokenSecret } from './buildAdmission.ts';
export { admissionConfigSchema } from './config.ts';
