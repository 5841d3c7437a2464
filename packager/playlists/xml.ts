/** XML 1.0 elements as text: escaping and indentation. Which elements there are is mpdElements.ts. */

/** An element as its lines, not yet indented. */
export type XmlElement = readonly string[];

/** Attributes in the order they are written; an undefined value leaves the attribute out. */
export type XmlAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** `<name a="1"/>`, or with children on lines of their own, two spaces deeper. */
export function element(
  name: string,
  attributes: XmlAttributes,
  children: readonly XmlElement[] = [],
): XmlElement {
  const list = Object.entries(attributes)
    .flatMap(([key, value]) => (value === undefined ? [] : [` ${key}="${escape(String(value))}"`]))
    .join('');
  return children.length === 0
    ? [`<${name}${list}/>`]
    : [
        `<${name}${list}>`,
        ...children.flatMap((child) => child.map((line) => `  ${line}`)),
        `</${name}>`,
      ];
}

/** Escapes an attribute value (XML 1.0 §2.4, §3.3.3). */
function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\t\n\r]/g, ' ');
}
