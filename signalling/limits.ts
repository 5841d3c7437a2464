/**
 * Token buckets by address: how often someone may connect and how much it may say. Pure: the clock
 * is given. Bounded: addresses that have all their tokens again are forgotten.
 */

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
    const { bucket, isAllowed } = takeToken(this.#buckets.get(address), this.#rate, nowMs);
    this.#buckets.delete(address);
    if (this.#buckets.size >= MAX_ADDRESSES) {
      const [oldest = ''] = this.#buckets.keys();
      this.#buckets.delete(oldest);
    }
    this.#buckets.set(address, bucket);
    return isAllowed;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#buckets.size;
  }
}
