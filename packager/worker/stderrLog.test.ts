import { expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../infra/kernel/logger.ts';
import { parseStderrLine, StderrLog } from './stderrLog.ts';

test.each([
  [
    '[h264 @ 0x55d1c0] [error] error while decoding MB 3 4',
    'warn',
    'h264: error while decoding MB 3 4',
  ],
  ['[fatal] pipe:0: Invalid data', 'warn', 'pipe:0: Invalid data'],
  ['[libx264 @ 0x1a] [warning] VBV underflow', 'debug', 'libx264: VBV underflow'],
  ['Consider increasing the value', 'debug', 'Consider increasing the value'],
  ['', 'debug', ''],
])('%s', (line, level, text) => {
  expect(parseStderrLine(line)).toEqual({ level, text });
});

test('a flood becomes a few lines with counts, and is forgotten after the flush', () => {
  const said: unknown[] = [];
  const note = (level: string) => (fields: object) => said.push({ level, ...fields });
  const logger: Logger = {
    ...{ error: note('error'), warn: note('warn'), info: note('info'), debug: note('debug') },
    child: () => logger,
  };
  const log = new StderrLog(logger);
  for (let index = 0; index < 1000; index += 1) {
    log.push(`[h264 @ 0x55d1c0] [error] concealing ${index} errors`);
  }
  for (let index = 0; index < 100; index += 1) {
    log.push(`[warning] text ${'x'.repeat(index)}`);
  }
  expect(log.tail).toHaveLength(50);
  log.flush();
  log.flush();
  expect(said).toHaveLength(6);
  expect(said[0]).toEqual({ level: 'warn', text: 'h264: concealing 0 errors', count: 1000 });
  expect(said[5]).toEqual({ level: 'debug', lines: 96 });
});

test('the tail keeps what a repeated line would push out', () => {
  const log = new StderrLog(silentLogger);
  log.push('[error] the cause');
  for (let index = 0; index < 100; index += 1) {
    log.push(`[warning] frame ${index} has changed`);
  }
  expect(log.tail).toEqual(['the cause', 'frame 0 has changed']);
});
