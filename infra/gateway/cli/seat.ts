/** `grandstand seat …`: a client of the REST API. */
import { z } from 'zod';
import { type Api, callApi, parseAnswer } from './client.ts';

const seatsSchema = z.looseObject({
  seats: z.array(
    z.looseObject({
      streamerId: z.string(),
      playerId: z.string(),
      subject: z.string().nullable(),
      state: z.string(),
      waiting: z.array(z.string()),
    }),
  ),
});

/** Prints every seat in a line each, or the API's JSON. */
export async function listSeats(api: Api): Promise<void> {
  print(api, await callApi(api, 'GET', '/seats'), 'nobody presents');
}

/** Gives the seat to a player. */
export async function assignSeat(streamerId: string, playerId: string, api: Api): Promise<void> {
  print(api, await callApi(api, 'PUT', pathOf(streamerId), { playerId }), 'the seat is given');
}

/** Takes it back. */
export async function releaseSeat(streamerId: string, api: Api): Promise<void> {
  print(api, await callApi(api, 'DELETE', pathOf(streamerId)), 'the seat is free');
}

function pathOf(streamerId: string): string {
  return `/seats/${encodeURIComponent(streamerId)}`;
}

function print(api: Api, body: unknown, none: string): void {
  const { seats } = parseAnswer(seatsSchema, body);
  if (api.json) {
    console.log(JSON.stringify(body));
    return;
  }
  for (const { streamerId, playerId, subject, state, waiting } of seats) {
    const queue = waiting.length === 0 ? '' : `  waiting: ${waiting.join(', ')}`;
    console.log(
      `${streamerId.padEnd(20)} ${state.padEnd(6)} player ${playerId} ${subject ?? '-'}${queue}`,
    );
  }
  if (seats.length === 0) {
    console.log(none);
  }
}
