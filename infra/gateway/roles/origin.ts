/** The role `origin`: takes published tracks, serves media and recordings. */
import { join } from 'node:path';
import { createOrigin } from '../../../packager/origin/index.ts';
import { redisAgreement } from '../agreement.ts';
import { recordingRoutes } from '../http/api/recordings.ts';
import type { House, RolePart } from './house.ts';

/** Builds it, with what its disk has. */
export async function buildOrigin(house: House): Promise<RolePart> {
  const { config, area, metrics, clock, directory, internalToken, stack } = house;
  const origin = stack.push(
    await createOrigin(
      {
        ...{ metrics, clock, directory, board: directory, internalToken },
        logger: area('origin'),
        internalBaseUrl: house.internalUrl,
        agreement: redisAgreement(house.store),
        mediaDirectory: join(house.dataDirectory, 'media'),
      },
      config.origin,
    ),
  );
  return {
    leases: [{ role: 'origin', value: house.internalUrl }],
    handleInternal: (request, response) => origin.handlePublish(request, response),
    handleMedia: (request, response) => origin.handleMedia(request, response),
    routes: recordingRoutes({
      recordings: (id) => origin.recordings(id),
      async isKnown(id) {
        return (await directory.broadcast(id)) !== undefined;
      },
    }),
  };
}
