import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { ARTIFACTS, keepArtifacts } from './artifacts.ts';

it('keeps the parts that are there where git does not look, and nothing else', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'gs-artifacts-'));
  await mkdir(join(directory, 'logs'));
  await mkdir(join(directory, 'redis'));
  await writeFile(join(directory, 'logs', 'worker-1.log'), 'it failed here');
  await writeFile(join(directory, 'redis', 'dump.rdb'), 'large');
  const kept = await keepArtifacts('unit', directory, ['logs', join('redis', 'redis.log')]);
  try {
    expect(dirname(kept)).toBe(ARTIFACTS);
    expect(await readdir(kept)).toEqual(['logs']);
    expect(await readFile(join(kept, 'logs', 'worker-1.log'), 'utf8')).toBe('it failed here');
    await expect(access(directory)).rejects.toMatchObject({ code: 'ENOENT' });
  } finally {
    await rm(kept, { recursive: true });
  }
});
