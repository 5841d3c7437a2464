/**
 * The role `signalling`: streamers and presenters, the API, pages, and the controller that makes
 * broadcasts of streamers. Any number of replicas on one Redis.
 */
import { randomBytes } from 'node:crypto';
import { startSignalling, type Signalling } from '../../../signalling/index.ts';
import { openJobQueue } from '../../kernel/jobs.ts';
import { connectSharedStore } from '../../kernel/redis.ts';
import type { Doors } from '../admission.ts';
import { startBroadcastWatch } from '../broadcastWatch.ts';
import { startController } from '../controller.ts';
import { desiredBroadcasts } from '../desired.ts';
import type { Guard } from '../http/api/access.ts';
import { broadcastRoutes } from '../http/api/broadcasts.ts';
import { epicRoutes } from '../http/api/epic.ts';
import { eventRoutes, EventStream } from '../http/api/events.ts';
import { peerRoutes } from '../http/api/peers.ts';
import { attemptOf, type Call } from '../http/api/route.ts';
import { tokenRoutes } from '../http/api/tokens.ts';
import { workerRoutes } from '../http/api/workers.ts';
import { peerServers } from '../http/peerServer.ts';
import { urlHost } from '../publicListeners.ts';
import { transcodeQueues } from '../transcodeQueues.ts';
import { createViews } from '../views.ts';
import { workerBoard } from '../workerBoard.ts';
import { baseUrl, type House, type RolePart } from './house.ts';

/** Builds it. @param guard of the API, which also says what of it may be seen */
export async function buildSignalling(house: House, doors: Doors, guard: Guard): Promise<RolePart> {
  const { config, clock, directory, stack } = house;
  const signalling = await openSignalling(house, doors);
  const desired = desiredBroadcasts({
    ...config.broadcast,
    directory,
    nowMs: () => clock.nowMs(),
    maxBroadcasts: config.maxBroadcasts,
    logger: house.area('desired'),
  });
  followStreamers(house, signalling, desired);

  const events = stack.push(new EventStream(randomBytes(4).toString('hex')));
  const board = workerBoard(house.store);
  const views = createViews(directory, board, signalling, clock);
  stack.defer(signalling.onChange((event) => events.publish(apiEventOf(event))));
  stack.push(startBroadcastWatch(views, events, house.area('events')));
  const maySeePlayers = async ({ request }: Call): Promise<boolean> =>
    (await guard(attemptOf(request, false), 'reader', undefined)) === undefined;
  const isOperator = async ({ request }: Call): Promise<boolean> =>
    (await guard(attemptOf(request, false), 'operator', undefined)) === undefined;
  const { streamers, sfu, maxPlayers } = config.signalling;
  return {
    leases: [{ role: 'signalling', value: house.internalUrl }],
    handleInternalUpgrade: (...upgrade) => signalling.handleIngestUpgrade(...upgrade),
    handleUpgrade: (...upgrade) => signalling.handlePlayerUpgrade(...upgrade),
    routes: [
      ...broadcastRoutes({ ...views, desired, maySeePlayers }),
      ...peerRoutes({ signalling, isOperator }),
      ...workerRoutes(board),
      ...tokenRoutes(doors.tokens, (tokenId) => signalling.order({ kind: 'endToken', tokenId })),
      ...eventRoutes(events),
      ...epicRoutes({
        snapshot: () => signalling.snapshot(),
        config: { streamers, sfu, maxPlayers },
        maySeePlayers,
      }),
    ],
    streamerUrl: baseUrl('ws', urlHost(streamers.host), signalling.streamersPort),
  };
}

async function openSignalling(house: House, { admission }: Doors): Promise<Signalling> {
  const { config, area, metrics, internalToken, certificates, stack } = house;
  // A gateway with a Redis of its own has no replicas.
  const backplane =
    config.redis.url === undefined
      ? undefined
      : stack.push(await connectSharedStore(house.location, area('replicas')));
  const stopping = new AbortController();
  const signalling = stack.push(
    await startSignalling(
      {
        ...{ logger: area('signalling'), metrics, internalToken, admission },
        ...(backplane === undefined ? {} : { backplane }),
        ...(certificates === undefined
          ? {}
          : {
              createServer: peerServers(certificates, {
                isPlainTaken: config.tls.plainStreamers,
                headersTimeoutMs: config.http.limits.headersTimeoutMs,
              }),
            }),
      },
      config.signalling,
      stopping.signal,
    ),
  );
  stack.defer(() => stopping.abort());
  return signalling;
}

/** Streamers become broadcasts, broadcasts become jobs. */
function followStreamers(
  { config, area, clock, directory, store, stack, location }: House,
  signalling: Signalling,
  desired: ReturnType<typeof desiredBroadcasts>,
): void {
  const open = (name: string): ReturnType<typeof openJobQueue> =>
    openJobQueue(location, name, area('queue'));
  const ingestQueue = stack.push(open('ingest'));
  const transcodeQueue = stack.push(
    transcodeQueues({ open, store, board: workerBoard(store), nowMs: () => clock.nowMs() }),
  );
  const controller = stack.push(
    startController(
      {
        ...{ logger: area('controller'), directory, desired, ingestQueue, transcodeQueue },
        nowMs: () => clock.nowMs(),
      },
      config,
    ),
  );
  stack.defer(
    signalling.onChange((event) => {
      if (event.kind === 'streamerIdentified') {
        controller.streamerIdentified(event.streamerId);
      }
    }),
  );
}

type SignallingEvent = Parameters<Parameters<Signalling['onChange']>[0]>[0];

function apiEventOf(event: SignallingEvent): Parameters<EventStream['publish']>[0] {
  const { kind: change, ...data } = event;
  const type = change.startsWith('seat')
    ? 'seat'
    : change.startsWith('presenter')
      ? 'presenter'
      : 'streamer';
  return { type, data: { change, ...data } };
}
