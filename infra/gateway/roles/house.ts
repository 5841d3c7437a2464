/**
 * What every role is built from, and what a role gives to the listeners that all share. A role knows
 * no other role: they meet in Redis, in jobs and by HTTP.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EncoderChoice } from '../../../packager/worker/index.ts';
import type { systemBroadcastClock } from '../../kernel/broadcastClock.ts';
import type { CloseStack } from '../../kernel/lifecycle.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { createMetrics } from '../../kernel/metrics.ts';
import type { KeyValueStore, RedisLocation } from '../../kernel/redis.ts';
import type { Secret } from '../../kernel/secret.ts';
import type { GatewayConfig } from '../config.ts';
import type { RedisDirectory } from '../directory.ts';
import type { Route } from '../http/api/route.ts';
import type { Certificates } from '../http/certificates.ts';
import type { MediaHandler } from '../http/mediaListener.ts';
import type { Lease } from '../leases.ts';
import type { Seat } from '../seating.ts';

/** The process that roles live in. What a role starts, it pushes on `stack`. */
export type House = {
  readonly config: GatewayConfig;
  readonly area: (name: string) => Logger;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly clock: ReturnType<typeof systemBroadcastClock>;
  /** Who this process is to the others. */
  readonly seat: Seat;
  readonly location: RedisLocation;
  readonly store: KeyValueStore;
  readonly directory: RedisDirectory;
  readonly internalToken: Secret;
  /** Base URL by which others reach our internal listener. */
  readonly internalUrl: string;
  /** Absolute path of the data directory. */
  readonly dataDirectory: string;
  /** Of the TLS listeners; undefined where none is configured. */
  readonly certificates: Certificates | undefined;
  readonly stack: CloseStack;
};

type OnUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** What a role does in this process. */
export type RolePart = {
  readonly leases?: readonly Lease[];
  /** Requests of the internal listener; false where a path is not its own. */
  readonly handleInternal?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly handleInternalUpgrade?: OnUpgrade;
  /** Media of the public listeners; false where a path is not its own. */
  readonly handleMedia?: MediaHandler;
  readonly handleUpgrade?: OnUpgrade;
  readonly routes?: readonly Route[];
  /** Takes jobs; called once every listener is open. */
  readonly work?: () => void;
  /** For the start table. */
  readonly streamerUrl?: string;
  readonly encoder?: EncoderChoice;
};

/** A base URL. @param host as `urlHost` gives it */
export function baseUrl(scheme: string, host: string, port: number): string {
  return `${scheme}://${host}:${port}`;
}
