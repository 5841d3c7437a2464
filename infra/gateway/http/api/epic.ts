/** Wilbur's REST API (pixel-streaming §1.8): the same paths and shapes, without its secrets. */
import {
  configView,
  playersView,
  statusView,
  streamersView,
} from '../../../../signalling/index.ts';
import type { SignallingSnapshot } from '../../../../signalling/index.ts';
import { type Call, type Route, sendJson } from './route.ts';
import { epicSchemas } from './schemas.ts';

/** What these routes are made from. */
export type EpicDeps = {
  readonly snapshot: () => SignallingSnapshot;
  readonly config: Parameters<typeof configView>[0];
  /** Whether who asks may see who is there. */
  readonly maySeePlayers: (call: Call) => Promise<boolean>;
};

/** The routes. Epic's CI waits on `/api/status` and one streamer: those need nobody's token. */
export function epicRoutes({ snapshot, config, maySeePlayers }: EpicDeps): Route[] {
  const route = (
    path: string,
    access: Route['access'],
    summary: string,
    schema: keyof typeof epicSchemas,
    view: (call: Call) => unknown,
  ): Route => ({
    ...{ method: 'get', path, tag: "Epic's", access, summary },
    answers: {
      200: { description: "As Wilbur's.", schema: epicSchemas[schema] },
      ...(path.includes('{')
        ? { 404: { description: 'There is none.', schema: epicSchemas.notFound } }
        : {}),
    },
    async handle(call) {
      const body = await view(call);
      sendJson(call.response, body === undefined ? 404 : 200, body ?? { message: 'Not found.' });
    },
  });
  const streamers = async (call: Call): Promise<ReturnType<typeof streamersView>> => {
    const shown = streamersView(snapshot());
    return (await maySeePlayers(call)) ? shown : shown.map((one) => ({ ...one, subscribers: [] }));
  };
  return [
    route('/api/status', 'anyone', 'Counts', 'status', () => statusView(snapshot())),
    route('/api/config', 'anyone', 'What may be said of it', 'config', () => configView(config)),
    route('/api/streamers', 'anyone', 'Streamers', 'streamers', streamers),
    route('/api/streamers/{id}', 'anyone', 'One streamer', 'streamer', async (call) =>
      (await streamers(call)).find((one) => one.streamerId === call.params['id']),
    ),
    route('/api/players', 'reader', 'Players', 'players', () => playersView(snapshot())),
    route('/api/players/{id}', 'reader', 'One player', 'player', ({ params }) =>
      playersView(snapshot()).find((one) => one.playerId === params['id']),
    ),
  ];
}
