/** `/api/v1/streamers`, `/api/v1/players`, `/api/v1/seats`: who is there, and who presents. */
import type { Signalling } from '../../../../signalling/index.ts';
import { sendProblem } from '../problem.ts';
import { type Call, type Route, sendJson, withBody } from './route.ts';
import { assignSeatSchema, playersSchema, seatsSchema, streamersSchema } from './schemas.ts';

type OrderOutcome = Awaited<ReturnType<Signalling['order']>>;

/** What these routes are made from. */
export type PeerDeps = {
  readonly signalling: Pick<Signalling, 'snapshot' | 'peers' | 'order'>;
  /** Whether an operator asks, who alone may see addresses. */
  readonly isOperator: (call: Call) => Promise<boolean>;
};

const SEATS = '/api/v1/seats';
const SEAT = `${SEATS}/{streamerId}`;
const STATUS_OF = { no_streamer: 404, no_player: 409, no_seat: 404, not_allowed: 409 } as const;

/** The routes. */
export function peerRoutes({ signalling, isOperator }: PeerDeps): Route[] {
  const list = (
    name: 'streamers' | 'players' | 'seats',
    summary: string,
    schema: NonNullable<Route['answers'][number]['schema']>,
    read: (call: Call) => unknown,
  ): Route => ({
    ...{ method: 'get', path: `/api/v1/${name}`, tag: name, access: 'reader', summary },
    answers: { 200: { description: 'All of them.', schema } },
    async handle(call) {
      sendJson(call.response, 200, { [name]: await read(call) });
    },
  });
  const shown = async <T extends { readonly remoteAddress: string }>(
    call: Call,
    peers: readonly T[],
  ): Promise<readonly T[]> =>
    (await isOperator(call)) ? peers : peers.map((peer) => ({ ...peer, remoteAddress: '' }));
  const sendSeat = async ({ params, response }: Call, outcome: OrderOutcome): Promise<void> => {
    if (outcome.kind === 'refused') {
      sendProblem(response, { status: STATUS_OF[outcome.code], detail: outcome.reason });
      return;
    }
    const { seats } = await signalling.peers();
    const ours = seats.filter(({ streamerId }) => streamerId === params['streamerId']);
    sendJson(response, 200, { seats: ours });
  };
  const disconnect = (
    path: string,
    tag: 'streamers' | 'players',
    summary: string,
    orderOf: (params: Call['params']) => Parameters<Signalling['order']>[0],
  ): Route => ({
    ...{ method: 'delete', path, tag, access: 'operator', summary },
    answers: { 204: { description: 'It is disconnected.' } },
    problems: [404],
    async handle({ params, response }) {
      const outcome = await signalling.order(orderOf(params));
      if (outcome.kind === 'refused') {
        sendProblem(response, { status: 404, detail: outcome.reason });
        return;
      }
      response.status(204).end();
    },
  });
  return [
    list('streamers', 'Streamers of every replica', streamersSchema, (call) =>
      shown(call, signalling.snapshot().streamers),
    ),
    disconnect(
      '/api/v1/streamers/{streamerId}',
      'streamers',
      'Disconnect a streamer; Unreal connects again by itself, and its seat waits for its presenter',
      ({ streamerId = '' }) => ({ kind: 'disconnectStreamer', streamerId }),
    ),
    list('players', 'Players of every replica', playersSchema, async (call) =>
      shown(call, (await signalling.peers()).players),
    ),
    disconnect(
      '/api/v1/players/{playerId}',
      'players',
      'Disconnect a player and free its seat; it may come back unless its token is taken back',
      ({ playerId = '' }) => ({ kind: 'disconnectPlayer', playerId }),
    ),
    list(
      'seats',
      'Seats of every replica that are held, or kept for a grace',
      seatsSchema,
      async () => (await signalling.peers()).seats,
    ),
    withBody(assignSeatSchema, {
      ...{ method: 'put', path: SEAT, tag: 'seats', access: 'operator' },
      summary: 'Give the seat to a player; whoever holds it is disconnected first',
      answers: { 200: { description: 'The seat.', schema: seatsSchema } },
      problems: [404, 409],
      async handle(call) {
        const { streamerId = '' } = call.params;
        const { playerId } = call.body;
        await sendSeat(call, await signalling.order({ kind: 'assign', streamerId, playerId }));
      },
    }),
    {
      ...{ method: 'delete', path: SEAT, tag: 'seats', access: 'operator' },
      summary: 'Take the seat back; the first who waits for it gets it',
      answers: {
        200: { description: 'The seat, where it has a new holder.', schema: seatsSchema },
      },
      problems: [404],
      async handle(call) {
        const { streamerId = '' } = call.params;
        await sendSeat(call, await signalling.order({ kind: 'release', streamerId }));
      },
    },
  ];
}
