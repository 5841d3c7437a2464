import { describe, expect, it } from 'vitest';
import { SeatTalk } from './seatTalk.ts';

const from = (type: string, playerId: unknown, streamerId = 'demo') => ({
  type,
  streamerId,
  playerId,
});

describe('the talk about the seat', () => {
  it('goes from asking to taking what is offered', () => {
    const talk = new SeatTalk('demo');
    expect(talk.ask()).toEqual({ type: 'seatRequest', streamerId: 'demo' });
    expect(talk.hear(from('seatOffer', '101'))).toEqual({ type: 'seatAccept', streamerId: 'demo' });
    talk.hold();
    expect([talk.isAsking, talk.isOffered]).toEqual([false, false]);
  });

  it('takes nothing that it did not ask for by itself', () => {
    const talk = new SeatTalk('demo');
    expect(talk.hear(from('seatOffer', '101'))).toBeUndefined();
    expect(talk.isOffered).toBe(true);
    expect(talk.accept()).toEqual({ type: 'seatAccept', streamerId: 'demo' });
    expect(talk.isOffered).toBe(false);
  });

  it('remembers who asks, each once and so many, until they are answered or the seat is gone', () => {
    const talk = new SeatTalk('demo');
    ['102', '103', '102'].forEach((id) => talk.hear(from('seatRequest', id)));
    expect(talk.asking).toEqual(['103', '102']);
    expect(talk.offer('103')).toEqual({
      ...{ type: 'seatOffer', streamerId: 'demo', playerId: '103' },
    });
    expect(talk.asking).toEqual(['102']);
    for (let id = 200; id < 300; id += 1) {
      talk.hear(from('seatRequest', String(id)));
    }
    expect(talk.asking).toHaveLength(16);
    talk.lose();
    expect(talk.asking).toEqual([]);
  });

  it.each([
    undefined,
    null,
    'seatOffer',
    {},
    from('seatOffer', 101),
    from('seatOffer', '101', 'other'),
    from('config', '101'),
  ])('hears nothing in %j', (message) => {
    const talk = new SeatTalk('demo');
    talk.ask();
    expect(talk.hear(message)).toBeUndefined();
    expect(talk.asking).toEqual([]);
  });
});
