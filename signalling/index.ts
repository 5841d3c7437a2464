/** Public names of signalling. Its protocol has its own door: `protocol/index.ts`. */
export { admissionConfigSchema, buildAdmission } from './plugins/index.ts';
export { fullSignallingConfigSchema, signallingConfigSchema } from './config.ts';
export { type Signalling, startSignalling } from './server.ts';
export { playersView, statusView, streamersView } from './view.ts';
export { isWilburArgument, wilburAliases } from './wilbur.ts';
