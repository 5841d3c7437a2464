/** How the storage is: pure, told of what failed and what went well, asked whether to try. */
import type { UnixMs } from '../../../infra/kernel/time.ts';
import type { StorageState } from '../storage.ts';
import { errorCode } from './fileSystem.ts';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 10_000;
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** A failure, and until when nothing is tried after it. */
type Fault = { readonly state: 'full' | 'failing'; readonly reason: string; retryMs: number };

/** See the file header. */
export class Health {
  #fault: (Fault & { retryAtMs: number }) | undefined;
  #isSlow = false;

  /** Whether a segment that begins now should be tried. */
  mayTry(nowMs: UnixMs): boolean {
    return this.#fault === undefined || nowMs >= this.#fault.retryAtMs;
  }

  /** @returns true where this is news: worth a line in the log */
  failed(error: unknown, nowMs: UnixMs): boolean {
    const code = errorCode(error);
    const state = NO_SPACE.has(code) ? 'full' : 'failing';
    const before = this.#fault;
    const reason = reasonOf(error);
    if (before !== undefined && nowMs < before.retryAtMs) {
      return false;
    }
    const retryMs =
      before === undefined ? FIRST_RETRY_MS : Math.min(LAST_RETRY_MS, before.retryMs * 2);
    this.#fault = { state, reason, retryMs, retryAtMs: nowMs + retryMs };
    return before?.reason !== reason;
  }

  /** A segment is on disk with its line. @returns true where it was failing before */
  succeeded(): boolean {
    const wasFailing = this.#fault !== undefined;
    this.#fault = undefined;
    return wasFailing;
  }

  /** The queue is full, or has room again. */
  slow(isSlow: boolean): void {
    this.#isSlow = isSlow;
  }

  get state(): Pick<StorageState, 'state' | 'reason'> {
    if (this.#fault !== undefined) {
      return { state: this.#fault.state, reason: this.#fault.reason };
    }
    return this.#isSlow
      ? { state: 'slow', reason: 'the disk is slower than the media: segments are left out' }
      : { state: 'ok' };
  }
}

const TEXTS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'the media directory may not be written',
  EPERM: 'the media directory may not be written',
  ENOENT: 'the media directory has gone',
  ENOTDIR: 'the media directory is not a directory',
  EIO: 'the disk reports an input/output error',
};

/** Without paths: viewers may read it. */
function reasonOf(error: unknown): string {
  const code = errorCode(error);
  return `${TEXTS[code] ?? 'the media cannot be written'} (${code})`;
}
