/**
 * One WebSocket with every bound on it: frame size (by the server's `maxPayload`), bytes that wait
 * to be sent, silence. Turns frames into parsed messages; leaves their meaning to the rules.
 */
import type { RawData, WebSocket } from 'ws';
import { type ParsedMessage, parseMessage, type RawMessage } from './protocol/index.ts';

/** What a connection tells its owner. */
export type ConnectionHandlers = {
  onMessage(parsed: ParsedMessage): void;
  /** Once, after which nothing comes. */
  onClosed(code: number, reason: string): void;
  /** The socket failed or broke a bound; `onClosed` follows. */
  onFault(message: string): void;
};

/** The sending side of a connection. */
export type Connection = {
  send(message: RawMessage): void;
  /** Starts the closing handshake; ws ends it by force when the peer does not answer. */
  close(code: number, reason: string): void;
  /** Cuts the connection. */
  terminate(): void;
  /** Pings; resolves with whether there was any sign of life within that time. */
  probe(timeoutMs: number): Promise<boolean>;
  /** A beat of the heart: pings, and cuts off a peer that was silent for `MISSED_BEATS` of them. */
  beat(): void;
};

/** Beats without any sign of life after which a peer is gone. */
export const MISSED_BEATS = 3;
/** RFC 6455 §5.5: a control frame holds 125 bytes, two of them the code. */
const MAX_REASON_BYTES = 123;

/** Takes over an open socket. */
export function openConnection(
  socket: WebSocket,
  handlers: ConnectionHandlers,
  { maxBufferedBytes }: { readonly maxBufferedBytes: number },
): Connection {
  let silentBeats = 0;
  const alive = (): void => {
    silentBeats = 0;
  };
  socket.on('pong', alive);
  socket.on('message', (data) => {
    alive();
    handlers.onMessage(parseMessage(textOf(data)));
  });
  socket.on('error', (error) => {
    handlers.onFault(error.message);
  });
  socket.once('close', (code, reason) => {
    handlers.onClosed(code, reason.toString('utf8'));
  });
  return {
    send(message) {
      if (socket.readyState !== socket.OPEN) {
        return;
      }
      if (socket.bufferedAmount > maxBufferedBytes) {
        handlers.onFault(`${socket.bufferedAmount} bytes wait to be sent`);
        socket.terminate();
        return;
      }
      // Always text: Epic's Node transport reads no binary frames.
      socket.send(JSON.stringify(message));
    },
    close(code, reason) {
      socket.close(code, shortReason(reason));
    },
    terminate() {
      socket.terminate();
    },
    probe(timeoutMs) {
      return new Promise((resolve) => {
        const done = (isAlive: boolean): void => {
          clearTimeout(timer);
          socket.off('pong', onSign).off('message', onSign).off('close', onClose);
          resolve(isAlive);
        };
        const onSign = (): void => done(true);
        const onClose = (): void => done(false);
        const timer = setTimeout(onClose, timeoutMs);
        socket.on('pong', onSign).on('message', onSign).on('close', onClose);
        if (socket.readyState === socket.OPEN) {
          socket.ping();
        }
      });
    },
    beat() {
      silentBeats += 1;
      if (silentBeats > MISSED_BEATS) {
        handlers.onFault('no sign of life');
        socket.terminate();
      } else if (socket.readyState === socket.OPEN) {
        socket.ping();
      }
    },
  };
}

/** Old Cirrus and UE may send their JSON in binary frames. */
function textOf(data: RawData): string {
  const bytes = Array.isArray(data)
    ? Buffer.concat(data)
    : data instanceof ArrayBuffer
      ? Buffer.from(data)
      : data;
  return bytes.toString('utf8');
}

/** The reason within a close frame's room, whole characters only. */
export function shortReason(reason: string): string {
  let short = '';
  let bytes = 0;
  for (const character of reason) {
    bytes += Buffer.byteLength(character);
    if (bytes > MAX_REASON_BYTES) {
      break;
    }
    short += character;
  }
  return short;
}
