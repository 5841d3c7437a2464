/** The file system as the archive needs it: a port, so that tests can fill the disk or take it away. */
import { appendFile, mkdir, open, readdir, rename, rm, stat, truncate } from 'node:fs/promises';

/** A file that grows. */
export interface GrowingFile {
  /** Appends all of it, or rejects. */
  write(slices: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** Every method rejects with a Node error (`code`: ENOSPC, EROFS, EACCES ...) where it cannot do its work. */
export interface FileSystem {
  makeDirectory(path: string): Promise<void>;
  /** Names in a directory; none where it does not exist. */
  list(path: string): Promise<readonly string[]>;
  /** Undefined where it does not exist. */
  size(path: string): Promise<number | undefined>;
  /** Whole, or as much of `range` as there is; undefined where it does not exist. */
  read(
    path: string,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined>;
  /** `new` rejects with EEXIST rather than write into a file that exists. */
  open(path: string, mode: 'new' | 'append'): Promise<GrowingFile>;
  append(path: string, text: string): Promise<void>;
  /** All or nothing, also across a crash. */
  replace(path: string, text: string): Promise<void>;
  truncate(path: string, bytes: number): Promise<void>;
  /** File, or directory with all that is in it; nothing where it does not exist. */
  remove(path: string): Promise<void>;
}

/** Suffix of what `replace` had not finished when the process died. */
export const UNFINISHED_SUFFIX = '.tmp';

/** The disk. */
export const diskFileSystem: FileSystem = {
  async makeDirectory(path) {
    await mkdir(path, { recursive: true });
  },
  async list(path) {
    return (await orUndefined(readdir(path))) ?? [];
  },
  async size(path) {
    return (await orUndefined(stat(path)))?.size;
  },
  async read(path, range) {
    const handle = await orUndefined(open(path, 'r'));
    if (handle === undefined) {
      return undefined;
    }
    try {
      if (range === undefined) {
        return await handle.readFile();
      }
      const buffer = Buffer.allocUnsafeSlow(range.length);
      const { bytesRead } = await handle.read(buffer, 0, range.length, range.offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  },
  async open(path, mode) {
    const handle = await open(path, mode === 'new' ? 'ax' : 'a');
    return {
      async write(slices) {
        await handle.appendFile(
          slices.length === 1 && slices[0] ? slices[0] : Buffer.concat(slices),
        );
      },
      close: () => handle.close(),
    };
  },
  async append(path, text) {
    await appendFile(path, text);
  },
  async replace(path, text) {
    const unfinished = `${path}${UNFINISHED_SUFFIX}`;
    const handle = await open(unfinished, 'w');
    try {
      await handle.writeFile(text);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, path);
  },
  async truncate(path, bytes) {
    await truncate(path, bytes);
  },
  async remove(path) {
    await rm(path, { force: true, recursive: true });
  },
};

/** Code of a Node error, `unknown` where it has none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'unknown';
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
