import { expect, test } from 'vitest';
import { encoderFault } from './encoderFault.ts';

const OPENING =
  'Error initializing output stream 0:0 -- Error while opening encoder for output stream #0:0 - maybe incorrect parameters such as bit_rate, rate, width or height';

test.each([
  ['sessions', 'h264_nvenc: OpenEncodeSessionEx failed: out of memory (10): (no details)'],
  [
    'sessions',
    'h264_nvenc: OpenEncodeSessionEx failed: incompatible client key (21): (no details)',
  ],
  ['sessions', 'hevc_nvenc: CreateInputBuffer failed: out of memory (10): (no details)'],
  ['device', 'h264_nvenc: OpenEncodeSessionEx failed: unsupported device (2): (no details)'],
  ['device', 'h264_nvenc: Cannot load libcuda.so.1'],
  ['device', 'AVHWDeviceContext: Could not dynamically load CUDA'],
  ['device', 'h264_nvenc: No capable devices found'],
  [
    'device',
    'h264_nvenc: dl_fn->cuda_dl->cuInit(0) failed -> CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected',
  ],
  ['device', 'h264_nvenc: EncodePicture failed!: generic error (20): CUDA context lost'],
  [
    'device',
    'h264_nvenc: Driver does not support the required nvenc API version. Required: 12.1 Found: 11.1',
  ],
  ['device', 'AVHWDeviceContext: No VA display found for device /dev/dri/renderD128.'],
  ['device', 'AVHWDeviceContext: Failed to initialise VAAPI connection: -1 (unknown libva error).'],
  ['device', 'h264_vaapi: Failed to end picture encode issue: 24 (internal encoding error).'],
  ['device', 'h264_qsv: Error initializing an internal MFX session: unsupported (-3)'],
  ['device', 'h264_qsv: Error during encoding: device failed (-17)'],
  ['device', 'Device creation failed: -542398533.'],
  ['unsupported', "Unknown encoder 'av1_nvenc'"],
  ['unsupported', "AVFilterGraph: No such filter: 'scale_cuda'"],
  [
    'unsupported',
    'h264_vaapi: No usable encoding entrypoint found for profile VAProfileH264Main (6).',
  ],
  ['unsupported', 'av1_nvenc: Codec not supported'],
] as const)('%s: %s', (kind, line) => {
  expect(encoderFault(['a warning before it', line, OPENING])).toEqual({ kind, reason: line });
});

test.each([
  [[]],
  [['matroska,webm: File ended prematurely', 'pipe:0: Invalid data found when processing input']],
  [['h264: error while decoding MB 12 3, bytestream -5', 'Error while decoding stream #0:0']],
  [['unix:/tmp/x/v720: Connection refused', 'Conversion failed!']],
  [[OPENING]],
])('%j says nothing of the encoder', (lines) => {
  expect(encoderFault(lines)).toBeUndefined();
});

test('the cause is told, not what follows from it', () => {
  const lines = [
    'h264_nvenc: OpenEncodeSessionEx failed: out of memory (10): (no details)',
    'h264_nvenc: No capable devices found',
    OPENING,
  ];
  expect(encoderFault(lines)?.kind).toBe('sessions');
});
