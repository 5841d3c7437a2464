/**
 * LL-HLS playlists and LL-DASH MPD as pure text, from one model of what an origin holds. Owns no
 * clock, no bytes and no HTTP. The model itself is model.ts.
 */
export { targetDurationSeconds } from './durations.ts';
export { renderIframePlaylist } from './iframePlaylist.ts';
export { renderMediaPlaylist } from './mediaPlaylist.ts';
export { renderMpd } from './mpd.ts';
export { renderMultivariant } from './multivariantPlaylist.ts';
