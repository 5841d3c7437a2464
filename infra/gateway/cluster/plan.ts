/**
 * A small cluster on one machine, as it is set up: which processes, and the environment of each.
 * Several machines are configured by the same variables. Pure.
 */
import { fitLadder } from '../../kernel/ladder.ts';
import { DEFAULT_LADDER, type Ladder } from '../../kernel/wire.ts';
import type { Role } from '../config.ts';

/** What the demo streamer sends. */
export type ClusterSource = {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly bitrateBps: number;
};

const SOURCES = {
  '360p': { width: 640, height: 360, fps: 30, bitrateBps: 1_000_000 },
  '480p': { width: 854, height: 480, fps: 30, bitrateBps: 2_000_000 },
  '720p': { width: 1280, height: 720, fps: 30, bitrateBps: 5_000_000 },
} as const satisfies Record<string, ClusterSource>;

/** Names of the sources, the cheapest first. */
export const CLUSTER_SOURCES = Object.keys(SOURCES) as readonly (keyof typeof SOURCES)[];

/** The source of that name. */
export function clusterSource(name: keyof typeof SOURCES): ClusterSource {
  return SOURCES[name];
}

/** What is asked for. */
export type ClusterOptions = {
  readonly directory: string;
  readonly redisUrl: string;
  readonly token: string;
  /** Gives a port at each call, never the same twice. */
  readonly nextPort: () => number;
  readonly streamersPort: number;
  readonly counts: Readonly<Record<Exclude<Role, 'signalling'>, number>>;
  /** Workers that publish each broadcast at once. */
  readonly redundancy: 1 | 2;
  readonly ladder: Ladder;
  /** Settings beside these, for every process. */
  readonly environment?: Readonly<Record<string, string>>;
};

/** One process. */
export type MemberPlan = {
  /** `worker-2`: unique. */
  readonly name: string;
  readonly role: Role;
  /** Of its public listener: pages, API and presenters of signalling, media of an origin. */
  readonly url: string;
  readonly internalUrl: string;
  /** All of its configuration. */
  readonly environment: Readonly<Record<string, string>>;
};

/** The processes in the order in which they are started: who is asked is there before who asks. */
export function planCluster(options: ClusterOptions): readonly MemberPlan[] {
  const many = (role: Exclude<Role, 'signalling'>): MemberPlan[] =>
    Array.from({ length: options.counts[role] }, (_, index) =>
      member(options, role, `${role}-${index + 1}`),
    );
  return [
    member(options, 'signalling', 'signalling-1'),
    ...many('origin'),
    ...many('ingest'),
    ...many('worker'),
  ];
}

function member(options: ClusterOptions, role: Role, name: string): MemberPlan {
  const isPages = role === 'signalling';
  const http = `127.0.0.1:${options.nextPort()}`;
  const internal = `127.0.0.1:${options.nextPort()}`;
  return {
    ...{ name, role, url: `http://${http}`, internalUrl: `http://${internal}` },
    environment: {
      ...options.environment,
      GRANDSTAND_ROLES: role,
      GRANDSTAND_REDIS_URL: options.redisUrl,
      GRANDSTAND_DATA_DIR: `${options.directory}/${name}`,
      GRANDSTAND_HTTP_LISTEN: http,
      GRANDSTAND_INTERNAL_LISTEN: internal,
      GRANDSTAND_INTERNAL_ADVERTISE: `http://${internal}`,
      GRANDSTAND_INTERNAL_TOKEN: options.token,
      ...(isPages
        ? {
            GRANDSTAND_SIGNALLING_STREAMERS_PORT: String(options.streamersPort),
            GRANDSTAND_BROADCAST_LADDER_VIDEO: JSON.stringify(options.ladder.video),
            GRANDSTAND_BROADCAST_LADDER_AUDIO: JSON.stringify(options.ladder.audio),
            ...(options.redundancy === 1 ? {} : { GRANDSTAND_BROADCAST_REDUNDANCY: '2' }),
          }
        : {}),
    },
  };
}

/** The best `rungs` rungs of the default ladder that are not above the source. */
export function clusterLadder({ height }: ClusterSource, rungs: number): Ladder {
  const { video, audio } = fitLadder(DEFAULT_LADDER, height);
  return { video: video.slice(0, rungs), audio: [...audio] };
}
