/**
 * For tests: a disk in memory that can be full, read-only, gone or stuck, or lose power in the middle
 * of a write.
 */
import { dirname } from 'node:path';
import { concatBytes } from '../../cmaf/index.ts';
import type { FileSystem, GrowingFile } from './fileSystem.ts';

/** See the file header. */
export class MemoryDisk implements FileSystem {
  readonly files = new Map<string, Uint8Array>();
  readonly directories = new Set<string>();
  /** Code that every write fails with. */
  fault: string | undefined;
  /** Units (bytes, and one for each call) after which the process is dead: nothing more is written. */
  life = Infinity;
  #stuck: PromiseWithResolvers<undefined> | undefined;

  /** What a process that starts now finds. */
  copy(): MemoryDisk {
    const copy = new MemoryDisk();
    this.files.forEach((bytes, path) => copy.files.set(path, bytes));
    this.directories.forEach((path) => copy.directories.add(path));
    return copy;
  }

  /** Writes hang until `release`. */
  hang(): void {
    this.#stuck ??= Promise.withResolvers<undefined>();
  }

  release(): void {
    this.#stuck?.resolve(undefined);
    this.#stuck = undefined;
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#spend(0);
    for (let at = path; at !== dirname(at); at = dirname(at)) {
      this.directories.add(at);
    }
  }

  list(path: string): Promise<readonly string[]> {
    const names = [...this.files.keys(), ...this.directories]
      .filter((one) => dirname(one) === path)
      .map((one) => one.slice(path.length + 1));
    return Promise.resolve(names);
  }

  size(path: string): Promise<number | undefined> {
    return Promise.resolve(this.files.get(path)?.length);
  }

  read(
    path: string,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined> {
    const bytes = this.files.get(path);
    return Promise.resolve(
      range === undefined ? bytes : bytes?.subarray(range.offset, range.offset + range.length),
    );
  }

  async open(path: string, mode: 'new' | 'append'): Promise<GrowingFile> {
    const left = await this.#spend(0);
    this.#checkDirectory(path);
    if (mode === 'new' && this.files.has(path)) {
      throw fault('EEXIST');
    }
    if (left >= 0 && !this.files.has(path)) {
      this.files.set(path, new Uint8Array());
    }
    return {
      write: (slices) => this.#grow(path, concatBytes(slices)),
      close: () => Promise.resolve(),
    };
  }

  async append(path: string, text: string): Promise<void> {
    this.#checkDirectory(path);
    await this.#grow(path, Buffer.from(text));
  }

  async replace(path: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.#checkDirectory(path);
    await this.#grow(`${path}.tmp`, bytes);
    if ((await this.#spend(0)) >= 0) {
      this.files.set(path, new Uint8Array(bytes));
      this.files.delete(`${path}.tmp`);
    }
  }

  async truncate(path: string, bytes: number): Promise<void> {
    if ((await this.#spend(0)) >= 0) {
      this.files.set(path, (this.files.get(path) ?? new Uint8Array()).slice(0, bytes));
    }
  }

  async remove(path: string): Promise<void> {
    if ((await this.#spend(0)) >= 0) {
      for (const one of [...this.files.keys(), ...this.directories]) {
        if (one === path || one.startsWith(`${path}/`)) {
          this.files.delete(one);
          this.directories.delete(one);
        }
      }
    }
  }

  async #grow(path: string, bytes: Uint8Array): Promise<void> {
    const left = await this.#spend(bytes.length);
    const written = bytes.subarray(0, Math.max(0, Math.min(bytes.length, bytes.length + left)));
    if (written.length > 0 || left >= 0) {
      this.files.set(path, concatBytes([this.files.get(path) ?? new Uint8Array(), written]));
    }
  }

  /** @returns life that is left; negative where it ended in this call */
  async #spend(units: number): Promise<number> {
    await this.#stuck?.promise;
    if (this.fault !== undefined) {
      throw fault(this.fault);
    }
    if (this.life < 0) {
      return -Infinity;
    }
    this.life -= units + 1;
    return this.life;
  }

  #checkDirectory(path: string): void {
    if (!this.directories.has(dirname(path))) {
      throw fault('ENOENT');
    }
  }
}

function fault(code: string): Error {
  return Object.assign(new Error(`${code}: as the test wants it`), { code });
}
