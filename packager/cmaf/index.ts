/**
 * CMAF bytes, pure: boxes in, tracks and samples out, and back. Owns no clock, no grid and no
 * numbering (the origin does).
 */
export { BoxSplitter } from './boxSplitter.ts';
export { concatBytes } from './bytes.ts';
export { chunk } from './chunk.ts';
export { parseFragment, type Sample } from './fragment.ts';
export { parseInit, type TrackInit } from './init.ts';
export { type TrackEvent, TrackReader } from './trackReader.ts';
