/**
 * The one table of error codes. A fault of the environment or of a peer carries a stable `code`
 * and whose fault it is, so that the edge that handles it can answer without reading text.
 */

/** Whose fault an error is: decides who is told and at which log level. */
export type Fault = 'peer' | 'viewer' | 'config' | 'us';

/** Every code, with whose fault it is. */
export const ERROR_CODES = {
  bad_message: 'peer',
  bad_sdp: 'peer',
  bad_media: 'peer',
  bad_init: 'peer',
  off_grid: 'peer',
  fenced: 'peer',
  unauthorized: 'peer',
  too_large: 'peer',
  streamer_silent: 'peer',
  bad_request: 'viewer',
  not_found: 'viewer',
  too_busy: 'us',
  bad_config: 'config',
  missing_tool: 'config',
  port_in_use: 'config',
  ffmpeg_failed: 'us',
  encoder_failed: 'us',
  encoder_unsupported: 'us',
  redis_unavailable: 'us',
  feed_unavailable: 'us',
  origin_unavailable: 'us',
  peer_failed: 'us',
  process_failed: 'us',
} as const satisfies Record<string, Fault>;

/** A stable name for what went wrong. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An expected failure: what happened, to which stream, and what to do, with a stable code. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  /** Name of the broadcast, track or peer it happened to, when there is one. */
  readonly subject: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly subject?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.subject = options.subject;
  }

  get fault(): Fault {
    return ERROR_CODES[this.code];
  }
}

/** Text of anything that was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Fails loudly where a union was not handled; unreachable in a correct program. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
