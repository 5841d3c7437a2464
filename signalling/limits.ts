/**
 * Token buckets by address: how often someone may connect and how much it may say. Pure: the clock
 * is given. Bounded: of very many addresses the oldest is forgotten.
 */
import { isIPv6 } from 'node:net';

/** A rate; `perSecond` 0 for no limit. */
export type Rate = {
  readonly perSecond: number;
  /** Tokens of a rested address. */
  readonly burst: number;
};

/** What an address has left, and when that was true (ms of the given clock). */
export type Bucket = { readonly tokens: number; readonly atMs: number };

/** Takes one token. `undefined` stands for a rested address. */
export function takeToken(
  bucket: Bucket | undefined,
  { perSecond, burst }: Rate,
  nowMs: number,
): { readonly bucket: Bucket; readonly isAllowed: boolean } {
  const rested =
    bucket === undefined
      ? burst
      : Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) * perSecond) / 1000);
  const isAllowed = rested >= 1;
  return { bucket: { tokens: isAllowed ? rested - 1 : rested, atMs: nowMs }, isAllowed };
}

/** One bucket: whether one more may pass at that time. */
export function limiter(rate: Rate): (nowMs: number) => boolean {
  let bucket: Bucket | undefined;
  return (nowMs) => {
    const taken = takeToken(bucket, rate, nowMs);
    ({ bucket } = taken);
    return taken.isAllowed;
  };
}

/** Most addresses that are remembered; past it the one that came first is forgotten. */
const MAX_ADDRESSES = 10_000;

/** One bucket for each address. */
export class AddressLimiter {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Whether the address may go on; takes a token where it may. */
  allows(address: string, nowMs: number): boolean {
    if (this.#rate.perSecond === 0) {
      return true;
    }
    const key = limitedNetwork(address);
    const { bucket, isAllowed } = takeToken(this.#buckets.get(key), this.#rate, nowMs);
    this.#buckets.delete(key);
    if (this.#buckets.size >= MAX_ADDRESSES) {
      const [oldest = ''] = this.#buckets.keys();
      this.#buckets.delete(oldest);
    }
    this.#buckets.set(key, bucket);
    return isAllowed;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#buckets.size;
  }
}

/**
 * What of an address is one peer: all of IPv4, the first 64 bits of IPv6, of which every subscriber
 * has 2^64 addresses (RFC 6177 §2).
 */
export function limitedNetwork(address: string): string {
  const bare = address.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
  if (!isIPv6(bare)) {
    return bare;
  }
  const [head = '', tail] = bare.split('::');
  const groups = (text: string | undefined): string[] =>
    // An IPv4 address at the end stands for two groups.
    (text ?? '').split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : group || []));
  const [first, last] = [groups(head), groups(tail)];
  const between = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0');
  const network = [...first, ...(tail === undefined ? [] : between), ...last].slice(0, 4);
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
