/** A broadcast as the API shows it (architecture §5). Pure. */
import type { RoleStatuses } from './directory.ts';
import type { UnixMs } from '../kernel/time.ts';
import type { Broadcast, BroadcastState } from '../kernel/wire.ts';

/** What signalling knows of a broadcast's streamer. */
export type StreamerState = {
  readonly isConnected: boolean;
  readonly presenter: { readonly connected: boolean; readonly playerId?: string } | null;
};

/** The API's shape of a broadcast. */
export type BroadcastView = {
  readonly id: string;
  readonly state: BroadcastState;
  readonly reason?: string;
  readonly source: Broadcast['source'];
  /** ISO 8601 instant of the last change of state. */
  readonly since: string;
  readonly tracks: readonly unknown[];
  readonly encoder: string | null;
  readonly encoderReason: string | null;
  readonly urls: {
    readonly hls: string;
    readonly dash: string;
    readonly watch: string;
    readonly present: string;
  };
  readonly presenter: StreamerState['presenter'];
  readonly health: Readonly<Record<string, number | string | null>>;
};

/** A published stream older than this is not live any more. */
const STALE_MS = 3000;

/** The state that follows from what the roles said last, and why where that helps. */
export function stateOf(
  statuses: RoleStatuses,
  streamer: StreamerState,
  nowMs: UnixMs,
): { readonly state: BroadcastState; readonly reason?: string } {
  const { ingest, transcode, origin } = statuses;
  // Before the first whole segment of every track there is no playlist to give.
  if (origin?.lastMsn !== undefined) {
    if (origin.newestMs !== undefined && nowMs - origin.newestMs < STALE_MS) {
      return { state: 'live' };
    }
    const reason = streamer.isConnected ? 'the stream is coming back' : 'the streamer is gone';
    return { state: 'interrupted', reason };
  }
  if (!streamer.isConnected) {
    return { state: 'idle', reason: 'the streamer is not connected' };
  }
  if (ingest?.state === 'live' && transcode === undefined) {
    return { state: 'queued', reason: 'no worker is free' };
  }
  const reason = ingest?.reason ?? transcode?.reason;
  return reason === undefined ? { state: 'starting' } : { state: 'starting', reason };
}

/** Renders the view. `since` is when `state` was first seen. */
export function broadcastView(
  broadcast: Broadcast,
  statuses: RoleStatuses,
  streamer: StreamerState,
  at: { readonly nowMs: UnixMs; readonly since: UnixMs },
): BroadcastView {
  const { transcode, origin } = statuses;
  return {
    id: broadcast.id,
    ...stateOf(statuses, streamer, at.nowMs),
    source: broadcast.source,
    since: new Date(at.since).toISOString(),
    tracks: origin?.tracks ?? [],
    encoder: transcode?.encoder ?? null,
    encoderReason: transcode?.encoderReason ?? null,
    urls: {
      hls: `/live/${broadcast.id}/main.m3u8`,
      dash: `/live/${broadcast.id}/manifest.mpd`,
      watch: `/watch/${broadcast.id}`,
      present: `/present/${broadcast.id}`,
    },
    presenter: streamer.presenter,
    health: healthOf(statuses),
  };
}

function healthOf({ ingest, transcode, origin }: RoleStatuses): BroadcastView['health'] {
  const values = {
    lastMsn: origin?.lastMsn,
    publishDelayMs: origin?.publishDelayMs,
    ingest: ingest?.state,
    ingestBitrateBps: ingest?.bitrateBps,
    framesIn: ingest?.framesIn,
    framesDamaged: ingest?.framesDamaged,
    plisSent: ingest?.plisSent,
    nacksSent: ingest?.nacksSent,
    transcode: transcode?.state,
    encoderSpeed: transcode?.speed,
    encoderRestarts: transcode?.restarts,
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? null]));
}
