/** `/api/v1/streamers`, `/api/v1/players`, `/api/v1/seats`: who is there, and who presents. */
import type { Signalling } from '../../../../signalling/index.ts';
import { sendProblem } from '../problem.ts';
import { type Call, type Route, sendJson, withBody } from './route.ts';
import { assignSeatSchema, playersSchema, seatsSchema, streamersSchema } from './schemas.ts';

type SeatOutcome = Awaited<ReturnType<Signalling['assignSeat']>>;

/** What these routes are made from. */
export type PeerDeps = {
  readonly signalling: Pick<Signalling, 'snapshot' | 'seats' | 'assignSeat' | 'releaseSeat'>;
};

const SEATS = '/api/v1/seats';
const SEAT = `${SEATS}/{streamerId}`;
const STATUS_OF = { no_streamer: 404, no_player: 409, no_seat: 404, not_allowed: 409 } as const;

/** The routes. */
export function peerRoutes({ signalling }: PeerDeps): Route[] {
  const list = (
    name: 'streamers' | 'players' | 'seats',
    summary: string,
    schema: NonNullable<Route['answers'][number]['schema']>,
    read: () => unknown,
  ): Route => ({
    ...{ method: 'get', path: `/api/v1/${name}`, tag: name, access: 'reader', summary },
    answers: { 200: { description: 'All of them.', schema } },
    handle({ response }) {
      sendJson(response, 200, { [name]: read() });
    },
  });
  const sendOutcome = ({ params, response }: Call, outcome: SeatOutcome): void => {
    if (outcome.kind === 'refused') {
      sendProblem(response, { status: STATUS_OF[outcome.code], detail: outcome.reason });
      return;
    }
    const { streamerId } = params;
    const seat = signalling.seats().find((one) => one.streamerId === streamerId);
    // A seat of another replica is not known here, but its order was carried out.
    sendJson(response, 200, { seats: seat === undefined ? [] : [seat] });
  };
  return [
    list(
      'streamers',
      'Streamers of every replica',
      streamersSchema,
      () => signalling.snapshot().streamers,
    ),
    list('players', 'Players of this replica', playersSchema, () =>
      signalling.snapshot().players.map((player) => ({
        ...player,
        subscribedTo: player.subscribedTo ?? null,
      })),
    ),
    list('seats', 'Seats that are held, or kept for a grace', seatsSchema, () =>
      signalling.seats(),
    ),
    withBody(assignSeatSchema, {
      ...{ method: 'put', path: SEAT, tag: 'seats', access: 'operator' },
      summary: 'Give the seat to a player; whoever holds it is disconnected first',
      answers: { 200: { description: 'The seat.', schema: seatsSchema } },
      problems: [404, 409],
      async handle(call) {
        const { streamerId = '' } = call.params;
        sendOutcome(call, await signalling.assignSeat(streamerId, call.body.playerId));
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
        sendOutcome(call, await signalling.releaseSeat(call.params['streamerId'] ?? ''));
      },
    },
  ];
}
