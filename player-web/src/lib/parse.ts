/** From `unknown` to what a page can use; what does not fit is absent. */

export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** An instant as Unix ms or ISO 8601 text. */
export function asInstant(value: unknown): number | undefined {
  return typeof value === 'string' ? asNumber(Date.parse(value)) : asNumber(value);
}
