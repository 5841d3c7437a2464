/** Secrets that cannot be printed by accident, and their comparison in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Holds a secret; every text form of it is `***`. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself: only where it is used. */
  reveal(): string {
    return this.#value;
  }

  /** Whether `candidate` is the secret, in constant time. */
  matches(candidate: string): boolean {
    return timingSafeEqual(digest(candidate), digest(this.#value));
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '***';
  }
}

/** A URL with what may be a credential covered: user, password, and every value of its query. */
export function redactUrl(url: string): string {
  const parsed = new URL(url);
  parsed.username = parsed.username === '' ? '' : '***';
  parsed.password = parsed.password === '' ? '' : '***';
  for (const name of new Set(parsed.searchParams.keys())) {
    parsed.searchParams.set(name, '***');
  }
  return parsed.href;
}

/** Whether `Authorization: Bearer …` carries the secret. */
export function isAuthorized(authorization: string | undefined, secret: Secret): boolean {
  const match = /^Bearer (\S{1,512})$/.exec(authorization ?? '');
  return match?.[1] !== undefined && secret.matches(match[1]);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
