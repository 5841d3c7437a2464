/**
 * `codecs` (RFC 6381) of a visual sample entry, from the decoder configuration in it. Parameter sets
 * must stand there and not in the samples: `hev1` and `avc3` are refused.
 */
import { GatewayError } from '../../infra/kernel/errors.ts';
import { payloadOf, type ReadBox } from './boxSplitter.ts';
import { ByteReader } from './bytes.ts';

/** Sample entries that are taken, with the box of their decoder configuration. */
const CONFIGURATIONS: Readonly<Record<string, string>> = {
  avc1: 'avcC',
  hvc1: 'hvcC',
  av01: 'av1C',
};

/**
 * @param entry type of the sample entry
 * @param boxes inside it
 * @throws GatewayError `bad_init` where it is of no codec of ours
 */
export function videoCodecs(entry: string, boxes: readonly ReadBox[]): string {
  const type = CONFIGURATIONS[entry];
  if (type === undefined) {
    const known = Object.keys(CONFIGURATIONS).join(', ');
    throw new GatewayError(
      'bad_init',
      `video sample entry ${JSON.stringify(entry)}, not one of ${known}`,
    );
  }
  const box = boxes.find((one) => one.type === type);
  if (box === undefined) {
    throw new GatewayError('bad_init', `no ${type}`);
  }
  const reader = new ByteReader(payloadOf(box), type);
  switch (entry) {
    case 'hvc1':
      return hevc(reader);
    case 'av01':
      return av1(reader);
    default:
      // ISO/IEC 14496-15 §5.3.3.1: profile, compatibility, level.
      reader.skip(1);
      return `avc1.${hex(reader.bytes(3))}`;
  }
}

/** ISO/IEC 14496-15 §8.3.3.1 and Annex E.3: `hvc1.1.6.L93.90`. */
function hevc(reader: ByteReader): string {
  reader.skip(1);
  const profile = reader.u8();
  const compatibility = reader.u32();
  const constraints = [...reader.bytes(6)];
  const level = reader.u8();
  const space = ['', 'A', 'B', 'C'][profile >> 6] ?? '';
  const tier = (profile & 0x20) === 0 ? 'L' : 'H';
  while (constraints.at(-1) === 0) {
    constraints.pop();
  }
  return [
    'hvc1',
    `${space}${profile & 0x1f}`,
    reversedBits(compatibility).toString(16).toUpperCase(),
    `${tier}${level}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join('.');
}

/** AV1-ISOBMFF §5: `av01.0.04M.08`. */
function av1(reader: ByteReader): string {
  reader.skip(1);
  const profileAndLevel = reader.u8();
  const flags = reader.u8();
  const profile = profileAndLevel >> 5;
  const level = String(profileAndLevel & 0x1f).padStart(2, '0');
  const isHigh = (flags & 0x40) !== 0;
  const depth = !isHigh ? '08' : profile === 2 && (flags & 0x20) !== 0 ? '12' : '10';
  return `av01.${profile}.${level}${(flags & 0x80) === 0 ? 'M' : 'H'}.${depth}`;
}

function reversedBits(value: number): number {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) {
    reversed = (reversed << 1) | ((value >>> bit) & 1);
  }
  return reversed >>> 0;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}
