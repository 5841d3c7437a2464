/** Ends a run that an origin has refused for a newer one. */
import type { GatewayError } from '../../infra/kernel/errors.ts';

/**
 * The successor is followed track by track, at each where it begins a segment: who ended with the
 * first would leave the sound of the last segment short, and other origins without its end. All
 * have come to a boundary after one segment; this is for what is on its way.
 */
const MARGIN_MS = 1000;

/** A fence that is not up yet. */
export type Fence = {
  /** An origin follows a newer run; the first counts. */
  refused(error: GatewayError): void;
  /** Nothing will be ended any more. */
  close(): void;
};

/** Calls `end` with the first refusal, a segment and a margin after it. */
export function fenceOf(segmentMs: number, end: (error: GatewayError) => void): Fence {
  let timer: NodeJS.Timeout | undefined;
  return {
    refused(error) {
      timer ??= setTimeout(() => {
        end(error);
      }, segmentMs + MARGIN_MS);
    },
    close() {
      clearTimeout(timer);
    },
  };
}
