/** Binds a server to its address and closes it again; faults name the setting. */
import type { Server } from 'node:net';
import type { Listen } from '../config.ts';
import type { ConnectionCap } from './connectionCap.ts';
import { GatewayError } from '../../kernel/errors.ts';
import type { Closeable } from '../../kernel/lifecycle.ts';

/** A running listener. */
export type Listener = Closeable & { readonly port: number };

/**
 * Listens.
 *
 * @param setting the configuration key, named in the error when the port is taken
 * @throws GatewayError `port_in_use`
 */
export async function bind(
  server: Server,
  cap: ConnectionCap,
  { at, setting }: { readonly at: Listen; readonly setting: string },
): Promise<Listener> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const where = `${at.host}:${at.port}`;
      reject(
        error.code === 'EADDRINUSE'
          ? new GatewayError(
              'port_in_use',
              `${where} is in use; stop what listens there or set ${setting}`,
              { cause: error },
            )
          : new GatewayError(
              'bad_config',
              `cannot listen on ${where} (${setting}): ${error.message}`,
              { cause: error },
            ),
      );
    });
    server.listen(at.port, at.host, () => {
      resolve();
    });
  });
  const address = server.address();
  let closing: Promise<void> | undefined;
  return {
    port: typeof address === 'object' && address !== null ? address.port : at.port,
    close() {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        cap.destroyAll();
      });
      return closing;
    },
  };
}
