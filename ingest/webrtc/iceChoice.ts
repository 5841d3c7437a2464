/**
 * Which STUN and TURN server a peer is given: werift 0.25.2 uses one of each, the first it reads.
 * Those of the configuration go before those that signalling announces. Pure.
 */
import { turnCredentials } from '../../infra/kernel/turnCredentials.ts';
import type { IngestConfig } from '../config.ts';
import type { IceOptions, IceServer } from '../pixelstreaming/iceServers.ts';

/** How media is best carried: TCP and TLS make it wait for what was lost. */
const TURN_FORMS = [
  /^turn:(?!.*[?&]transport=tcp)/i,
  /^turn:/i,
  /^turns:(?!.*[?&]transport=udp)/i, // DTLS: werift reads it as nothing
];

/**
 * At most one STUN and one TURN server.
 *
 * @param id becomes part of the credentials that are made of a shared secret
 */
export function chooseIce(
  config: Pick<IngestConfig, 'iceServers' | 'iceTransportPolicy'>,
  announced: IceOptions,
  id: string,
  nowMs: number,
): IceOptions {
  const servers = [
    ...config.iceServers.map((server) => withCredentials(server, id, nowMs)),
    ...announced.iceServers,
  ];
  const stun = servers.flatMap(({ urls }) => urls).find((url) => /^stun:/i.test(url));
  const turn = servers
    .filter(({ username, credential }) => username !== undefined && credential !== undefined)
    .flatMap((server) => {
      const url = TURN_FORMS.map((form) => server.urls.find((each) => form.test(each))).find(
        Boolean,
      );
      return url === undefined ? [] : [{ ...server, urls: [url] }];
    })[0];
  return {
    iceServers: [
      ...(stun === undefined ? [] : [{ urls: [stun] }]),
      ...(turn === undefined ? [] : [turn]),
    ],
    isRelayOnly: config.iceTransportPolicy === 'relay' || announced.isRelayOnly,
  };
}

function withCredentials(
  server: IngestConfig['iceServers'][number],
  id: string,
  nowMs: number,
): IceServer {
  const { urls, username, credential, secret, ttlSeconds } = server;
  if (secret !== undefined) {
    const expiresSeconds = Math.floor(nowMs / 1000) + ttlSeconds;
    return { urls, ...turnCredentials(secret, id, expiresSeconds) };
  }
  return username === undefined || credential === undefined
    ? { urls }
    : { urls, username, credential: credential.reveal() };
}
