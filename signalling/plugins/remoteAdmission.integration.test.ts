/** A real plugin over gRPC on this machine: it allows, denies, is slow, mute, down, garbles, is not serving. */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type Closeable, closeStack } from '../../infra/kernel/lifecycle.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import type { Admission, AdmissionRequest } from '../admission.ts';
import { type Method, loadServices, methodOf } from './wire.ts';
import { admissionConfigSchema, buildAdmission } from './index.ts';

const TOKEN = 'opaque-token-of-a-plugin-test';
const services = loadServices();
const cleanUp = closeStack((error) => {
  throw error;
});

/** Log lines, and waiting for one. */
class Log {
  readonly lines: string[] = [];
  #waiters: (() => void)[] = [];
  readonly logger: Logger;

  constructor() {
    const say = (fields: object, message: string): void => {
      this.lines.push(`${JSON.stringify(fields)} ${message}`);
      this.#waiters.splice(0).forEach((wake) => wake());
    };
    this.logger = {
      ...{ error: say, warn: say, info: say, debug: say },
      child: () => this.logger,
    };
  }

  async has(text: string, since = 0): Promise<void> {
    while (!this.lines.slice(since).some((line) => line.includes(text))) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }
}

type Answer = (request: Record<string, unknown>, reply: sendUnaryData<object>) => void;

/** A plugin whose behaviour is given; `health` undefined: it has no health service. */
class Plugin {
  asked = 0;
  answer: Answer;
  health: string | undefined;
  port = 0;
  #server = new Server();

  constructor(answer: Answer, health: string | undefined = 'SERVING') {
    this.answer = answer;
    this.health = health;
  }

  async open(credentials = ServerCredentials.createInsecure()): Promise<this> {
    this.#server = new Server();
    const admit = methodOf(services.admission, 'Admit');
    // Bytes pass as they are, so that an answer need not be an answer.
    const raw: Method = {
      ...admit,
      responseSerialize: (value) =>
        Buffer.isBuffer(value) ? value : admit.responseSerialize(value),
    };
    this.#server.addService(
      { Admit: raw },
      {
        Admit: (call: ServerUnaryCall<object, object>, reply: sendUnaryData<object>) => {
          this.asked += 1;
          this.answer(call.request as Record<string, unknown>, reply);
        },
      },
    );
    if (this.health !== undefined) {
      this.#server.addService(services.health, {
        Check: (_call: unknown, reply: sendUnaryData<object>) => {
          reply(null, { status: this.health });
        },
      });
    }
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`127.0.0.1:${this.port}`, credentials, (error, port) => {
        if (error === null) {
          resolve(port);
        } else {
          reject(error);
        }
      });
    });
    return this;
  }

  close(): Promise<void> {
    this.#server.forceShutdown();
    return Promise.resolve();
  }
}

const allow: Answer = (request, reply) => {
  const query = (request['query'] ?? {}) as Record<string, string>;
  const isHers = query['token'] === TOKEN && request['listener'] === 'LISTENER_PLAYER';
  reply(
    null,
    isHers
      ? { identity: { role: 'ROLE_OBSERVER', subject: 'ann', streamerIds: { ids: ['demo'] } } }
      : { refusal: { status: 401, reason: `No seat for ${String(query['token'])}.` } },
  );
};
const failWith =
  (code: status): Answer =>
  (_request, reply) => {
    reply({ code, details: `because of ${TOKEN}`, metadata: new Metadata() });
  };

const request = (overrides: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  kind: 'player',
  query: new Map([['token', TOKEN]]),
  cookies: new Map([['a', 'b']]),
  protocols: ['grandstand'],
  remoteAddress: '192.0.2.1',
  headers: new Map([['user-agent', 'UE']]),
  ...overrides,
});

describe('a plugin over gRPC', () => {
  const logs: Log[] = [];
  let toClose: Closeable[] = [];

  const dial = async (
    port: number,
    overrides: object = {},
  ): Promise<{ readonly admission: Admission; readonly log: Log }> => {
    const log = new Log();
    logs.push(log);
    const config = admissionConfigSchema.parse({
      kind: 'grpc',
      grpc: { address: `127.0.0.1:${port}`, healthIntervalMs: 20, ...overrides },
    });
    const admission = await buildAdmission(config, { logger: log.logger, nowMs: Date.now });
    toClose.push(admission);
    return { admission, log };
  };
  const plugin = async (answer: Answer, health?: string): Promise<Plugin> => {
    const opened = await new Plugin(answer, health).open();
    toClose.push(opened);
    return opened;
  };
  const said = async (admission: Admission, asked = request()): Promise<string> => {
    const answer = await admission.admit(asked, new AbortController().signal);
    return answer.kind === 'identity' ? answer.role : `${answer.status} ${answer.reason}`;
  };

  afterEach(async () => {
    await Promise.all(toClose.map((item) => item.close('test')));
    toClose = [];
  });
  afterAll(() => cleanUp.close('test'));

  it('allows, with all that an identity has', async () => {
    const { admission, log } = await dial((await plugin(allow)).port);
    expect(await admission.admit(request(), new AbortController().signal)).toEqual({
      kind: 'identity',
      role: 'observer',
      subject: 'ann',
      streamerIds: ['demo'],
    });
    await log.has('admission plugin is there');
  });

  it('denies, in its own words without the token', async () => {
    const { admission } = await dial((await plugin(allow)).port);
    const query = new Map([['token', 'stolen']]);
    expect(await said(admission, request({ query }))).toBe('401 No seat for ***.');
  });

  it.each([
    [status.UNAUTHENTICATED, /^401 Who you are is not known/],
    [status.PERMISSION_DENIED, /^403 You may not/],
    [status.INTERNAL, /^503 .*plugin failed/],
    [status.RESOURCE_EXHAUSTED, /^503 .*plugin failed/],
  ])('denies by status %s', async (code, expected) => {
    const { admission } = await dial((await plugin(failWith(code))).port);
    expect(await said(admission)).toMatch(expected);
  });

  it('is slow: the answer is no at the deadline, or when nobody waits any more', async () => {
    const { port } = await plugin(() => undefined);
    const { admission } = await dial(port, { deadlineMs: 50 });
    expect(await said(admission)).toMatch(/^503 .*did not answer in time/);
    const patient = await dial(port, { deadlineMs: 60_000 });
    const answer = await patient.admission.admit(request(), AbortSignal.abort());
    expect(answer).toMatchObject({ kind: 'refusal', status: 503 });
  });

  it('is down and comes back: nobody is let in between', async () => {
    const up = await plugin(allow);
    const { admission, log } = await dial(up.port);
    expect(await said(admission)).toBe('observer');
    await log.has('admission plugin is there');
    await up.close();
    await log.has('is not there');
    expect(await said(admission)).toMatch(/^503 .*plugin is away/);
    const since = log.lines.length;
    await up.open();
    await log.has('admission plugin is there', since);
    expect(await said(admission)).toBe('observer');
  });

  it('was never there', async () => {
    const up = await plugin(allow);
    await up.close();
    const { admission } = await dial(up.port);
    expect(await said(admission)).toMatch(/^503 .*plugin (is away|did not answer)/);
  });

  it.each(['at once', 'later'])(
    'goes mute on its connection %s: a new one is made',
    async (when) => {
      const up = await plugin(allow);
      const sockets: Socket[] = [];
      let isMute = when === 'at once';
      const wire = createServer((socket) => {
        const onward = connect(up.port, '127.0.0.1');
        sockets.push(...[socket, onward].map((end) => end.on('error', () => undefined)));
        if (!isMute) {
          socket.pipe(onward).pipe(socket);
        }
      });
      await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
      toClose.push({
        close: async () => {
          sockets.forEach((socket) => socket.destroy());
          await new Promise((resolve) => wire.close(resolve));
        },
      });
      const { port } = wire.address() as AddressInfo;
      const { admission, log } = await dial(port, { deadlineMs: 100 });
      if (!isMute) {
        await log.has('admission plugin is there');
        expect(await said(admission)).toBe('observer');
        // Nothing is reset: both ends think that the connection is up.
        sockets.forEach((socket) => socket.unpipe().resume());
      }
      expect(await said(admission)).toMatch(/^503 .*did not answer in time/);
      await log.has('is not there');
      const since = log.lines.length;
      isMute = false;
      await log.has('admission plugin is there', since);
      expect(await said(admission)).toBe('observer');
    },
  );

  it.each<[string, object]>([
    ['bytes that are no message', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['a message that ends early', Buffer.from([0x0a, 0x7f, 0x08])],
    ['nothing', Buffer.alloc(0)],
    ['more than it may', Buffer.alloc(65 * 1024)],
    ['a role that is none', { identity: { role: 7 } }],
    ["a streamer's role for a player", { identity: { role: 'ROLE_STREAMER' } }],
    ['an endless subject', { identity: { role: 'ROLE_OBSERVER', subject: 'x'.repeat(300) } }],
  ])('garbles: %s', async (_name, answer) => {
    const { port } = await plugin((_request, reply) => {
      reply(null, answer);
    });
    const { admission } = await dial(port);
    expect(await said(admission)).toMatch(/^503 .*plugin (failed|gave an answer)/);
  });

  it('is not serving: it is not asked until it is', async () => {
    const up = await plugin(allow, 'NOT_SERVING');
    const { admission, log } = await dial(up.port);
    await log.has('NOT_SERVING');
    expect(await said(admission)).toMatch(/^503 .*plugin is not serving/);
    expect(up.asked).toBe(0);
    up.health = 'SERVING';
    await log.has('admission plugin is there');
    expect(await said(admission)).toBe('observer');
  });

  it('has no health service, and is asked all the same', async () => {
    const up = new Plugin(allow);
    up.health = undefined;
    toClose.push(await up.open());
    const { admission, log } = await dial(up.port);
    await log.has('unchecked');
    expect(await said(admission)).toBe('observer');
  });

  it('decides about streamers with a token or from elsewhere, not about those of this machine', async () => {
    const up = await plugin(allow);
    const { admission } = await dial(up.port);
    const query = new Map<string, string>();
    const here = request({ kind: 'streamer', query, remoteAddress: '127.0.0.1' });
    expect(await said(admission, here)).toBe('streamer');
    expect(up.asked).toBe(0);
    expect(await said(admission, request({ kind: 'streamer', query }))).toMatch(/^401/);
    expect(await said(admission, { ...here, query: new Map([['token', 'x']]) })).toMatch(/^401/);
  });

  it('speaks TLS, and only with whom its certificate is from', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plugin-tls-'));
    cleanUp.defer(() => rmSync(folder, { recursive: true }));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    await promisify(execFile)('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', certificate, '-days', '1', '-subj', '/CN=plugin'],
      ...['-addext', 'subjectAltName=DNS:localhost'],
    ]);
    const pair = { private_key: readFileSync(key), cert_chain: readFileSync(certificate) };
    const up = new Plugin(allow);
    toClose.push(await up.open(ServerCredentials.createSsl(null, [pair])));
    const address = `localhost:${up.port}`;
    const known = await dial(up.port, { address, tls: true, caFile: certificate });
    expect(await said(known.admission)).toBe('observer');
    const unknown = await dial(up.port, { address, tls: true });
    expect(await said(unknown.admission)).toMatch(/^503 /);
    const clear = await dial(up.port);
    expect(await said(clear.admission)).toMatch(/^503 /);
    expect(up.asked).toBe(1);
  });

  it('leaves no token in the log', () => {
    const lines = logs.flatMap((log) => log.lines);
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter((line) => line.includes(TOKEN))).toEqual([]);
  });
});
