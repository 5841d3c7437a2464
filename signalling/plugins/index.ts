/** Public names of admission: its configuration, and how it is built. */
export { type AdmissionDeps, buildAdmission, tokenSecret } from './buildAdmission.ts';
export { type AdmissionConfig, admissionConfigSchema } from './config.ts';
