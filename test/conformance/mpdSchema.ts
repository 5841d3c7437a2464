/**
 * Validates an MPD against MPEG's schema (dash-schema/, copied with its licence from
 * github.com/MPEGGroup/DASHSchema, 5th edition) through xmllint.
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const SCHEMA_FOLDER = fileURLToPath(new URL('./dash-schema/', import.meta.url));

/** Lines of xmllint about what is invalid; empty where the MPD is valid. Throws where there is no xmllint. */
export async function validateMpd(mpd: string): Promise<string[]> {
  const child = spawn(
    'xmllint',
    ['--nonet', '--noout', '--schema', `${SCHEMA_FOLDER}DASH-MPD.xsd`, '-'],
    {
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, XML_CATALOG_FILES: `${SCHEMA_FOLDER}catalog.xml` },
      timeout: 20_000,
    },
  );
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', (cause) => {
      reject(new Error('xmllint is missing: apt-get install libxml2-utils', { cause }));
    });
  });
  // xmllint that stops reading is reported by its exit code, not by the pipe.
  child.stdin.on('error', () => undefined);
  child.stdin.end(mpd);
  const [code, messages] = await Promise.all([exited, text(child.stderr)]);
  return code === 0 ? [] : messages.trim().split('\n');
}
