import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  avcDecoderConfiguration,
  parsePictureParameterSetIds,
  parseSequenceParameterSet,
} from './sequenceParameterSet.ts';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

describe('parseSequenceParameterSet', () => {
  // Made with ffmpeg -f lavfi -i testsrc=size=WxH -c:v libx264 -profile:v P (x264 164).
  it.each([
    ['cropped 1080p', '6742c028da01e0089f970110000003001000000303c0f1832a', 1920, 1080, 1, 8],
    ['360p', '6742c01eda0280bfe5c044000003000400000300f03c58ba80', 640, 360, 1, 8],
    [
      '4:4:4, cropped both ways',
      '67f4001f919680d83de2fc0440000003004000000f03c60ca8',
      854,
      480,
      3,
      8,
    ],
    ['10 bit', '676e001fa6cb402802dd8088000003000800000301e078c195', 1280, 720, 1, 10],
  ])('%s', (_name, hex, width, height, chromaFormat, bitDepthLuma) => {
    const parsed = parseSequenceParameterSet(bytes(hex));
    expect(parsed).toMatchObject({ id: 0, width, height, chromaFormat, bitDepthLuma });
  });

  it('gives undefined, never a throw, for other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (nal) => {
        const parsed = parseSequenceParameterSet(nal);
        expect(parsed === undefined || parsed.width <= 16_384).toBe(true);
        const ids = parsePictureParameterSetIds(nal);
        expect(ids === undefined || ids.spsId <= 31).toBe(true);
      }),
    );
  });
});

describe('avcDecoderConfiguration', () => {
  it('is the record of ISO/IEC 14496-15, with the extension of the high profiles', () => {
    const sps = bytes('676e001fa6cb402802dd8088000003000800000301e078c195');
    const parsed = parseSequenceParameterSet(sps)!;
    const record = avcDecoderConfiguration([sps], [bytes('68ce0fc8')], parsed);
    expect(Buffer.from(record).toString('hex')).toBe(
      '016e001fffe1' +
        '0019676e001fa6cb402802dd8088000003000800000301e078c195' +
        '01' +
        '000468ce0fc8' +
        'fdfafa00',
    );
  });
});
