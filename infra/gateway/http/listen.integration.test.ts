import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { Agent, get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { connect as tcpConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../kernel/logger.ts';
import type { Listener } from './bind.ts';
import { type Certificate, loadCertificate, watchCertificate } from './certificate.ts';
import { type HttpLimits, httpLimitsSchema } from './limits.ts';
import { listen, type ListenOptions, listenTls } from './listen.ts';
import { listenMedia, type MediaHandler } from './mediaListener.ts';

const AT = { host: '127.0.0.1', port: 0 };
const refuse = (_request: unknown, socket: { destroy(): void }): void => {
  socket.destroy();
};
const CLIENT = { rejectUnauthorized: false } as const;

let directory: string;
let certificate: Certificate;
const files = (name: string) => ({
  certificateFile: join(directory, `${name}.crt`),
  keyFile: join(directory, `${name}.key`),
});

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gs-tls-'));
  await selfSigned('one');
  await selfSigned('two');
  certificate = await loadCertificate(files('one'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function selfSigned(name: string): Promise<void> {
  const { certificateFile, keyFile } = files(name);
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-subj', `/CN=${name}.test`, '-days', '30', '-out', certificateFile, '-keyout', keyFile],
  ]);
}

function options(limits: Partial<HttpLimits> = {}): ListenOptions & {
  readonly requestTimeoutMs: number;
  readonly faults: unknown[];
  readonly refusals: number[];
} {
  const faults: unknown[] = [];
  const refusals: number[] = [];
  return {
    at: AT,
    setting: 'http.listen',
    limits: { ...httpLimitsSchema.parse({}), ...limits },
    requestTimeoutMs: 20_000,
    onFault: (error) => faults.push(error),
    onRefused: () => refusals.push(1),
    faults,
    refusals,
  };
}

/** Serves /good, holds /held, fails on /bad, and knows nothing else. */
const stub: MediaHandler = (request, response) => {
  switch (request.url ?? '') {
    case '/good':
      response.setHeader('Content-Type', 'text/plain');
      response.end(`good over ${request.httpVersion}`);
      return true;
    case '/held':
      return true;
    case '/bad':
      throw new Error('a fault of ours');
    default:
      return false;
  }
};

type Answer = { status: number; body: string; headers: Record<string, unknown> };

async function h2(session: ClientHttp2Session, headers: Record<string, string>): Promise<Answer> {
  const stream = session.request(headers);
  const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
  return { status: Number(answer[':status']), headers: answer, body: await text(stream) };
}

async function h1(port: number, path: string, isTls: boolean): Promise<Answer> {
  const get = isTls ? httpsGet : httpGet;
  const request = get({ ...CLIENT, host: AT.host, port, path, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
}

/** Everything that a raw connection gets after it sent `bytes`. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = tcpConnect(port, AT.host);
  socket.write(bytes);
  return text(socket);
}

async function session(port: number): Promise<ClientHttp2Session> {
  const client = connect(`https://${AT.host}:${port}`, CLIENT);
  client.on('error', () => undefined);
  await once(client, 'remoteSettings');
  return client;
}

async function handshake(port: number, ALPNProtocols: string[]): Promise<TLSSocket> {
  const socket = tlsConnect({ ...CLIENT, host: AT.host, port, ALPNProtocols });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

async function using(listener: Promise<Listener>, test: (port: number) => Promise<void>) {
  const running = await listener;
  try {
    await test(running.port);
  } finally {
    await running.close('done');
  }
}

describe('a listener', () => {
  it('answers 500 where a handler throws, and serves the next request', async () => {
    const given = options();
    await using(listen(given, stub, refuse), async (port) => {
      expect((await h1(port, '/bad', false)).status).toBe(500);
      expect((await h1(port, '/good', false)).body).toBe('good over 1.1');
      expect(given.faults).toEqual([new Error('a fault of ours')]);
    });
  });

  it('names the setting where its port is taken', async () => {
    await using(listen(options(), stub, refuse), async (port) => {
      const second = listen({ ...options(), at: { ...AT, port } }, stub, refuse);
      await expect(second).rejects.toThrow(/is in use.*http\.listen/);
    });
  });

  it('[B10 B21] refuses large headers with 431, and does not wait for slow ones', async () => {
    const given = options({ maxHeaderBytes: 2048, headersTimeoutMs: 1000 });
    await using(listen(given, stub, refuse), async (port) => {
      const large = `GET /good HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(3000)}\r\n\r\n`;
      expect(await raw(port, large)).toMatch(/^HTTP\/1\.1 431 /);
      expect(await raw(port, 'GET /good HTTP/1.1\r\nHost: a\r\nX-Slow:')).toMatch(
        /^HTTP\/1\.1 408 /,
      );
    });
  });

  it('tells one connection too many when to come again, and serves it later', async () => {
    const given = options({ maxConnections: 1 });
    await using(listen(given, stub, refuse), async (port) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const [first] = (await once(
        httpGet({ host: AT.host, port, path: '/good', agent }),
        'response',
      )) as [IncomingMessage];
      const { socket } = first;
      await text(first);
      expect(await h1(port, '/good', false)).toMatchObject({
        status: 503,
        headers: { 'retry-after': '5', connection: 'close' },
      });
      expect(
        await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      ).toMatch(/^HTTP\/1\.1 503 [^]*Retry-After: 5/);
      expect(given.refusals).toHaveLength(2);
      const gone = once(socket, 'close');
      agent.destroy();
      await gone;
      // The server sees the end of the connection in its own time.
      let later = await h1(port, '/good', false);
      while (later.status === 503) {
        later = await h1(port, '/good', false);
      }
      expect(later.body).toBe('good over 1.1');
    });
  });
});

describe('the TLS listener', () => {
  it('serves HTTP/1.1, upgrades, and speaks no HTTP/2', async () => {
    const upgrade = (_request: unknown, socket: { end(text: string): void }): void => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
    };
    const listener = listenTls(
      { ...options(), certificate },
      (request, response) => {
        stub(request, response);
      },
      upgrade,
    );
    await using(listener, async (port) => {
      expect(await h1(port, '/good', true)).toMatchObject({ status: 200, body: 'good over 1.1' });
      const socket = await handshake(port, ['http/1.1']);
      expect(socket.alpnProtocol).toBe('http/1.1');
      socket.write(
        'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
      );
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 101 /);
      const refused = tlsConnect({ ...CLIENT, host: AT.host, port, ALPNProtocols: ['h2'] });
      await expect(once(refused, 'secureConnect')).rejects.toThrow(/no application protocol/i);
    });
  });

  it('takes a renewed certificate, and keeps the old one where the pair does not fit', async () => {
    const live = files('live');
    await selfSigned('live');
    const running = await listenTls({ ...options(), certificate }, stub, refuse);
    const { promise: renewed, resolve } = Promise.withResolvers<Certificate>();
    const { promise: misfit, resolve: onMisfit } = Promise.withResolvers<string>();
    const logger = { ...silentLogger, warn: (_: unknown, message: string) => onMisfit(message) };
    const watch = watchCertificate(live, logger, resolve, 20);
    const subject = async (): Promise<string> => {
      const socket = await handshake(running.port, []);
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return String(CN);
    };
    try {
      expect(await subject()).toBe('one.test');
      await rename(files('two').certificateFile, live.certificateFile);
      expect(await misfit).toMatch(/old one is kept/);
      await rename(files('two').keyFile, live.keyFile);
      running.renew(await renewed);
      expect(await subject()).toBe('two.test');
    } finally {
      await watch.close('done');
      await running.close('done');
    }
  });
});

describe('the media listener', () => {
  const start = (limits: Partial<HttpLimits> = {}) => {
    const given = options(limits);
    return { given, listener: listenMedia({ ...given, certificate }, stub) };
  };

  it('[T12] speaks HTTP/2 where ALPN says so, HTTP/1.1 otherwise, and only media', async () => {
    const { given, listener } = start();
    await using(listener, async (port) => {
      expect((await handshake(port, ['h2', 'http/1.1'])).alpnProtocol).toBe('h2');
      expect((await handshake(port, ['http/1.1'])).alpnProtocol).toBe('http/1.1');
      const client = await session(port);
      expect(client.remoteSettings.maxConcurrentStreams).toBe(250);
      expect(await h2(client, { ':path': '/good' })).toMatchObject({
        status: 200,
        body: 'good over 2.0',
      });
      expect((await h2(client, { ':path': '/' })).status).toBe(404);
      expect((await h2(client, { ':path': '/bad' })).status).toBe(500);
      expect(given.faults).toHaveLength(1);
      expect(await h1(port, '/good', true)).toMatchObject({ status: 200, body: 'good over 1.1' });
      expect((await h1(port, '/', true)).status).toBe(404);
      client.destroy();
    });
  });

  it('answers a connection too many 503 on either protocol', async () => {
    const { given, listener } = start({ maxConnections: 1 });
    await using(listener, async (port) => {
      const first = await session(port);
      const second = await session(port);
      const ended = once(second, 'close');
      expect(await h2(second, { ':path': '/good' })).toMatchObject({
        status: 503,
        headers: { 'retry-after': '5' },
      });
      await ended;
      expect((await h1(port, '/good', true)).status).toBe(503);
      expect((await h2(first, { ':path': '/good' })).status).toBe(200);
      expect(given.refusals).toHaveLength(2);
      first.destroy();
    });
  });

  it('[B21] ends a session that resets its streams as fast as it opens them', async () => {
    const { listener } = start();
    await using(listener, async (port) => {
      const bad = await session(port);
      const good = await session(port);
      const ended = once(bad, 'goaway');
      let count = 0;
      const flood = (): void => {
        for (let burst = 0; burst < 50 && !bad.destroyed && !bad.closed; burst += 1) {
          const stream = bad.request({ ':path': '/held' });
          stream.on('error', () => undefined);
          stream.close(constants.NGHTTP2_CANCEL);
          count += 1;
        }
        if (!bad.destroyed && !bad.closed && count < 5000) {
          setImmediate(flood);
        }
      };
      flood();
      const [code] = (await ended) as [number];
      expect(code).not.toBe(constants.NGHTTP2_NO_ERROR);
      expect(count).toBeLessThan(5000);
      expect((await h2(good, { ':path': '/good' })).status).toBe(200);
      bad.destroy();
      good.destroy();
    });
  });

  it('[B10 B21] refuses large headers, unasked bodies and sessions that say nothing', async () => {
    const { listener } = start({ maxHeaderBytes: 2048, keepAliveMs: 1000 });
    await using(listener, async (port) => {
      const client = await session(port);
      const large = client.request({ ':path': '/good', 'x-large': 'x'.repeat(4000) });
      await expect(once(large, 'response')).rejects.toThrow('ENHANCE_YOUR_CALM');

      const body = client.request({ ':path': '/good', ':method': 'POST' }, { endStream: false });
      const closed = once(body, 'close');
      expect(await text(body)).toBe('good over 2.0');
      await closed;
      expect(body.rstCode).toBe(constants.NGHTTP2_NO_ERROR);

      await once(client, 'close');
      expect(client.destroyed).toBe(true);
    });
  });

  it('[T13] offers TLS 1.3, takes 1.2 and nothing older', async () => {
    const { listener } = start();
    await using(listener, async (port) => {
      const with13 = await handshake(port, ['h2']);
      expect(with13.getProtocol()).toBe('TLSv1.3');
      const at = { ...CLIENT, host: AT.host, port };
      const with12 = tlsConnect({ ...at, maxVersion: 'TLSv1.2' });
      await once(with12, 'secureConnect');
      expect(with12.getProtocol()).toBe('TLSv1.2');
      // Security level 0 lets the client itself speak what the server must refuse.
      const with11 = tlsConnect({
        ...{ ...at, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
        ciphers: 'ALL:@SECLEVEL=0',
      });
      await expect(once(with11, 'secureConnect')).rejects.toThrow(/protocol version/i);
      with13.destroy();
      with12.destroy();
    });
  });

  it('[B21] bounds a thousand streams, and lets go of who takes nothing', async () => {
    const { given } = start();
    let open = 0;
    let most = 0;
    const big = Buffer.alloc(1 << 20);
    const listener = listenMedia(
      { ...given, limits: { ...given.limits, keepAliveMs: 1000 }, certificate },
      (request, response) => {
        if (request.url === '/held') {
          most = Math.max(most, (open += 1));
          response.once('close', () => (open -= 1));
        } else {
          response.end(request.url === '/big' ? big : 'good');
        }
        return true;
      },
    );
    await using(listener, async (port) => {
      const greedy = await session(port);
      for (let count = 0; count < 1000; count += 1) {
        greedy.request({ ':path': '/held' }).on('error', () => undefined);
      }
      const silent = connect(`https://${AT.host}:${port}`, {
        ...CLIENT,
        settings: { initialWindowSize: 0 },
      });
      silent.on('error', () => undefined);
      silent.request({ ':path': '/big' }).on('error', () => undefined);
      const letGo = Promise.all([once(silent, 'close'), once(greedy, 'close')]);
      const good = await session(port);
      expect((await h2(good, { ':path': '/good' })).body).toBe('good');
      await letGo;
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(given.limits.maxStreams);
      good.destroy();
    });
  });

  it('[B21] does not wait for a handshake that never comes', async () => {
    const { listener } = start({ headersTimeoutMs: 1000 });
    await using(listener, async (port) => {
      expect(await raw(port, '')).toBe('');
    });
  });
});
