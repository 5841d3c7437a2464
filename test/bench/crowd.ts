/** A thousand viewers as plain sockets: what each gets, and when. */
import { connect, type Socket } from 'node:net';

/** What one viewer got. */
export type Received = {
  /** Arrivals: performance.now() and body bytes so far. */
  readonly steps: readonly { readonly atMs: number; readonly bytes: number }[];
  readonly status: number;
  readonly body: Buffer;
};

/** Opens `count` connections to the server; all are up when it resolves. */
export async function openSockets(port: number, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => {
            socket.setNoDelay(true);
            resolve(socket);
          });
          socket.once('error', reject);
        }),
    ),
  );
}

/** Sends a GET on `socket` and reads until the server closes it. */
export async function get(socket: Socket, path: string): Promise<Received> {
  const chunks: Buffer[] = [];
  const arrivals: number[] = [];
  socket.on('data', (chunk: Buffer) => {
    arrivals.push(performance.now());
    chunks.push(chunk);
  });
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('end', resolve);
    socket.once('error', reject);
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`);
  await ended;
  socket.destroy();
  return readAnswer(chunks, arrivals);
}

/** The same without an answer that anybody waits for. */
export function ask(socket: Socket, path: string): void {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
}

/** `share` of the values lie at or below what is returned. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Body bytes by arrival; the framing of a chunked body is taken out. */
function readAnswer(chunks: readonly Buffer[], arrivals: readonly number[]): Received {
  const whole = Buffer.concat(chunks);
  const headEnd = whole.indexOf('\r\n\r\n') + 4;
  const head = whole.toString('latin1', 0, headEnd);
  const status = Number(head.split(' ')[1]);
  const spans = /transfer-encoding: chunked/i.test(head)
    ? chunkSpans(whole, headEnd)
    : [{ from: headEnd, to: whole.length }];
  let seen = 0;
  const steps = chunks.map((chunk, index) => {
    seen += chunk.length;
    const upTo = seen;
    const bytes = spans.reduce(
      (sum, { from, to }) => sum + Math.max(0, Math.min(upTo, to) - from),
      0,
    );
    return { atMs: arrivals[index] ?? 0, bytes };
  });
  return {
    steps,
    status,
    body: Buffer.concat(spans.map(({ from, to }) => whole.subarray(from, to))),
  };
}

function chunkSpans(whole: Buffer, begin: number): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = [];
  for (let offset = begin; offset < whole.length;) {
    const lineEnd = whole.indexOf('\r\n', offset);
    const size = Number.parseInt(whole.toString('latin1', offset, lineEnd), 16);
    if (!(size > 0)) {
      break;
    }
    spans.push({ from: lineEnd + 2, to: lineEnd + 2 + size });
    offset = lineEnd + 4 + size;
  }
  return spans;
}
