/** Structured logging behind a small interface; pino underneath. */
import { pino } from 'pino';
import pretty from 'pino-pretty';

/** Structured fields of a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What every part of the house is given to log with: fields first, constant message. */
export interface Logger {
  /** Someone must act. */
  error(fields: LogFields, message: string): void;
  /** Degraded, going on. */
  warn(fields: LogFields, message: string): void;
  /** Lifecycle, with its reason. */
  info(fields: LogFields, message: string): void;
  /** Per segment. */
  debug(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

/** Levels from silent to talkative. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** A logger to stderr: readable lines on a terminal or with `format: 'pretty'`, JSON otherwise. */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly format: 'pretty' | 'json';
}): Logger {
  const destination =
    options.format === 'pretty'
      ? pretty({
          destination: 2,
          sync: true,
          ignore: 'pid,hostname,area',
          messageFormat: '{if area}[{area}] {end}{msg}',
          translateTime: 'HH:MM:ss.l',
          singleLine: true,
        })
      : pino.destination({ dest: 2, sync: true });
  return pino({ level: options.level, base: null }, destination);
}

/** A logger that says nothing: for tests. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLogger,
};
