import { describe, expect, it } from 'vitest';
import { listen } from './listen.ts';

const AT = { host: '127.0.0.1', port: 0 };
const refuse = (_request: unknown, socket: { destroy(): void }): void => socket.destroy();

describe('a listener', () => {
  it('answers 500 where a handler throws, and serves the next request', async () => {
    const faults: unknown[] = [];
    const listener = await listen(
      {
        at: AT,
        setting: 'http.listen',
        requestTimeoutMs: 20_000,
        onFault: (error) => faults.push(error),
      },
      (request, response) => {
        if (request.url === '/bad') {
          throw new Error('a fault of ours');
        }
        response.end('good');
      },
      refuse,
    );
    const url = `http://127.0.0.1:${listener.port}`;
    expect((await fetch(`${url}/bad`)).status).toBe(500);
    expect(await (await fetch(`${url}/good`)).text()).toBe('good');
    expect(faults).toEqual([new Error('a fault of ours')]);
    await listener.close('done');
  });

  it('names the setting where its port is taken', async () => {
    const options = { setting: 'http.listen', requestTimeoutMs: 20_000, onFault: () => undefined };
    const first = await listen(
      { ...options, at: AT },
      (_request, response) => response.end(),
      refuse,
    );
    const second = listen({ ...options, at: { ...AT, port: first.port } }, () => undefined, refuse);
    await expect(second).rejects.toThrow(/is in use.*http\.listen/);
    await first.close('done');
  });
});
