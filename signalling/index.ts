/** Public names of signalling. Its protocol has its own door: `protocol/index.ts`. */
export { type SignallingConfig, signallingConfigSchema } from './config.ts';
export type { SignallingEvent } from './roles/turn.ts';
export { type Signalling, type SignallingDeps, startSignalling } from './server.ts';
export {
  type PlayerView,
  type SignallingSnapshot,
  type StatusView,
  type StreamerView,
  playersView,
  statusView,
  streamersView,
} from './view.ts';
