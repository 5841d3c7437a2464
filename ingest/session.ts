/**
 * One broadcast's ingest while its job runs: keeps a signalling connection and a peer alive, moves
 * what the peer receives into the contribution, watches that media comes, and tells the board.
 * Everything that fails is tried again, with one back-off per layer, until the job's signal aborts.
 */
import type { Clock } from '../infra/kernel/broadcastClock.ts';
import type { Directory, StatusBoard, TimelineAnchors } from '../infra/kernel/directory.ts';
import { errorText } from '../infra/kernel/errors.ts';
import { backoffMs, pause } from '../infra/kernel/lifecycle.ts';
import type { Logger } from '../infra/kernel/logger.ts';
import type { ApplicationEvent } from '../infra/kernel/media.ts';
import type { Metrics } from '../infra/kernel/metrics.ts';
import type { Secret } from '../infra/kernel/secret.ts';
import { unixMs } from '../infra/kernel/time.ts';
import { type Broadcast, type Epoch, feedPath, type IngestStatus } from '../infra/kernel/wire.ts';
import type { IngestConfig } from './config.ts';
import { type Contribution, createContribution } from './contribution.ts';
import { MediaWatchdog } from './mediaWatchdog.ts';
import { PeerCounts } from './peerCounts.ts';
import {
  connectSignalling,
  type SignallingClient,
  type SignallingTarget,
} from './pixelstreaming/signallingClient.ts';
import type { IceOptions } from './pixelstreaming/iceServers.ts';
import type { Dialect, SubscriptionEvent } from './pixelstreaming/subscription.ts';
import { signallingTarget } from './pixelstreaming/signallingTarget.ts';
import { createSlates } from './slate/slates.ts';
import { TimelineKeeper } from './timeline/keeper.ts';
import { chooseIce } from './webrtc/iceChoice.ts';
import type { ControlMessage } from './webrtc/controlChannel.ts';
import { monotonicMs, type PeerEvent, type PeerStats } from './webrtc/messages.ts';
import { createPeerThread, type PeerThread, type RemotePeer } from './webrtc/peerThread.ts';

/** What the ingest is given. */
export type IngestDeps = {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly directory: Pick<Directory, 'signallingServers'>;
  readonly board: Pick<StatusBoard, 'announceFeed' | 'withdrawFeed' | 'reportIngest'>;
  readonly anchors: TimelineAnchors;
  readonly internalToken: Secret;
  /** Base URL of this process's internal listener. */
  readonly internalBaseUrl: string;
  /** Makes the slates. */
  readonly ffmpegPath: string;
  /** Takes what applications say; called in order, must not throw. */
  readonly onApplicationEvent: (event: ApplicationEvent) => void;
};

const WATCH_EVERY_MS = 250;
const REPORT_EVERY_MS = 1000;

/** State of the present peer. */
type Active = {
  readonly peer: RemotePeer;
  readonly watchdog: MediaWatchdog;
  hasAudio: boolean;
  hasBegun: boolean;
  last: PeerStats | undefined;
};

type MediaEvent = Extract<PeerEvent, { kind: 'parameters' | 'unit' | 'report' }>;

/** One job's run. */
export class IngestSession {
  readonly contribution: Contribution;
  readonly #deps: IngestDeps;
  readonly #config: IngestConfig;
  readonly #broadcast: Broadcast;
  readonly #epoch: Epoch;
  readonly #logger: Logger;
  readonly #thread: PeerThread;
  readonly #keeper: TimelineKeeper;
  readonly #counts: PeerCounts;
  #client: SignallingClient | undefined;
  #dialect: Dialect = 'listed';
  #active: Active | undefined;
  #wasLive = false;
  #isSubscribed = false;
  #reason: string | undefined = 'starting';
  /** Why the last subscription ended, until there is a picture again. */
  #lost: string | undefined;
  #isAnnounced = false;
  #isReporting = false;
  #boardFault: string | undefined;

  constructor(
    deps: IngestDeps,
    config: IngestConfig,
    job: { readonly broadcast: Broadcast; readonly epoch: Epoch },
  ) {
    this.#deps = deps;
    this.#config = config;
    this.#broadcast = job.broadcast;
    this.#epoch = job.epoch;
    this.#counts = new PeerCounts(deps.metrics);
    this.#logger = deps.logger.child({ broadcast: job.broadcast.id });
    this.#thread = createPeerThread({ logger: this.#logger }, config);
    this.#keeper = new TimelineKeeper({ ...deps, logger: this.#logger }, job.broadcast, config);
    this.contribution = createContribution(
      {
        ...deps,
        requestKeyframe: (reason) => {
          this.#logger.debug({ reason }, 'keyframe requested');
          this.#active?.peer.requestKeyframe();
        },
        slates: createSlates(this.#logger, {
          ffmpegPath: deps.ffmpegPath,
          title: job.broadcast.id,
          image: config.slate.image,
          size: job.broadcast.ladder.video[0] ?? { width: 1280, height: 720 },
          fps: job.broadcast.grid.fps,
        }),
      },
      {
        broadcastId: job.broadcast.id,
        fps: job.broadcast.grid.fps,
        slateAfterMs: config.slate.afterMs,
        slateMaxMs: config.slate.maxMs,
      },
    );
  }

  /** Runs until `signal` aborts; never rejects for a fault of a peer or a server. */
  async run(signal: AbortSignal): Promise<void> {
    this.#wasLive = await this.#keeper.restore(this.contribution);
    const watching = setInterval(() => this.#watch(), WATCH_EVERY_MS);
    const reporting = setInterval(() => void this.#report(), REPORT_EVERY_MS);
    try {
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        const startedMs = monotonicMs();
        await this.#connectOnce(signal);
        // A connection that lasted was not a failed attempt.
        attempt = monotonicMs() - startedMs > 10_000 ? 0 : attempt;
        await pause(backoffMs(attempt), signal);
      }
    } finally {
      clearInterval(watching);
      clearInterval(reporting);
      this.#endPeer('the job ended');
      await this.#thread.close('the job ended');
      await this.contribution.close('the job ended');
      await this.#withdraw();
    }
  }

  async #connectOnce(signal: AbortSignal): Promise<void> {
    const target = await this.#target();
    if (target === undefined) {
      this.#say('no signalling server is up');
      return;
    }
    const client = connectSignalling(
      { logger: this.#logger },
      target,
      (event) => this.#onSignalling(event),
      signal,
    );
    this.#client = client;
    const { reason, dialect } = await client.ended;
    this.#dialect = dialect;
    this.#client = undefined;
    this.#isSubscribed = false;
    this.#endPeer(reason);
    this.#say(reason);
  }

  async #target(): Promise<SignallingTarget | undefined> {
    try {
      return await signallingTarget(this.#deps, this.#broadcast.source, this.#dialect);
    } catch (error) {
      this.#say(`signalling servers cannot be looked up: ${errorText(error)}`);
      return undefined;
    }
  }

  #onSignalling(event: SubscriptionEvent): void {
    switch (event.kind) {
      case 'waiting':
        this.#say(event.reason);
        break;
      case 'subscribed':
        this.#isSubscribed = true;
        this.#reason =
          this.#lost === undefined
            ? 'waiting for the picture'
            : `${this.#lost}; waiting for the picture`;
        this.#logger.info({ streamerId: event.streamerId }, 'subscribed to the streamer');
        break;
      case 'offer':
        this.#endPeer('the streamer offered a new peer');
        this.#openPeer(event.sdp, event.ice);
        break;
      case 'offer-wanted':
        this.#logger.info({}, 'the streamer sends no offer; it is sent one');
        this.#openPeer(undefined, event.ice);
        break;
      case 'answer':
        this.#active?.peer.accept(event.sdp);
        break;
      case 'candidate':
        this.#active?.peer.addCandidate(event.candidate);
        break;
      case 'lost':
        this.#isSubscribed = false;
        this.#lost = event.reason;
        this.#endPeer(event.reason);
        this.#say(event.reason);
        break;
    }
  }

  #openPeer(offer: string | undefined, announced: IceOptions): void {
    const ice = chooseIce(this.#config, announced, this.#broadcast.id, Date.now());
    const peer = this.#thread.open(offer, ice, (event) => {
      if (this.#active?.peer === peer) {
        this.#onPeer(this.#active, event);
      }
    });
    this.#active = {
      peer,
      watchdog: new MediaWatchdog(this.#config, monotonicMs()),
      hasAudio: false,
      hasBegun: false,
      last: undefined,
    };
  }

  #onPeer(active: Active, event: PeerEvent): void {
    if (isMedia(event)) {
      this.#onMedia(active, event);
      return;
    }
    switch (event.kind) {
      case 'answer': {
        const { minBitrateBps, maxBitrateBps } = this.#config;
        this.#client?.answer(event.sdp, { minBitrateBps, maxBitrateBps });
        break;
      }
      case 'offer':
        this.#client?.offer(event.sdp);
        break;
      case 'agreed':
        active.hasAudio = event.hasAudio;
        break;
      case 'candidate':
        this.#client?.candidate(event.candidate);
        break;
      case 'connected':
        this.#logger.info({}, 'peer connected');
        break;
      case 'restarted':
        active.hasBegun = false;
        break;
      case 'control':
        this.#onControl(active, event.message);
        break;
      case 'stats':
        this.#count(active, event.stats);
        break;
      case 'ended':
        this.#logger.warn({ code: event.code, reason: event.reason }, 'peer ended');
        this.#client?.resubscribe(event.reason);
        break;
    }
  }

  #onMedia(active: Active, event: MediaEvent): void {
    if (!active.hasBegun) {
      active.hasBegun = true;
      this.contribution.beginSource({ hasAudio: active.hasAudio });
    }
    if (event.kind === 'parameters') {
      const { codec, width, height } = event.parameters;
      this.#logger.info({ codec, width, height }, 'picture parameters');
      this.contribution.videoParameters(event.parameters);
      return;
    }
    // The thread's time is carried over as an age: all threads share the monotonic clock.
    const { arrivedMs: atMs, ...rest } = event.kind === 'unit' ? event.unit : event.report;
    const arrivedMs = unixMs(this.#deps.clock.nowMs() - Math.max(0, monotonicMs() - atMs));
    if ('data' in rest) {
      if (rest.kind === 'video') {
        active.watchdog.picture(monotonicMs());
        this.#lost = undefined;
        this.#client?.healthy();
      }
      this.contribution.accessUnit({ ...rest, arrivedMs });
    } else {
      this.contribution.senderReport({ ...rest, ntpMs: unixMs(rest.ntpMs), arrivedMs });
    }
  }

  /** What the application says is handed on; that it freezes its picture is obeyed. */
  #onControl(active: Active, message: ControlMessage): void {
    this.#deps.metrics
      .counter('grandstand_ingest_application_messages_total', 'What applications said', ['kind'])
      .add(1, { kind: message.kind });
    switch (message.kind) {
      case 'freeze':
        this.#say('the application has frozen its picture');
        active.watchdog.frozen(true, monotonicMs());
        this.contribution.freezeFrame(message.jpeg);
        break;
      case 'unfreeze':
        active.watchdog.frozen(false, monotonicMs());
        this.contribution.freezeFrame(undefined);
        break;
      case 'response':
      case 'inputControl': {
        const mediaMs = this.contribution.newestMs() ?? this.#deps.clock.nowMs();
        this.#deps.onApplicationEvent({ broadcastId: this.#broadcast.id, mediaMs, ...message });
      }
    }
  }

  /** A feed is announced at once. A peer without a picture is replaced, whatever its state says. */
  #watch(): void {
    if (!this.#isAnnounced && this.contribution.isReady()) {
      void this.#report();
    }
    const silence = this.#active?.watchdog.check(monotonicMs());
    if (silence !== undefined) {
      this.#logger.warn({ reason: silence }, 'the peer is replaced');
      this.#deps.metrics
        .counter('grandstand_ingest_resubscribes_total', 'Peers that the watchdog replaced', [
          'reason',
        ])
        .add(1, { reason: silence });
      this.#client?.resubscribe(silence);
    }
  }

  #endPeer(reason: string): void {
    this.#active?.peer.close();
    this.#active = undefined;
    this.#counts.endPeer();
    this.contribution.freezeFrame(undefined);
    this.contribution.endSource(reason);
  }

  #count(active: Active, stats: PeerStats): void {
    this.#counts.take(stats, REPORT_EVERY_MS);
    if (stats.control.hasInputControl && active.last?.control.hasInputControl !== true) {
      this.#logger.warn(
        {},
        'the streamer gave the ingest control of its input: use InputController=Any',
      );
    }
    if (stats.unitsDropped > (active.last?.unitsDropped ?? 0)) {
      this.#logger.warn(
        { unitsDropped: stats.unitsDropped },
        'main thread is behind; units dropped',
      );
    }
    active.watchdog.counted(stats);
    active.last = stats;
  }

  /** Keeps why there is no picture, and logs it once. */
  #say(reason: string): void {
    if (this.#reason !== reason) {
      this.#reason = reason;
      this.#logger.info({ reason }, 'ingest is without a picture');
    }
  }

  #status(): IngestStatus {
    const { codec, width, height } = this.contribution.stats();
    const isLive = this.contribution.stats().shown === 'live';
    this.#wasLive ||= isLive;
    const entries = {
      reason: isLive ? undefined : this.#reason,
      codec,
      width,
      height,
      newestMs: this.contribution.newestMs(),
    };
    const known = Object.entries(entries).filter(([, value]) => value !== undefined);
    return {
      state: isLive
        ? 'live'
        : this.#wasLive
          ? 'interrupted'
          : this.#isSubscribed
            ? 'waiting-for-media'
            : 'connecting',
      runMs: this.#keeper.runMs,
      ...this.#counts.status,
      ...(Object.fromEntries(known) as Partial<IngestStatus>),
    };
  }

  async #report(): Promise<void> {
    if (this.#isReporting) {
      return; // the board is slow; the next second tells it more
    }
    this.#isReporting = true;
    const { board, internalBaseUrl } = this.#deps;
    const { id } = this.#broadcast;
    try {
      await board.reportIngest(id, this.#status());
      await this.#keeper.keep(this.contribution);
      if (this.contribution.isReady()) {
        this.#isAnnounced = true;
        const url = `${internalBaseUrl}${feedPath(id)}`;
        await board.announceFeed(id, { url, epoch: this.#epoch });
      } else if (this.#isAnnounced) {
        await this.#withdraw();
      }
      this.#boardFault = undefined;
    } catch (error) {
      if (this.#boardFault === undefined) {
        this.#logger.warn({ error: errorText(error) }, 'status cannot be told');
      }
      this.#boardFault = errorText(error);
    } finally {
      this.#isReporting = false;
    }
  }

  async #withdraw(): Promise<void> {
    if (!this.#isAnnounced) {
      return;
    }
    this.#isAnnounced = false;
    try {
      await this.#deps.board.withdrawFeed(this.#broadcast.id, this.#epoch);
    } catch {
      // The lease ends by itself 5 s after the last renewal.
    }
  }
}

function isMedia(event: PeerEvent): event is MediaEvent {
  return event.kind === 'unit' || event.kind === 'report' || event.kind === 'parameters';
}
