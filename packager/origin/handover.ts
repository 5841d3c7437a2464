/**
 * Origins tell each other how a lost publisher ended (seals.ts): `POST /handover/{broadcast}/{track}`
 * on the internal listener seals it there and answers with the samples beyond the asker's, one CMAF
 * chunk each. Owns the requests; whoever does not answer in time has nothing to say.
 */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { errorText, GatewayError } from '../../infra/kernel/errors.ts';
import type { Logger } from '../../infra/kernel/logger.ts';
import { isAuthorized, type Secret } from '../../infra/kernel/secret.ts';
import type { UnixMs } from '../../infra/kernel/time.ts';
import { formatEpoch } from '../../infra/kernel/wire.ts';
import { BoxSplitter, chunk, parseFragment, type Sample, type TrackInit } from '../cmaf/index.ts';
import type { LiveBroadcast } from './liveBroadcast.ts';
import { parseTarget } from './publishTarget.ts';
import type { Loss } from './seals.ts';

const PATH = '/handover/';
/** The other slot waits this long at most: much less than players have buffered. */
const ANSWER_MS = 200;
/** Origins differ by what one connection holds back. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Asks every origin of `sisters` what it has of a lost publisher; the longest answer counts. */
export async function askSisters(
  sisters: readonly string[],
  asked: { readonly broadcast: string; readonly track: string; readonly loss: Loss },
  init: TrackInit,
  { token, logger }: { readonly token: Secret; readonly logger: Logger },
): Promise<readonly Sample[]> {
  const { broadcast, track, loss } = asked;
  const path =
    `${PATH}${broadcast}/${track}?slot=${loss.slot}&epoch=${formatEpoch(loss.epoch)}` +
    `&from=${loss.fromTicks}`;
  const answers = await Promise.all(
    sisters.map(async (origin) => {
      try {
        return samplesIn(await post(new URL(path, origin), token), init);
      } catch (error) {
        const fields = { broadcast, track, origin, reason: errorText(error) };
        logger.warn(fields, 'an origin does not say how a publisher ended');
        return [];
      }
    }),
  );
  return answers.reduce((longest, one) => (one.length > longest.length ? one : longest), []);
}

/** Answers the others; false where the path is not its own. */
export function createHandoverHandler(deps: {
  readonly token: Secret;
  readonly nowMs: () => UnixMs;
  readonly find: (broadcastId: string) => LiveBroadcast | undefined;
}): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const url = request.url ?? '';
    if (!url.startsWith(PATH)) {
      return false;
    }
    request.resume();
    if (!isAuthorized(request.headers.authorization, deps.token)) {
      response.writeHead(401).end();
      return true;
    }
    const answer = request.method === 'POST' ? answerOf(url, deps) : undefined;
    response
      .writeHead(answer === undefined ? 404 : 200, { 'Content-Type': 'video/iso.segment' })
      .end(answer === undefined ? undefined : Buffer.concat(answer));
    return true;
  };
}

function answerOf(
  url: string,
  { find, nowMs }: Pick<Parameters<typeof createHandoverHandler>[0], 'find' | 'nowMs'>,
): Uint8Array[] | undefined {
  const from = /[?&]from=(\d{1,16})$/.exec(url)?.[1];
  try {
    const { broadcast, track, slot, epoch } = parseTarget(url, nowMs());
    const live = find(broadcast);
    const trackId = live?.track(track)?.newestHeader?.init.trackId;
    if (live === undefined || trackId === undefined || from === undefined) {
      return undefined;
    }
    return live
      .lostElsewhere(track, { slot, epoch, fromTicks: Number(from) })
      .map((sample) => chunk([sample], { trackId, sequenceNumber: 1 }));
  } catch (error) {
    if (error instanceof GatewayError) {
      return undefined;
    }
    throw error;
  }
}

function samplesIn(bytes: Uint8Array, init: TrackInit): Sample[] {
  const boxes = new BoxSplitter().push(new Uint8Array(bytes)).filter(({ type }) => type !== 'styp');
  const samples: Sample[] = [];
  for (let index = 0; index + 1 < boxes.length; index += 2) {
    const [moof, mdat] = [boxes[index], boxes[index + 1]];
    if (moof !== undefined && mdat !== undefined) {
      samples.push(...parseFragment(moof, mdat, init));
    }
  }
  return samples;
}

function post(url: URL, token: Secret): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method: 'POST',
      agent: false,
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: { authorization: `Bearer ${token.reveal()}`, 'content-length': 0 },
    });
    request.once('error', reject);
    request.once('response', (response: IncomingMessage) => {
      const slices: Buffer[] = [];
      let bytes = 0;
      response.on('data', (slice: Buffer) => {
        bytes += slice.length;
        if (bytes > MAX_ANSWER_BYTES) {
          request.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes`));
        }
        slices.push(slice);
      });
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) {
          resolve(Buffer.concat(slices));
        } else {
          reject(new Error(`answers ${response.statusCode ?? 0}`));
        }
      });
    });
    request.end();
  });
}
