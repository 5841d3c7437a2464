import { expect, it } from 'vitest';
import { childBoxes, type ReadBox } from './boxSplitter.ts';
import { videoCodecs } from './videoCodecs.ts';

/** Beginnings of what ffmpeg 5.1 writes for libx265 and libsvtav1 at 640x360. */
const HEVC = '0101600000009000000000003ff000fcfdf8f800000f03';
const AV1 = '81010c00';

function box(type: string, payload: string): ReadBox[] {
  const body = Buffer.from(payload, 'hex');
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeUInt32BE(bytes.length);
  bytes.write(type, 4, 'latin1');
  body.copy(bytes, 8);
  return childBoxes(bytes);
}

it.each([
  ['avc1', 'avcC', '014d401f', 'avc1.4D401F'],
  ['hvc1', 'hvcC', HEVC, 'hvc1.1.6.L63.90'],
  // Main 10, high tier, level 5.1, no constraint but progressive; as ISO/IEC 14496-15 E.3 writes it.
  ['hvc1', 'hvcC', '0122200000008000000000009900', 'hvc1.2.4.H153.80'],
  ['hvc1', 'hvcC', '0141600000000000000000005d', 'hvc1.A1.6.L93'],
  ['av01', 'av1C', AV1, 'av01.0.01M.08'],
  // High tier, 10 bit, level 5.1: `seq_tier_0` and `high_bitdepth`.
  ['av01', 'av1C', '810dcc00', 'av01.0.13H.10'],
  ['av01', 'av1C', '814d6c00', 'av01.2.13M.12'],
])('%s with %s %s is %s', (entry, type, payload, codecs) => {
  expect(videoCodecs(entry, box(type, payload))).toBe(codecs);
});

it.each([
  ['hev1', 'hvcC', HEVC, 'video sample entry "hev1", not one of avc1, hvc1, av01'],
  ['hvc1', 'avcC', '014d401f', 'no hvcC'],
  ['hvc1', 'hvcC', '0101', 'hvcC'],
])('%s with %s %s is refused', (entry, type, payload, fault) => {
  expect(() => videoCodecs(entry, box(type, payload))).toThrow(fault);
});
