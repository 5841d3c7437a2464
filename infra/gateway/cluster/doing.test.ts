import { expect, it } from 'vitest';
import { afterRecord, type Doing, parseRecord } from './doing.ts';

function after(...lines: readonly object[]): string[] {
  let doing: Doing = new Map();
  for (const line of lines) {
    const record = parseRecord(JSON.stringify({ level: 30, time: 1, ...line }));
    doing = record === undefined ? doing : afterRecord(doing, record);
  }
  return [...doing.values()];
}

const JOB = { msg: 'job begins', job: 'demo.main.0', epoch: '1795.2' };
const ENCODER = { msg: 'encoder started', broadcast: 'demo', slot: 0, pid: 77 };

it('a worker has a job, and while it encodes an ffmpeg', () => {
  expect(after(JOB, ENCODER)).toEqual([
    'job demo.main.0, epoch 1795.2',
    'encodes demo slot 0, ffmpeg 77',
  ]);
  expect(after(JOB, ENCODER, { msg: 'encoder stopped', broadcast: 'demo', slot: 0 })).toEqual([
    'job demo.main.0, epoch 1795.2',
  ]);
});

it('a job that is over takes its encoder with it, and no other', () => {
  const other = { ...ENCODER, slot: 1, pid: 78 };
  expect(after(JOB, ENCODER, other, { msg: 'job over', job: 'demo.main.0' })).toEqual([
    'encodes demo slot 1, ffmpeg 78',
  ]);
});

it('an origin takes tracks of slots', () => {
  const begins = { msg: 'publish begins', broadcast: 'demo', track: 'v360', slot: 1, attempt: 3 };
  expect(after(begins)).toEqual(['takes demo/v360 from slot 1, attempt 3']);
  expect(after(begins, { ...begins, msg: 'publish ended' })).toEqual([]);
});

it('what is no record of a log says nothing', () => {
  expect(parseRecord('Error: out of memory')).toBeUndefined();
  expect(parseRecord('{"level":30}')).toBeUndefined();
  expect(after({ msg: 'toString' })).toEqual([]);
});
