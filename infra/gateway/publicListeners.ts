/** The listeners that the world reaches: plain, and with a certificate TLS and HTTP/2 beside it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GatewayConfig, Listen } from './config.ts';
import { certificateWarning, loadCertificate, watchCertificate } from './http/certificate.ts';
import { type Certificates, createCertificates } from './http/certificates.ts';
import { listen, listenTls, type ListenOptions } from './http/listen.ts';
import { listenMedia, type MediaHandler } from './http/mediaListener.ts';
import type { CloseStack } from '../kernel/lifecycle.ts';
import type { Logger } from '../kernel/logger.ts';

/** Where the world reaches the gateway. */
export type PublicUrls = {
  readonly publicUrl: string;
  readonly tls: { readonly publicUrl: string; readonly mediaUrl: string } | undefined;
};

const REQUEST_TIMEOUT_MS = 60_000;

/**
 * The configured certificate, read again when its files change; undefined where there is none.
 *
 * @throws GatewayError `bad_config` naming the file at fault
 */
export async function openCertificates(
  { certificateFile, keyFile }: GatewayConfig['tls'],
  logger: Logger,
  stack: CloseStack,
): Promise<Certificates | undefined> {
  if (certificateFile === undefined || keyFile === undefined) {
    return undefined;
  }
  const files = { certificateFile, keyFile };
  const certificate = await loadCertificate(files);
  const warning = certificateWarning(certificate, Date.now());
  if (warning !== undefined) {
    logger.warn({ certificateFile }, warning);
  }
  const certificates = createCertificates(certificate);
  stack.push(watchCertificate(files, logger, (renewed) => certificates.renew(renewed)));
  return certificates;
}

/** Opens what the configuration asks for; `stack` closes it. */
export async function openPublicListeners(
  deps: {
    readonly config: Pick<GatewayConfig, 'http' | 'tls'>;
    readonly certificates: Certificates | undefined;
    readonly listening: (at: Listen, setting: string) => ListenOptions;
    readonly stack: CloseStack;
  },
  handlers: {
    readonly handleMedia: MediaHandler;
    readonly handlePage: (request: IncomingMessage, response: ServerResponse) => void;
    readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  },
): Promise<PublicUrls> {
  const { config, certificates, listening, stack } = deps;
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (!handlers.handleMedia(request, response)) {
      handlers.handlePage(request, response);
    }
  };
  const plain = stack.push(
    await listen(
      {
        ...listening(config.http.listen, 'http.listen'),
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
      },
      onRequest,
      handlers.handleUpgrade,
    ),
  );
  const publicUrl = `http://${urlHost(config.http.listen.host)}:${plain.port}`;
  if (certificates === undefined) {
    return { publicUrl, tls: undefined };
  }
  const certificate = certificates.current();
  const pages = stack.push(
    await listenTls(
      {
        ...listening(config.tls.listen, 'tls.listen'),
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
        certificate,
      },
      onRequest,
      handlers.handleUpgrade,
    ),
  );
  const media = stack.push(
    await listenMedia(
      { ...listening(config.tls.mediaListen, 'tls.mediaListen'), certificate },
      handlers.handleMedia,
    ),
  );
  certificates.use(pages);
  certificates.use(media);
  return {
    publicUrl,
    tls: {
      publicUrl: `https://${urlHost(config.tls.listen.host)}:${pages.port}`,
      mediaUrl: `https://${urlHost(config.tls.mediaListen.host)}:${media.port}`,
    },
  };
}

/** The host of a URL that reaches a listener from this machine. */
export function urlHost(host: Listen['host']): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return isIP(reachable) === 6 ? `[${reachable}]` : reachable;
}
