/** The step from "not yet" to the waiting room, the same for playlists and parts. */
import { sendError } from './answers.ts';
import type { Exchange } from './exchange.ts';
import { deadline, type MediaDesk, roomKey, type Show } from './show.ts';
import type { Awaited, Waiter } from './waitingRoom.ts';

/** Answers what is asked as soon as it can be given: now, or after a wait with those who want the same. */
export function answerOrHold(
  desk: MediaDesk,
  exchange: Exchange,
  show: Show,
  at: { readonly track: string; readonly name: string },
  ask: () => ((exchange: Exchange) => void) | undefined,
): void {
  const answer = ask();
  if (answer !== undefined) {
    answer(exchange);
    return;
  }
  const key = roomKey(show, at.track);
  const awaited = desk.room.find(key, at.name) ?? awaitedOnce(ask);
  if (!desk.room.add(key, at.name, awaited, newWaiter(exchange, desk, show))) {
    sendError(exchange, 503, 'too many requests wait');
  }
}

/** A request at the start of its wait. */
export function newWaiter(exchange: Exchange, desk: MediaDesk, show: Show): Waiter {
  return { exchange, deadlineMs: deadline(desk, show), sentChunks: 0, isBlocked: false };
}

/** Something that is there from one moment to the next, and then whole. */
function awaitedOnce(ask: () => ((exchange: Exchange) => void) | undefined): Awaited {
  return {
    wakes: 'part',
    poll() {
      const answer = ask();
      return answer === undefined
        ? undefined
        : ({ exchange }) => {
            answer(exchange);
            return true;
          };
    },
    expire({ exchange }) {
      sendError(exchange, 503, 'no new media');
    },
  };
}
