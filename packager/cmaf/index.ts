/**
 * CMAF bytes, pure: boxes in, tracks and samples out, and back. Owns no clock, no grid and no
 * numbering (the origin does).
 */
export { BoxSplitter, type ReadBox } from './boxSplitter.ts';
export { concatBytes } from './bytes.ts';
export { chunk, type ChunkOptions } from './chunk.ts';
export { type MovieFragment, parseFragment, parseMoof, type Sample } from './fragment.ts';
export { parseInit, type TrackInit } from './init.ts';
export { type TrackEvent, TrackReader } from './trackReader.ts';
