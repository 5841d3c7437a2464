/**
 * `npm run rules`: writes RULES.md from the results that rulesReporter.ts kept and says what is
 * missing. `npm run rules -- --check` writes nothing: it fails where a rule has neither a test nor a
 * reason, where a title names an unknown rule, or where RULES.md is not what the tests say.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reportRules } from './rulesOf.ts';
import { readResults } from './rulesReporter.ts';

const FILE = join(import.meta.dirname, 'RULES.md');
const PROJECTS = ['unit', 'integration', 'e2e'];

const proven = new Map(PROJECTS.flatMap((project) => [...readResults(project)]));
const { markdown, faults } = reportRules(proven);
const isCheck = process.argv.includes('--check');
const stale: string[] = [];
if (isCheck) {
  const committed = await readFile(FILE, 'utf8').catch(() => '');
  if (committed !== markdown) {
    stale.push('test/conformance/RULES.md is not what the tests say: npm run rules writes it anew');
  }
} else {
  await writeFile(FILE, markdown);
}
const wrong = [...faults, ...stale];
process.stdout.write(wrong.map((fault) => `${fault}\n`).join(''));
process.stdout.write(
  wrong.length === 0 ? 'every rule has its proof\n' : `${wrong.length} to be mended\n`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
