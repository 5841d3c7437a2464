/**
 * Every encoder that a worker may use, as data: per class what is set up once, and per codec the
 * name of ffmpeg's encoder with its own options. Rate, grid and colour are the same for all and
 * stand in encoder.ts. All of them make IDR pictures only where they are told to and no B pictures.
 *
 * Run here: libx264, libx265, libsvtav1. The others were checked against the options that ffmpeg 5.1
 * lists for them (`ffmpeg -h encoder=…`); av1_nvenc, av1_qsv and av1_vaapi came after 5.1.
 */
import type { EncoderClass, VideoCodec } from '../../infra/kernel/encoders.ts';
import type { X264Preset } from './config.ts';

/** An encoder of ffmpeg and its own options. */
export type EncoderEntry = {
  readonly name: string;
  readonly options: readonly string[];
  /** It refuses a cap (`-maxrate`) at the bitrate; it is told the bitrate alone. */
  readonly isCapRefused?: boolean;
};

/** Encoders in software: preset, and threads of each rung. */
export type SoftwareTuning = { readonly preset: X264Preset; readonly threads: number };

/** What a GPU needs around its encoder. */
export type GpuEntry = {
  /** Global options: opens the device as `gpu`. */
  readonly device: (device: string | undefined) => readonly string[];
  /**
   * Input options: decodes on the GPU where it can, and takes the picture down again: a picture
   * that stays up brings new `hw_frames_ctx` when the source changes its size, upon which ffmpeg
   * starts the filter graph anew whatever `-reinit_filter` says, `fps` with it, at T0.
   */
  readonly decode: readonly string[];
  /** Filters that take a picture up. */
  readonly upload: string;
  /** Filter that scales a picture that is up. */
  readonly scale: string;
  /** Whether the encoder takes pictures only from the GPU's memory. */
  readonly isUploadNeeded: boolean;
};

type GpuClass = Exclude<EncoderClass, 'x264'>;

const RENDER_NODE = '/dev/dri/renderD128';

/** GPUs. Quick Sync on Linux is opened through VAAPI, which decodes for it. */
export const GPUS: Readonly<Record<GpuClass, GpuEntry>> = {
  nvenc: {
    device: (device) => open(`cuda=gpu${device === undefined ? '' : `:${device}`}`),
    decode: ['-hwaccel', 'cuda', '-hwaccel_device', 'gpu'],
    upload: 'format=nv12,hwupload',
    scale: 'scale_cuda',
    isUploadNeeded: false,
  },
  qsv: {
    device: (device = RENDER_NODE) => [
      ...['-init_hw_device', `vaapi=va:${device}`],
      ...open('qsv=gpu@va'),
    ],
    decode: ['-hwaccel', 'vaapi', '-hwaccel_device', 'va'],
    upload: 'format=nv12,hwupload=extra_hw_frames=16',
    scale: 'scale_qsv',
    isUploadNeeded: true,
  },
  vaapi: {
    device: (device = RENDER_NODE) => open(`vaapi=gpu:${device}`),
    decode: ['-hwaccel', 'vaapi', '-hwaccel_device', 'gpu'],
    upload: 'format=nv12,hwupload',
    scale: 'scale_vaapi',
    isUploadNeeded: true,
  },
};

function open(device: string): string[] {
  return ['-init_hw_device', device, '-filter_hw_device', 'gpu'];
}

/** Never reached: keyframes come from `-force_key_frames` alone. */
const NO_PERIODIC_KEYFRAMES = ['-g', '100000'];
const H264_MAIN = ['-profile:v', 'main'];
/** Parameter sets stand in the header alone (ISO/IEC 14496-15 §8.3.3): Apple plays nothing else. */
const HEVC_MAIN = ['-profile:v', 'main', '-tag:v', 'hvc1'];

// p4 with ultra-low-latency tuning: no look-ahead, no reordering, and no picture held back
// (`-delay 0`; NVENC keeps several in flight by default).
const NVENC = [
  ...['-preset', 'p4', '-tune', 'ull', '-rc', 'cbr', '-zerolatency', '1', '-delay', '0'],
  ...['-rc-lookahead', '0', '-no-scenecut', '1', '-forced-idr', '1', '-b_ref_mode', 'disabled'],
  ...['-bf', '0', ...NO_PERIODIC_KEYFRAMES],
];
// Equal `-b:v` and `-maxrate` mean CBR; `low_delay_brc` keeps every picture near its share, and one
// picture in flight (`async_depth`) is one that is not held.
const QSV = [
  ...['-preset', 'veryfast', '-async_depth', '1', '-low_delay_brc', '1'],
  ...['-forced_idr', '1', '-bf', '0', ...NO_PERIODIC_KEYFRAMES],
];
// A picture that is asked to be intra is an IDR here (vaapi_encode.c); `-sei 0` keeps the driver's
// texts out of the stream, so that the header does not depend on them.
const VAAPI = [
  ...['-rc_mode', 'CBR', '-async_depth', '1', '-idr_interval', '0'],
  ...['-bf', '0', ...NO_PERIODIC_KEYFRAMES],
];

/** The encoder of `codec` in a GPU class. */
export const GPU_ENCODERS: Readonly<Record<GpuClass, Readonly<Record<VideoCodec, EncoderEntry>>>> =
  {
    nvenc: {
      h264: { name: 'h264_nvenc', options: [...NVENC, '-a53cc', '0', ...H264_MAIN] },
      hevc: { name: 'hevc_nvenc', options: [...NVENC, '-a53cc', '0', ...HEVC_MAIN] },
      av1: { name: 'av1_nvenc', options: NVENC },
    },
    qsv: {
      h264: {
        name: 'h264_qsv',
        options: [...QSV, '-look_ahead', '0', '-a53cc', '0', ...H264_MAIN],
      },
      hevc: { name: 'hevc_qsv', options: [...QSV, ...HEVC_MAIN] },
      av1: { name: 'av1_qsv', options: QSV },
    },
    vaapi: {
      h264: { name: 'h264_vaapi', options: [...VAAPI, '-sei', '0', ...H264_MAIN] },
      hevc: { name: 'hevc_vaapi', options: [...VAAPI, '-sei', '0', ...HEVC_MAIN] },
      av1: { name: 'av1_vaapi', options: VAAPI },
    },
  };

/** SVT-AV1's preset for one of x264's: from 10 on it is made for live. */
const SVT_PRESETS: Readonly<Record<X264Preset, string>> = {
  ultrafast: '12',
  superfast: '11',
  veryfast: '10',
  faster: '9',
  fast: '8',
};

/** The software encoder of `codec`. @param framesPerSegment for SVT-AV1, which takes no orders */
export function softwareEncoder(
  codec: VideoCodec,
  { preset, threads }: SoftwareTuning,
  framesPerSegment: number,
): EncoderEntry {
  switch (codec) {
    case 'h264':
      return {
        name: 'libx264',
        options: [
          ...['-preset', preset, '-tune', 'zerolatency', '-threads', `${threads}`],
          ...['-sc_threshold', '0', '-flags', '+cgop', ...H264_MAIN],
          ...['-bf', '0', ...NO_PERIODIC_KEYFRAMES, '-forced-idr', '1'],
        ],
      };
    case 'hevc':
      return {
        name: 'libx265',
        options: [
          ...['-preset', preset, '-tune', 'zerolatency', '-forced-idr', '1', ...HEVC_MAIN],
          '-x265-params',
          `log-level=error:pools=${threads}:frame-threads=1:scenecut=0:open-gop=0:bframes=0:keyint=100000:info=0`,
        ],
      };
    case 'av1':
      // Low-delay prediction is constant bitrate. It makes keyframes by itself alone: `-g` counts
      // from T0, and no slot after it is left out, so its grid is ours.
      return {
        name: 'libsvtav1',
        isCapRefused: true,
        options: [
          ...['-preset', SVT_PRESETS[preset], '-g', `${framesPerSegment}`, '-svtav1-params'],
          `pred-struct=1:lookahead=0:scd=0:irefresh-type=2:lp=${threads}`,
        ],
      };
  }
}
