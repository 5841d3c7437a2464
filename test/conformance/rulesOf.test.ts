import { expect, test } from 'vitest';
import { NOT_APPLICABLE, RULES } from './rules.ts';
import { reportRules, ruleIdsOf } from './rulesOf.ts';

test.each<[string, string[]]>([
  ['hints at one part', []],
  ['[H13] hints at one part', ['H13']],
  ['[H13 R13] and [C1]', ['H13', 'R13', 'C1']],
  ['[V-later] is caught', ['V-later']],
  ['takes [1, 2] and [a]', []],
])('reads the ids of title %#', (title, ids) => {
  expect(ruleIdsOf(title)).toEqual(ids);
});

const applicable = Object.keys(RULES).filter((id) => !(id in NOT_APPLICABLE));

test('a table stands where each rule has a test or a reason', () => {
  const titles = applicable.map((id) => `[${id}] holds`);
  const { markdown, faults } = reportRules(new Map([['a.test.ts', titles]]));
  expect(faults).toEqual([]);
  expect(markdown).toContain('`a.test.ts`: holds |');
  expect(markdown).toContain('not applicable, because media is not encrypted');
});

test('what lacks a test, is unknown, or is tested though not applicable is told', () => {
  const titles = [...applicable.slice(1).map((id) => `[${id}] holds`), '[H99] and [C7]'];
  const { markdown, faults } = reportRules(new Map([['a.test.ts', titles]]));
  expect(faults.map((fault) => fault.slice(0, 3))).toEqual(['H99', 'H01', 'C7 ']);
  expect(markdown).toContain('| H01 |');
});

test('each id belongs to a family of the table, each reason to a rule', () => {
  expect(Object.keys(RULES).filter((id) => !/^[HURVTMCB]\d{1,2}$/.test(id))).toEqual([]);
  expect(Object.keys(NOT_APPLICABLE).filter((id) => !(id in RULES))).toEqual([]);
});
