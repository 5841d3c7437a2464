/**
 * A plugin for admission (signalling/plugins/admission.proto) without a gRPC library: HTTP/2 and the
 * bytes of protobuf, so that what we read is what gRPC says and not what our own client says.
 */
import { once } from 'node:events';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';

/** What it answers to one who would come in. */
export type PluginAnswer =
  | { readonly kind: 'presenter'; readonly subject: string }
  | { readonly kind: 'refusal'; readonly status: number; readonly reason: string };

/** A running plugin; closing it cuts its connections. */
export type AdmissionPlugin = Closeable & {
  readonly address: string;
  /** Calls of Admit so far. */
  readonly asked: number;
};

const ADMIT = '/grandstand.admission.v1.Admission/Admit';
const CHECK = '/grpc.health.v1.Health/Check';
const SERVING = 1;
const ROLE_PRESENTER = 1;

/** Starts it. @param decide given the whole request as the bytes came, as text */
export async function startAdmissionPlugin(
  decide: (request: string) => PluginAnswer,
): Promise<AdmissionPlugin> {
  const sessions = new Set<ServerHttp2Session>();
  let asked = 0;
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => stream.close());
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      if (headers[':path'] === ADMIT) {
        asked += 1;
        answer(stream, answerOf(decide(Buffer.concat(chunks).toString('utf8'))));
      } else if (headers[':path'] === CHECK) {
        answer(stream, varint(1, SERVING));
      } else {
        stream.respond({ ':status': 404 }, { endStream: true });
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return asked;
    },
    close() {
      sessions.forEach((session) => session.destroy());
      server.close();
      return Promise.resolve();
    },
  };
}

/** AdmitResponse: field 1 is an identity, field 2 a refusal. */
function answerOf(decision: PluginAnswer): Buffer {
  return decision.kind === 'presenter'
    ? bytes(1, Buffer.concat([varint(1, ROLE_PRESENTER), bytes(2, Buffer.from(decision.subject))]))
    : bytes(2, Buffer.concat([varint(1, decision.status), bytes(2, Buffer.from(decision.reason))]));
}

/** One message, not compressed, then its status as a trailer. */
function answer(stream: ServerHttp2Stream, message: Buffer): void {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc+proto' },
    { waitForTrailers: true },
  );
  stream.end(Buffer.concat([prefix, message]));
}

function varint(field: number, value: number): Buffer {
  return Buffer.from([field << 3, ...groups(value)]);
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2, ...groups(value.length)]), value]);
}

function groups(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...groups(value >>> 7)];
}
