/** Public names of signalling. Its protocol has its own door: `protocol/index.ts`. */
export { type Admission } from './admission.ts';
export { mintToken, parseDurationMs, type RevocationList, ROLES } from './auth/index.ts';
export { fullSignallingConfigSchema, signallingConfigSchema } from './config.ts';
export { admissionRequest } from './gate.ts';
export { admissionConfigSchema, buildAdmission, tokenSecret } from './plugins/index.ts';
export { type Signalling, startSignalling } from './server.ts';
export {
  configView,
  playersView,
  type SignallingSnapshot,
  statusView,
  streamersView,
} from './view.ts';
export { isWilburArgument, wilburAliases } from './wilbur.ts';
