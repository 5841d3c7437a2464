/** `/api/v1/broadcasts/{id}/recordings`: what this origin's disk has. */
import { recordingUrls } from '../../broadcastView.ts';
import { broadcastIdSchema } from '../../../kernel/wire.ts';
import { sendUnknown } from './broadcasts.ts';
import { type Route, sendJson } from './route.ts';
import { recordingsSchema } from './schemas.ts';

/** A finished recording. */
export type Recording = {
  readonly id: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly bytes: number;
  readonly expiresMs: number;
};

/** The routes. */
export function recordingRoutes(deps: {
  readonly recordings: (id: string) => readonly Recording[];
  readonly isKnown: (id: string) => Promise<boolean>;
}): Route[] {
  return [
    {
      method: 'get',
      path: '/api/v1/broadcasts/{id}/recordings',
      tag: 'broadcasts',
      summary: 'Finished recordings, oldest first',
      access: 'anyone',
      answers: { 200: { description: 'The recordings.', schema: recordingsSchema } },
      problems: [404],
      async handle({ params: { id = '' }, response }) {
        const isId = broadcastIdSchema.safeParse(id).success;
        // A broadcast that was deleted leaves its recordings until their retention ends.
        const recordings = isId ? deps.recordings(id) : [];
        if (recordings.length === 0 && !(isId && (await deps.isKnown(id)))) {
          sendUnknown(response, id);
          return;
        }
        sendJson(response, 200, { recordings: recordings.map((one) => recordingView(id, one)) });
      },
    },
  ];
}

function recordingView(broadcastId: string, recording: Recording): Record<string, unknown> {
  return {
    id: recording.id,
    from: new Date(recording.fromMs).toISOString(),
    to: new Date(recording.toMs).toISOString(),
    expires: new Date(recording.expiresMs).toISOString(),
    bytes: recording.bytes,
    urls: recordingUrls(broadcastId, recording.id),
  };
}
