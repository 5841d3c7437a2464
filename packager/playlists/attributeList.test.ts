import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AttributeValue,
  attributeTag,
  decimal,
  enumerated,
  flag,
  integer,
  quoted,
  resolution,
} from './attributeList.ts';

/** Reads an attribute list by hand, character by character: shares nothing with the writer. */
function readAttributes(list: string): [string, string][] {
  const found: [string, string][] = [];
  let at = 0;
  while (at < list.length) {
    const equals = list.indexOf('=', at);
    const isQuoted = list[equals + 1] === '"';
    const end = isQuoted
      ? list.indexOf('"', equals + 2) + 1
      : (list.indexOf(',', equals) + list.length + 1) % (list.length + 1);
    const stop = end === 0 ? list.length : end;
    found.push([list.slice(at, equals), list.slice(equals + 1, stop)]);
    at = stop + 1;
  }
  return found;
}

const name = fc.stringMatching(/^[A-Z][A-Z0-9-]{0,12}$/);
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.nat().map(integer),
  fc.stringMatching(/^\d{1,6}\.\d{1,6}$/).map(decimal),
  fc.stringMatching(/^[A-Z0-9.-]{1,10}$/).map(enumerated),
  fc.stringMatching(/^[^"\r\n]{0,20}$/).map(quoted),
  fc.tuple(fc.nat(8000), fc.nat(8000)).map(([width, height]) => resolution(width, height)),
);

test('every attribute list reads back as it was written', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }), (pairs) => {
      const text = attributeTag('EXT-X-TEST', Object.fromEntries(pairs));
      expect(text.startsWith('#EXT-X-TEST:')).toBe(true);
      expect(readAttributes(text.slice('#EXT-X-TEST:'.length))).toEqual(
        pairs.map(([key, { text: written }]) => [key, written]),
      );
    }),
  );
});

test('an absent attribute leaves no trace', () => {
  expect(attributeTag('EXT-X-PART', { URI: quoted('1.0.m4s'), GAP: flag(false) })).toBe(
    '#EXT-X-PART:URI="1.0.m4s"',
  );
});

test.each([
  ['a quote in a quoted-string', () => quoted('a"b')],
  ['a line break in a quoted-string', () => quoted('a\nEXT')],
  ['a comma in an enumerated-string', () => enumerated('A,B=1')],
  ['a negative integer', () => integer(-1)],
  ['a fraction as integer', () => integer(1.5)],
  ['an exponent as decimal', () => decimal('1e3')],
])('%s is refused, not written', (_, write) => {
  expect(write).toThrow(RangeError);
});
