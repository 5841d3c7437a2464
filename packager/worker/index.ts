/**
 * Workers: a broadcast's feed through ffmpeg into one-frame CMAF fragments, published to every
 * origin. The only public names of this room.
 */
export { workerConfigSchema } from './config.ts';
export { type EncoderChoice } from './encoder.ts';
export { probePresets } from './presetProbe.ts';
export { PRESETS_MEASURED } from './presetVerdict.ts';
export { probeEncoders } from './probe.ts';
export { createWorker, type TranscodeWorker, type WorkerDeps } from './worker.ts';
