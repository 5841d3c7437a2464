/** A broadcast as the API shows it (architecture §5). Pure. */
import { leftOutOf } from './desired.ts';
import type { RoleStatuses } from './directory.ts';
import { isMeasured } from './measuring.ts';
import { redactUrl } from '../kernel/secret.ts';
import type { UnixMs } from '../kernel/time.ts';
import type { Broadcast, BroadcastState, OriginStatus } from '../kernel/wire.ts';

/** What signalling knows of a broadcast's streamer; not connected where it has none. */
export type StreamerState = {
  readonly isConnected: boolean;
  readonly presenter: { readonly connected: boolean; readonly playerId?: string } | null;
};

/** The API's shape of a broadcast. */
export type BroadcastView = {
  readonly id: string;
  readonly state: BroadcastState;
  readonly reason?: string;
  /** Whether media is published: while `interrupted` too, if a slate stands for the picture. */
  readonly isOnAir: boolean;
  readonly source: Broadcast['source'];
  /** ISO 8601 instant of the last change of state. */
  readonly since: string;
  readonly tracks: readonly unknown[];
  /** Rungs of its ladder that are not encoded, and why. */
  readonly leftOut: { readonly tracks: readonly string[]; readonly reason: string } | null;
  readonly encoder: string | null;
  readonly encoderReason: string | null;
  readonly redundancy: Broadcast['redundancy'];
  readonly urls: {
    readonly hls: string;
    readonly dash: string;
    /** The whole window that can be rewound to. */
    readonly dvrHls: string;
    readonly dvrDash: string;
    readonly watch: string;
    /** Null where nobody presents here: somebody else publishes, or has the signalling server. */
    readonly present: string | null;
  };
  /** What is recorded of this run, or was of the last one; its URLs answer once it is complete. */
  readonly recording:
    (RecordingUrls & { readonly id: string; readonly isComplete: boolean }) | null;
  /** State of the disk behind the live window. */
  readonly storage: OriginStatus['storage'] | null;
  readonly presenter: StreamerState['presenter'];
  readonly health: Readonly<Record<string, number | string | null>>;
};

/** Where a recording is played from. */
export type RecordingUrls = { readonly hls: string; readonly dash: string };

type State = { readonly state: BroadcastState; readonly reason?: string };

/** A published stream older than this is not live any more. */
const STALE_MS = 3000;

/** The state that follows from what is desired and what the roles said last, and why where that helps. */
export function stateOf(
  broadcast: Broadcast,
  statuses: RoleStatuses,
  streamer: StreamerState,
  nowMs: UnixMs,
): State {
  const { source, endedMs, redundancy } = broadcast;
  const { origin } = statuses;
  if (endedMs !== undefined) {
    const isClosing = origin !== undefined && origin.isEnded !== true;
    return { state: 'ended', ...(isClosing ? { reason: 'the last segments are closed' } : {}) };
  }
  const isPublished = source.kind === 'publish';
  // Before the first whole segment of every track there is no playlist to give.
  if (origin?.lastMsn !== undefined && origin.isEnded !== true) {
    if (isOnAir(origin, nowMs) && statuses.ingest?.state !== 'interrupted') {
      return { state: 'live', ...degradation(redundancy, isPublished, statuses) };
    }
    return { state: 'interrupted', reason: interruption(isPublished, statuses, streamer) };
  }
  return isPublished
    ? stateBeforePublish(origin)
    : stateBeforeMedia(statuses, streamer, isMeasured(broadcast));
}

/** Why a broadcast that plays could be lost with one worker although it is to have two. */
function degradation(
  redundancy: Broadcast['redundancy'],
  isPublished: boolean,
  { slots }: RoleStatuses,
): { readonly reason?: string } {
  return isPublished || slots >= redundancy
    ? {}
    : { reason: `degraded: ${slots} of ${redundancy} encoders run; it needs another free worker` };
}

function isOnAir(origin: OriginStatus | undefined, nowMs: UnixMs): boolean {
  return origin?.newestMs !== undefined && nowMs - origin.newestMs < STALE_MS;
}

function stateBeforePublish(origin: OriginStatus | undefined): State {
  return (origin?.tracks ?? []).length > 0
    ? { state: 'starting', reason: 'waiting for the first whole segment of every track' }
    : { state: 'idle', reason: 'nobody publishes' };
}

function stateBeforeMedia(
  { ingest, transcode, wait }: RoleStatuses,
  streamer: StreamerState,
  isLadderKnown: boolean,
): State {
  if (!streamer.isConnected) {
    return { state: 'idle', reason: ingest?.reason ?? 'the streamer is not connected' };
  }
  if (ingest?.state === 'live' && !isLadderKnown) {
    return { state: 'starting', reason: 'measuring the source: rungs above it are left out' };
  }
  if (ingest?.state === 'live' && transcode === undefined) {
    return { state: 'queued', reason: wait ?? 'no worker has taken it yet' };
  }
  const reason = ingest?.reason ?? transcode?.reason;
  return reason === undefined ? { state: 'starting' } : { state: 'starting', reason };
}

function interruption(
  isPublished: boolean,
  { transcode, wait }: RoleStatuses,
  { isConnected }: StreamerState,
): string {
  if (isPublished) {
    return 'the publisher is gone';
  }
  if (isConnected && transcode === undefined && wait !== undefined) {
    return wait;
  }
  return isConnected ? 'the stream is coming back' : 'the streamer is gone';
}

/** Where recording `id` of a broadcast is played from. */
export function recordingUrls(broadcastId: string, id: string): RecordingUrls {
  const base = `/vod/${broadcastId}/${id}`;
  return { hls: `${base}/main.m3u8`, dash: `${base}/manifest.mpd` };
}

function hasStage(source: Broadcast['source']): boolean {
  return source.kind === 'pixel-streaming' && source.url === undefined;
}

/** Who reads the API may not learn what opens another server. */
function shownSource(source: Broadcast['source']): Broadcast['source'] {
  return source.kind === 'pixel-streaming' && source.url !== undefined
    ? { ...source, url: redactUrl(source.url) }
    : source;
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
    ...stateOf(broadcast, statuses, streamer, at.nowMs),
    isOnAir: broadcast.endedMs === undefined && isOnAir(origin, at.nowMs),
    source: shownSource(broadcast.source),
    since: new Date(broadcast.endedMs ?? at.since).toISOString(),
    tracks: origin?.tracks ?? [],
    leftOut: leftOutOf(broadcast) ?? null,
    encoder: transcode?.encoder ?? null,
    encoderReason: transcode?.encoderReason ?? null,
    redundancy: broadcast.redundancy,
    urls: {
      hls: `/live/${broadcast.id}/main.m3u8`,
      dash: `/live/${broadcast.id}/manifest.mpd`,
      dvrHls: `/live/${broadcast.id}/dvr.m3u8`,
      dvrDash: `/live/${broadcast.id}/dvr.mpd`,
      watch: `/watch/${broadcast.id}`,
      present: hasStage(broadcast.source) ? `/present/${broadcast.id}` : null,
    },
    recording: recordingOf(broadcast.id, origin),
    storage: origin?.storage ?? null,
    presenter: streamer.presenter,
    health: healthOf(statuses),
  };
}

function recordingOf(id: string, origin: RoleStatuses['origin']): BroadcastView['recording'] {
  return origin?.recording === undefined
    ? null
    : {
        id: origin.recording,
        isComplete: origin.isEnded === true,
        ...recordingUrls(id, origin.recording),
      };
}

function healthOf({ ingest, transcode, origin }: RoleStatuses): BroadcastView['health'] {
  const values = {
    ...encodingHealth(transcode),
    lastMsn: origin?.lastMsn,
    publishDelayMs: origin?.publishDelayMs,
    ingest: ingest?.state,
    ingestBitrateBps: ingest?.bitrateBps,
    sourceCodec: ingest?.codec,
    sourceWidth: ingest?.width,
    sourceHeight: ingest?.height,
    framesIn: ingest?.framesIn,
    framesDamaged: ingest?.framesDamaged,
    plisSent: ingest?.plisSent,
    nacksSent: ingest?.nacksSent,
    roundTripMs: ingest?.roundTripMs,
    reorderMs: ingest?.reorderMs,
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? null]));
}

function encodingHealth(
  transcode: RoleStatuses['transcode'],
): Readonly<Record<string, number | string | undefined>> {
  return {
    transcode: transcode?.state,
    encoderSpeed: transcode?.speed,
    encoderRestarts: transcode?.restarts,
    fpsIn: transcode?.fpsIn,
    fpsOut: transcode?.fpsOut,
    videoDelayMs: transcode?.videoDelayMs,
    audioDelayMs: transcode?.audioDelayMs,
    epoch: transcode?.epoch,
  };
}
