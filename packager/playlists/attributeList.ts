/**
 * Attribute lists of HLS tags (rfc8216bis §4.2): names, value types and quoting in one place. What
 * each tag carries is said by the text that renders it.
 */

/** A value as it stands behind the `=`; made only by the functions below. */
export type AttributeValue = { readonly text: string };

/** Attributes in the order they are written; an undefined value leaves the attribute out. */
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Decimal-integer: 0 to 2^53 here (rfc8216bis §4.2). Throws RangeError otherwise. */
export function integer(value: number): AttributeValue {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`a decimal-integer is a whole number from 0 (got ${value})`);
  }
  return { text: String(value) };
}

/** Decimal-floating-point that has already been formatted: digits with one point. */
export function decimal(text: string): AttributeValue {
  if (!/^\d+(\.\d+)?$/.test(text)) {
    throw new RangeError(`a decimal-floating-point has digits and one point (got ${text})`);
  }
  return { text };
}

/** Enumerated-string: no quotes, commas or white space. */
export function enumerated(text: string): AttributeValue {
  if (!/^[^\s",]+$/.test(text)) {
    throw new RangeError(`an enumerated-string has no quotes, commas or spaces (got ${text})`);
  }
  return { text };
}

/** `YES` where it holds, else the attribute is left out: the form of every flag of rfc8216bis. */
export function flag(isSet: boolean): AttributeValue | undefined {
  return isSet ? { text: 'YES' } : undefined;
}

/** Quoted-string: anything but a double quote and line breaks, which rfc8216bis cannot escape. */
export function quoted(text: string): AttributeValue {
  if (/["\r\n]/.test(text)) {
    throw new RangeError(`a quoted-string cannot hold quotes or line breaks (got ${text})`);
  }
  return { text: `"${text}"` };
}

/** Decimal-resolution in pixels: `1280x720`. */
export function resolution(width: number, height: number): AttributeValue {
  return { text: `${integer(width).text}x${integer(height).text}` };
}

/** `#NAME:A=1,B="x"` (rfc8216bis §4.1, §4.2): each attribute at most once, no white space. */
export function attributeTag(name: string, attributes: Attributes): string {
  const list = Object.entries(attributes)
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value.text}`]))
    .join(',');
  return `#${name}:${list}`;
}
