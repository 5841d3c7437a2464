/** One connection that publishes a track, and what waits for its turn (turns.ts). */
import type { Sample } from '../cmaf/index.ts';
import type { PublisherIdentity } from './follow.ts';
import type { TrackHeader } from './trackHeader.ts';

/** One connection that publishes a track. */
export type Publisher = PublisherIdentity & {
  readonly header: TrackHeader;
  /** A changed header may not take over before this segment; Infinity while its era is agreed on. */
  fromMsn: number;
  /** Its connection has ended. */
  isGone: boolean;
  /** It was found on disk: what it left open is its own to go on with. */
  readonly isRestored: boolean;
  /** Samples whose turn has not come, oldest first. */
  readonly ahead: Sample[];
  /** It was late at a boundary: it gets this one instead. */
  heirFrom: number | undefined;
  /** Newest decode time that it sent. */
  newest: number;
  /** When it was first and last heard (Unix ms). */
  firstHeardMs: number;
  heardMs: number;
};

/** A publisher that has sent nothing yet. */
export function newPublisher(
  identity: PublisherIdentity,
  header: TrackHeader,
  isRestored = false,
): Publisher {
  return {
    slot: identity.slot,
    epoch: identity.epoch,
    header,
    fromMsn: 0,
    isGone: isRestored,
    isRestored,
    ahead: [],
    heirFrom: undefined,
    newest: -1,
    firstHeardMs: Infinity,
    heardMs: 0,
  };
}
