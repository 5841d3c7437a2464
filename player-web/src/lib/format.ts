/** Numbers as people read them. Pure; an unknown value is a dash, so that nothing jumps. */

/** What stands where a value is not known. */
export const UNKNOWN = '\u2013';

/** Milliseconds as seconds with two decimals: `1.24 s`. */
export function formatLatency(ms: number | undefined): string {
  return ms === undefined ? UNKNOWN : `${(ms / 1000).toFixed(2)} s`;
}

/** Milliseconds whole, with a tenth where that says more: `23 ms`, `0.4 ms`. */
export function formatMs(ms: number | undefined): string {
  return ms === undefined ? UNKNOWN : `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Bits per second as `2.5 Mbit/s` or `700 kbit/s`. */
export function formatBitrate(bps: number | undefined): string {
  if (bps === undefined) {
    return UNKNOWN;
  }
  return bps >= 1_000_000
    ? `${(bps / 1_000_000).toFixed(1)} Mbit/s`
    : `${Math.round(bps / 1000)} kbit/s`;
}

/** A span as players count it: `0:07`, `12:30`, `2:04:05`. */
export function formatClock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

/** A span in its two largest units: `3 min 20 s`, `2 h 5 min`. */
export function formatSpan(ms: number | undefined): string {
  if (ms === undefined) {
    return UNKNOWN;
  }
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) {
    return `${days} d ${hours % 24} h`;
  }
  if (hours > 0) {
    return `${hours} h ${minutes % 60} min`;
  }
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** A picture size as viewers name it: `720p`. */
export function formatHeight(height: number | undefined): string {
  return height === undefined ? UNKNOWN : `${height}p`;
}
