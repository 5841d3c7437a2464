/** `grandstand streamer …` and `grandstand player …`: a client of the REST API. */
import { z } from 'zod';
import { type Api, callApi, parseAnswer } from './client.ts';

const streamersSchema = z.looseObject({
  streamers: z.array(
    z.looseObject({
      streamerId: z.string(),
      kind: z.string(),
      streaming: z.boolean(),
      remoteAddress: z.string(),
      subscribers: z.array(z.string()),
      replica: z.string().optional(),
    }),
  ),
});
const playersSchema = z.looseObject({
  players: z.array(
    z.looseObject({
      playerId: z.string(),
      role: z.string(),
      subject: z.string().nullable(),
      subscribedTo: z.string().nullable(),
      remoteAddress: z.string(),
    }),
  ),
});

/** Prints every streamer in a line each, or the API's JSON. */
export async function listStreamers(api: Api): Promise<void> {
  const body = await callApi(api, 'GET', '/streamers');
  const { streamers } = parseAnswer(streamersSchema, body);
  print(api, body, 'no streamer is connected', [
    ...streamers.map(({ streamerId, kind, streaming, remoteAddress, subscribers, replica }) => {
      const where = replica === undefined ? remoteAddress : `replica ${replica}`;
      const state = streaming ? 'streaming' : 'not named yet';
      return `${streamerId.padEnd(20)} ${kind.padEnd(8)} ${state} ${where}  players: ${subscribers.join(', ') || '-'}`;
    }),
  ]);
}

/** Prints every player in a line each, or the API's JSON. */
export async function listPlayers(api: Api): Promise<void> {
  const body = await callApi(api, 'GET', '/players');
  const { players } = parseAnswer(playersSchema, body);
  print(api, body, 'no player is connected', [
    ...players.map(
      ({ playerId, role, subject, subscribedTo, remoteAddress }) =>
        `${playerId.padEnd(8)} ${role.padEnd(9)} ${(subject ?? '-').padEnd(20)} ${(subscribedTo ?? '-').padEnd(20)} ${remoteAddress}`,
    ),
  ]);
}

/** Disconnects one. */
export async function disconnectPeer(
  kind: 'streamers' | 'players',
  id: string,
  api: Api,
): Promise<void> {
  await callApi(api, 'DELETE', `/${kind}/${encodeURIComponent(id)}`);
  console.log(api.json ? JSON.stringify({ id, disconnected: true }) : `${id} is disconnected`);
}

function print(api: Api, body: unknown, none: string, lines: readonly string[]): void {
  if (api.json) {
    console.log(JSON.stringify(body));
    return;
  }
  console.log(lines.length === 0 ? none : lines.join('\n'));
}
