/** Pure: from what tests proved to the table of rules (RULES.md) and what it lacks. */
import { NOT_APPLICABLE, RULES } from './rules.ts';

/** Titles of passed tests by file, relative to the repository. */
export type ProvenFiles = ReadonlyMap<string, readonly string[]>;

/** The table, and every reason why it may not stand. */
export type RuleReport = { readonly markdown: string; readonly faults: readonly string[] };

/** Tests named for one rule; the others are counted. */
const SHOWN_TESTS = 3;

const FAMILIES: readonly (readonly [string, string])[] = [
  ['H', 'Media playlist'],
  ['U', 'Updates'],
  ['R', 'Delivery directives'],
  ['V', 'Multivariant playlist'],
  ['T', 'Transport and headers'],
  ['M', 'LL-DASH'],
  ['C', 'CMAF'],
  ['B', 'Bad inputs'],
];

/** Ids that stand in brackets in a title: every `[H13 R13]`, and at its start also what only begins like one. */
export function ruleIdsOf(title: string): string[] {
  const groups = [
    ...(title.match(/^\[[HURVTMCB](?:[\d.-][^\]"]*)?\]/) ?? []),
    ...(title.match(/\[[A-Z]\d{1,2}(?:[ ,]+[A-Z]\d{1,2})*\]/g) ?? []),
  ];
  const ids = groups.flatMap((group) => group.slice(1, -1).split(/[ ,]+/));
  return [...new Set(ids)];
}

/** The table of all rules, each with the tests of `proven` that name it. */
export function reportRules(proven: ProvenFiles): RuleReport {
  const tests = new Map<string, string[]>();
  for (const [file, titles] of [...proven].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    for (const title of [...new Set(titles)].toSorted()) {
      for (const id of ruleIdsOf(title)) {
        tests.set(id, [
          ...(tests.get(id) ?? []),
          `\`${file}\`: ${plain(title.replace(/^\[[^\]]*\] /, ''))}`,
        ]);
      }
    }
  }
  const faults = [
    ...[...tests.keys()]
      .filter((id) => !(id in RULES))
      .map((id) => `${id} is no rule; it stands in ${tests.get(id)?.[0] ?? ''}`),
    ...Object.keys(RULES).flatMap((id) => faultOf(id, tests.has(id))),
  ];
  const sections = FAMILIES.map(([letter, heading]) =>
    [
      `## ${heading}`,
      '',
      '| id | rule | proved by |',
      '| -- | ---- | --------- |',
      ...Object.entries(RULES)
        .filter(([id]) => id.startsWith(letter))
        .map(([id, rule]) => `| ${id} | ${plain(rule)} | ${proof(id, tests.get(id) ?? [])} |`),
    ].join('\n'),
  );
  const head =
    '# Delivery rules and the tests that prove them\n\n' +
    'Made by `npm run rules` from the results of the last test runs; never edited by hand.';
  // Columns as wide as their longest cell would make every new title a change of the whole file.
  const [start, end] = ['<!-- prettier-ignore-start -->', '<!-- prettier-ignore-end -->'];
  return { markdown: `${[head, start, ...sections, end].join('\n\n')}\n`, faults };
}

function faultOf(id: string, isTested: boolean): string[] {
  const isApplicable = !(id in NOT_APPLICABLE);
  if (isApplicable && !isTested) {
    return [`${id} has no test that passed: ${RULES[id] ?? ''}`];
  }
  return !isApplicable && isTested ? [`${id} is marked not applicable and has a test`] : [];
}

function proof(id: string, tests: readonly string[]): string {
  if (tests.length === 0) {
    const reason = NOT_APPLICABLE[id];
    return reason === undefined ? '**nothing**' : `not applicable, because ${plain(reason)}`;
  }
  const more = tests.length - SHOWN_TESTS;
  return [...tests.slice(0, SHOWN_TESTS), ...(more > 0 ? [`and ${more} more`] : [])].join('<br>');
}

/** Text that Markdown shows as it is, in one table cell. */
function plain(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[\\|`*_<>[\]]/g, (sign) => `\\${sign}`)
    .trim();
}
