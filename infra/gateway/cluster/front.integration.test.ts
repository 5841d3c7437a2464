/** The front of a cluster over origins that live, refuse, fail and break off. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { type Front, startFront } from './front.ts';

const servers: Server[] = [];
let front: Front | undefined;

afterEach(async () => {
  await front?.close('test over');
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
}

async function open(origins: readonly string[], sharing: 'first' | 'turns' = 'first') {
  const pages = await serve((request, response) => response.end(`pages ${request.url ?? ''}`));
  const [port] = await Promise.all([serve(() => undefined).then((url) => new URL(url).port)]);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  front = await startFront({ port: Number(port), pages, origins, sharing });
  return front;
}

const says = (text: string): RequestListener => {
  return (_request, response) => response.end(text);
};
const read = async (path: string): Promise<string> =>
  (await fetch(`${front?.url ?? ''}${path}`)).text();

it('media come from the first origin, pages from signalling', async () => {
  await open([await serve(says('a')), await serve(says('b'))]);
  expect(await read('/live/demo/main.m3u8')).toBe('a');
  expect(await read('/time')).toBe('a');
  expect(await read('/watch/demo')).toBe('pages /watch/demo');
  expect(front?.failovers).toBe(0);
});

it('an origin that refuses or fails is gone past', async () => {
  const failing = await serve((_request, response) => response.writeHead(503).end());
  await open(['http://127.0.0.1:1', failing, await serve(says('c'))]);
  expect(await read('/live/demo/main.m3u8')).toBe('c');
  expect(front?.failovers).toBe(2);
});

it('in turns each origin has its share', async () => {
  await open([await serve(says('a')), await serve(says('b'))], 'turns');
  expect([await read('/live/1'), await read('/live/2'), await read('/live/3')]).toEqual([
    'a',
    'b',
    'a',
  ]);
});

it('a body that breaks off breaks off for the viewer', async () => {
  const breaking = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': '10' }).write('half');
    setImmediate(() => response.destroy());
  });
  await open([breaking]);
  await expect(read('/live/demo/v360/1.m4s')).rejects.toThrow();
});
