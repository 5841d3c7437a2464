/**
 * Server-sent events: what happens, to a bounded number of clients. A client that comes back says
 * the last it heard and is told what it missed, as far as that is remembered.
 */
import type { Response } from 'express';
import type { Closeable } from '../../../kernel/lifecycle.ts';
import { sendProblem } from '../problem.ts';
import type { Route } from './route.ts';

/** What happened. `type` is the event's name on the wire, `data` becomes JSON. */
export type ApiEvent = {
  readonly type: 'broadcast' | 'streamer' | 'presenter' | 'seat';
  readonly data: Readonly<Record<string, unknown>>;
};

/** Clients at once. */
const MAX_CLIENTS = 64;
/** Events that are remembered for those who come back. */
const MAX_REMEMBERED = 256;
/** A client that lets more than this wait is dropped, and comes back by itself (bytes). */
const MAX_BACKLOG_BYTES = 262_144;
const HEARTBEAT_MS = 15_000;
/** How long a browser waits before it comes back (ms). */
const RETRY_MS = 2000;

/** The stream of events of this process. */
export class EventStream implements Closeable {
  readonly #clients = new Set<Response>();
  readonly #remembered: { readonly id: number; readonly text: string }[] = [];
  readonly #heartbeat: NodeJS.Timeout;
  /** Tells this run of the process from others: their numbers say nothing here. */
  readonly #run: string;
  #lastId = 0;

  /** @param run differs from run to run, of letters and digits */
  constructor(run: string) {
    this.#run = run;
    this.#heartbeat = setInterval(() => {
      this.#clients.forEach((client) => this.#write(client, ': still here\n\n'));
    }, HEARTBEAT_MS);
    this.#heartbeat.unref();
  }

  get clients(): number {
    return this.#clients.size;
  }

  publish({ type, data }: ApiEvent): void {
    const id = (this.#lastId += 1);
    const text = `id: ${this.#run}-${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
    this.#remembered.push({ id, text });
    this.#remembered.splice(0, this.#remembered.length - MAX_REMEMBERED);
    this.#clients.forEach((client) => this.#write(client, text));
  }

  /** Answers with the stream; false where there are too many already. */
  join(response: Response, lastEventId: string | undefined): boolean {
    if (this.#clients.size >= MAX_CLIENTS) {
      return false;
    }
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      // nginx would hold events back until its buffer is full.
      'X-Accel-Buffering': 'no',
    });
    this.#clients.add(response);
    response.once('close', () => this.#clients.delete(response));
    this.#write(response, `retry: ${RETRY_MS}\n\n`);
    const [run, number] = lastEventId?.split('-') ?? [];
    if (run === this.#run) {
      this.#remembered
        .filter(({ id }) => id > Number(number))
        .forEach(({ text }) => this.#write(response, text));
    }
    return true;
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#clients.forEach((client) => client.end());
    this.#clients.clear();
    await Promise.resolve();
  }

  #write(client: Response, text: string): void {
    client.write(text);
    if (client.writableLength > MAX_BACKLOG_BYTES) {
      this.#clients.delete(client);
      client.destroy();
    }
  }
}

/** The route. */
export function eventRoutes(events: EventStream): Route[] {
  return [
    {
      ...{ method: 'get', path: '/api/v1/events', tag: 'events', access: 'reader' },
      summary:
        'What happens, as server-sent events: broadcast, streamer, presenter, seat. ' +
        'Peers of other replicas are told by those; broadcasts by all',
      answers: { 200: { description: 'Events without an end.', type: 'text/event-stream' } },
      problems: [503],
      handle({ request, response }) {
        if (!events.join(response, request.get('Last-Event-ID'))) {
          response.set('Retry-After', '5');
          sendProblem(response, { status: 503, detail: 'too many listen to events already' });
        }
      },
    },
  ];
}
