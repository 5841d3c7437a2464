/** What is left behind of a run for whoever looks into it: `test/.artifacts`, which git ignores. */
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Where it is. */
export const ARTIFACTS = join(import.meta.dirname, '..', '.artifacts');

/**
 * Moves those of `parts` that are in `directory` to a directory of their own among the artifacts, and
 * removes `directory`.
 *
 * @returns where they are now
 */
export async function keepArtifacts(
  name: string,
  directory: string,
  parts: readonly string[],
): Promise<string> {
  const kept = join(ARTIFACTS, `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`);
  await mkdir(kept, { recursive: true });
  for (const part of parts) {
    await cp(join(directory, part), join(kept, part), { recursive: true }).catch(ifMissing);
  }
  await rm(directory, { recursive: true, force: true });
  return kept;
}

function ifMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') {
    throw error;
  }
}
