/**
 * Streamers by address: Unreal 4.26 to 5.4 can be told an address and a port only, so it cannot
 * carry a token. A token that is there decides all the same.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { Admission, AdmissionRequest, Identity, Refusal } from '../admission.ts';
import { findToken } from './findToken.ts';

/** This machine. */
export const LOOPBACK = ['127.0.0.0/8', '::1'] as const;

const STREAMER: Identity = { kind: 'identity', role: 'streamer', subject: undefined };

const NOT_LISTED: Refusal = {
  kind: 'refusal',
  status: 403,
  reason: 'Streamers from this address are not allowed here.',
};

/** Headers by which a proxy says that the peer is someone else. */
const PROXY_HEADERS = ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'] as const;

/** Addresses and ranges (CIDR) of IPv4 and IPv6. */
export class AddressList {
  readonly #list = new BlockList();

  /** @param ranges as `parseRange` takes them */
  constructor(ranges: readonly string[]) {
    for (const text of ranges) {
      const range = parseRange(text);
      if (range === undefined) {
        throw new RangeError(`not an address or CIDR range: ${text}`);
      }
      this.#list.addSubnet(range.address, range.bits, range.family);
    }
  }

  /** Whether the address is in a range; an IPv4 address in IPv6's clothes is one of IPv4. */
  has(address: string): boolean {
    const bare = address.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
    return isIPv4(bare)
      ? this.#list.check(bare, 'ipv4')
      : isIPv6(bare) && this.#list.check(bare, 'ipv6');
  }
}

/** The parts of `10.0.0.0/8` or `::1`; undefined for any other text. */
export function parseRange(
  text: string,
):
  | { readonly address: string; readonly bits: number; readonly family: 'ipv4' | 'ipv6' }
  | undefined {
  const match = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? '';
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
  if (family === undefined) {
    return undefined;
  }
  const most = family === 'ipv4' ? 32 : 128;
  const bits = Number(match?.[2] ?? most);
  return bits <= most ? { address, bits, family } : undefined;
}

/**
 * Puts an allow-list before another admission, for streamers and SFUs.
 *
 * @param others who decides about streamers that are not on it; `nobody`: they are refused
 */
export function withStreamerAddresses(
  inner: Admission,
  ranges: readonly string[],
  others: 'inner' | 'nobody',
): Admission {
  const listed = new AddressList(ranges);
  const loopback = new AddressList(LOOPBACK);
  const isListed = ({ remoteAddress, headers }: AdmissionRequest): boolean =>
    listed.has(remoteAddress) &&
    // Behind a proxy on this machine that nobody configured, the whole world is loopback.
    !(loopback.has(remoteAddress) && PROXY_HEADERS.some((name) => headers.has(name)));
  return {
    admit(request, signal) {
      if (request.kind === 'player') {
        return inner.admit(request, signal);
      }
      if (others === 'nobody') {
        return Promise.resolve(isListed(request) ? STREAMER : NOT_LISTED);
      }
      return findToken(request, []).kind === 'none' && isListed(request)
        ? Promise.resolve(STREAMER)
        : inner.admit(request, signal);
    },
  };
}
