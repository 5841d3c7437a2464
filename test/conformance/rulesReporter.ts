/**
 * A vitest reporter that remembers which tests proved which rule: one file per project under
 * node_modules/.cache/grandstand-rules/. A run of some tests changes what it ran and keeps the rest,
 * so that the three projects, run one by one, add up. What is made of it is rulesTable.ts.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import { z } from 'zod';
import { type ProvenFiles, ruleIdsOf } from './rulesOf.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** What tests proved, by file; titles as vitest prints them. */
const provenSchema = z.record(z.string(), z.array(z.string()));

/** Where the results of `project` are. */
export function resultsFile(project: string): string {
  return join(ROOT, 'node_modules', '.cache', 'grandstand-rules', `${project}.json`);
}

/** Results of earlier runs of `project`, of files that are still there. */
export function readResults(project: string): ProvenFiles {
  try {
    const proven = provenSchema.parse(JSON.parse(readFileSync(resultsFile(project), 'utf8')));
    return new Map(Object.entries(proven).filter(([file]) => existsSync(join(ROOT, file))));
  } catch {
    return new Map();
  }
}

/** Given to vitest in `reporters`. */
export class RulesReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const [project, own] of Map.groupBy(modules, (module) => module.project.name)) {
      const proven = new Map(readResults(project));
      for (const module of own) {
        const file = relative(ROOT, module.moduleId);
        const titles = provenBy(module, proven.get(file) ?? []);
        if (titles.length > 0) {
          proven.set(file, titles);
        } else {
          proven.delete(file);
        }
      }
      write(resultsFile(project), proven);
    }
  }
}

/** Titles with a rule that passed now, or passed before and were left out of this run. */
function provenBy(module: TestModule, before: readonly string[]): string[] {
  return [...module.children.allTests()]
    .filter((test) => {
      const { state } = test.result();
      return state === 'passed' || (state === 'skipped' && before.includes(test.name));
    })
    .map(({ name }) => name)
    .filter((title) => ruleIdsOf(title).length > 0);
}

/** In one step: a run beside this one never reads half a file. */
function write(file: string, proven: ProvenFiles): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(Object.fromEntries(proven), undefined, 2));
  renameSync(draft, file);
}
