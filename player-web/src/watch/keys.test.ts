import { describe, expect, it } from 'vitest';
import { keyCommand, stepLevel, type KeyPress } from './keys.ts';

const press = (key: string, change: Partial<KeyPress> = {}): KeyPress => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  repeat: false,
  ...change,
});

describe('keyCommand', () => {
  it.each([
    [press(' '), 'BODY', 'togglePlay'],
    [press('K'), 'BODY', 'togglePlay'],
    [press('m'), 'BUTTON', 'toggleMute'],
    [press('ArrowUp'), 'BODY', 'qualityUp'],
    [press('q'), 'VIDEO', 'qualityAuto'],
    [press('ArrowLeft'), 'BODY', 'back'],
    [press('ArrowRight', { repeat: true }), 'BUTTON', 'forward'],
    [press('ArrowLeft'), 'INPUT', undefined],
    [press('L'), 'BODY', 'goLive'],
    [press(' '), 'BUTTON', undefined],
    [press('ArrowUp'), 'INPUT', undefined],
    [press('m'), 'SELECT', undefined],
    [press('f', { ctrlKey: true }), 'BODY', undefined],
    [press('k', { repeat: true }), 'BODY', undefined],
    [press('x'), 'BODY', undefined],
  ])('%j on %s', (event, tag, wanted) => {
    expect(keyCommand(event, tag)).toBe(wanted);
  });
});

describe('stepLevel', () => {
  const levels = [720, 480, 360].map((height) => ({
    name: `v${height}`,
    width: undefined,
    height,
    bitrateBps: height * 1000,
  }));

  it.each([
    ['v480', 'qualityUp', 'v720'],
    ['v480', 'qualityDown', 'v360'],
    ['v720', 'qualityUp', 'v720'],
    ['v360', 'qualityDown', 'v360'],
    [undefined, 'qualityUp', 'v360'],
  ] as const)('from %s %s', (current, direction, wanted) => {
    expect(stepLevel(levels, current, direction)).toBe(wanted);
  });

  it('stays with the player while the ladder is unknown', () => {
    expect(stepLevel([], undefined, 'qualityUp')).toBe('auto');
  });
});
