/**
 * What ffmpeg's last lines say of the encoder itself, as against the feed or the network. Pure.
 * Texts are ffmpeg's own (libavcodec/nvenc.c, vaapi_encode.c, qsv.c, libavutil/hwcontext_*.c).
 */

/** Why an encoder does not go on. */
export type EncoderFault = {
  /**
   * `sessions`: it has as many as it allows; `device`: it is gone, busy or too old; `unsupported`:
   * it will never do this.
   */
  readonly kind: 'sessions' | 'device' | 'unsupported';
  /** ffmpeg's line. */
  readonly reason: string;
};

const TEXTS: readonly (readonly [EncoderFault['kind'], RegExp])[] = [
  // GeForce drivers say either when their sessions are used up.
  ['sessions', /OpenEncodeSessionEx failed: (?:out of memory|incompatible client key)/],
  ['sessions', /CreateInputBuffer failed: out of memory/],
  ['unsupported', /Unknown encoder '|Encoder not found|Unrecognized option '|No such filter: '/],
  [
    'unsupported',
    /not supported by (?:this|the) (?:device|hardware)|Codec not supported|No usable encoding/,
  ],
  [
    'unsupported',
    /(?:Requested|Specified) (?:pixel format|profile|rate control mode|RC mode).*not supported/i,
  ],
  ['device', /OpenEncodeSessionEx failed|InitializeEncoder failed|EncodePicture failed/],
  [
    'device',
    /Cannot (?:load lib(?:cuda|nvcuvid|nvidia-encode)|init CUDA)|Could not dynamically load CUDA/,
  ],
  [
    'device',
    /CUDA_ERROR_\w+|No (?:NVENC )?capable devices found|does not support the required nvenc API/,
  ],
  ['device', /No VA display found|Failed to initiali[sz]e VAAPI connection|(?:HW|hardware) busy/i],
  [
    'device',
    /Failed to (?:begin|end) picture encode issue|Failed to create (?:encode )?(?:surface|context)/,
  ],
  [
    'device',
    /(?:Error (?:initializing|creating) an? (?:internal )?MFX session|Error during encoding: device)/,
  ],
  ['device', /Device creation failed|device (?:failed|lost|busy) \(/i],
];

/** The first fault that the lines name, oldest first; undefined where none of them is the encoder's. */
export function encoderFault(lines: readonly string[]): EncoderFault | undefined {
  for (const [kind, text] of TEXTS) {
    const line = lines.find((one) => text.test(one));
    if (line !== undefined) {
      return { kind, reason: line.slice(0, 200) };
    }
  }
  return undefined;
}
