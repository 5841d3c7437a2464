/**
 * A bad network between two WebRTC peers: a UDP relay that each of them takes for the other. Shell
 * of impairment.ts; signalling names the relay's addresses by `relayCandidates`.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';
import { type Conditions, Impairment } from './impairment.ts';

/** A UDP address. */
export type UdpAddress = { readonly address: string; readonly port: number };

/** A running relay. */
export type UdpRelay = Closeable & {
  /** What the streamer is told that the player's address is, and the other way round. */
  readonly forStreamer: UdpAddress;
  readonly forPlayer: UdpAddress;
  /** Loses everything in both directions from now on for `ms`. */
  blackout(ms: number): void;
  /** Packets lost on their way to the player, and to the streamer. */
  dropped(): { readonly toPlayer: number; readonly toStreamer: number };
};

/** This machine's own address: Chromium sends nothing from a network's address to loopback. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}

/** Starts it with the same conditions in both directions. */
export async function startUdpRelay(conditions: Conditions): Promise<UdpRelay> {
  const sides = await Promise.all([openSide(), openSide()]);
  const [streamer, player] = sides;
  const seed = conditions.seed ?? 1;
  const toPlayer = new Impairment({ ...conditions, seed });
  const toStreamer = new Impairment({ ...conditions, seed: seed + 1 });
  const stop = [connect(streamer, player, toPlayer), connect(player, streamer, toStreamer)];
  return {
    forStreamer: streamer.own,
    forPlayer: player.own,
    blackout(ms) {
      const nowMs = performance.now();
      toPlayer.blackout(nowMs, nowMs + ms);
      toStreamer.blackout(nowMs, nowMs + ms);
    },
    dropped: () => ({ toPlayer: toPlayer.dropped, toStreamer: toStreamer.dropped }),
    close() {
      stop.forEach((each) => each());
      sides.forEach(({ socket }) => socket.close());
      return Promise.resolve();
    },
  };
}

/** A description or a candidate whose only candidate is the relay. */
export function relayCandidates(text: string, relay: UdpAddress): string {
  let hasOne = false;
  return text
    .split('\r\n')
    .flatMap((line) => {
      const match = /^((?:a=)?candidate:\S+ 1 udp \d+) (\S+) \d+ typ host/i.exec(line);
      if (match === null) {
        return /^(?:a=)?candidate:/.test(line) ? [] : [line];
      }
      if (hasOne || match[2]?.includes(':') === true) {
        return [];
      }
      hasOne = true;
      return [`${match[1] ?? ''} ${relay.address} ${relay.port} typ host`];
    })
    .join('\r\n');
}

/** Faces one peer, whose address is that of the first packet from it. */
type Side = { readonly socket: Socket; readonly own: UdpAddress; peer: UdpAddress | undefined };

async function openSide(): Promise<Side> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
  const address = ownAddress();
  socket.bind(0, address);
  await once(socket, 'listening');
  return {
    socket,
    own: { address, port: socket.address().port },
    peer: undefined,
  };
}

function connect(from: Side, to: Side, impairment: Impairment): () => void {
  const queue: { readonly atMs: number; readonly packet: Buffer }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    const nowMs = performance.now();
    while (queue[0] !== undefined && queue[0].atMs <= nowMs) {
      const { packet } = queue.shift()!;
      if (to.peer !== undefined) {
        to.socket.send(packet, to.peer.port, to.peer.address);
      }
    }
    const [next] = queue;
    timer = next === undefined ? undefined : setTimeout(flush, next.atMs - nowMs);
  };
  from.socket.on('message', (packet, { address, port }) => {
    from.peer ??= { address, port };
    if (from.peer.port !== port || from.peer.address !== address) {
      return; // another of its sockets, to which the answers would not go
    }
    for (const atMs of impairment.arrivals(performance.now())) {
      const at = queue.findLastIndex((other) => other.atMs <= atMs);
      queue.splice(at + 1, 0, { atMs, packet });
    }
    if (timer === undefined) {
      flush();
    }
  });
  return () => clearTimeout(timer);
}
