/** The internal listener: feeds, publishing and the ingest of the roles that run here, and metrics. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorText } from '../kernel/errors.ts';
import type { createMetrics } from '../kernel/metrics.ts';
import { isAuthorized, type Secret } from '../kernel/secret.ts';
import type { RolePart } from './roles/house.ts';

/** Its handlers. Roles check the token themselves. */
export function internalHandler(
  {
    internalToken,
    metrics,
  }: {
    readonly internalToken: Secret;
    readonly metrics: Pick<ReturnType<typeof createMetrics>, 'render'>;
  },
  parts: readonly RolePart[],
): {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
} {
  const upgrade = parts.find((part) => part.handleInternalUpgrade !== undefined);
  const say = (response: ServerResponse, status: number, text: string): void => {
    response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${text}\n`);
  };
  return {
    onRequest(request, response) {
      if (parts.some((part) => part.handleInternal?.(request, response))) {
        return;
      }
      if (!isAuthorized(request.headers.authorization, internalToken)) {
        say(response, 401, 'the internal listener needs its bearer token');
      } else if (request.method === 'GET' && request.url === '/metrics') {
        void metrics.render().then(
          ({ contentType, body }) =>
            response.writeHead(200, { 'Content-Type': contentType }).end(body),
          (error: unknown) => response.writeHead(500).end(errorText(error)),
        );
      } else {
        say(response, 404, 'no such path on the internal listener');
      }
    },
    onUpgrade(request, socket, head) {
      if (upgrade?.handleInternalUpgrade === undefined) {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      } else {
        upgrade.handleInternalUpgrade(request, socket, head);
      }
    },
  };
}
