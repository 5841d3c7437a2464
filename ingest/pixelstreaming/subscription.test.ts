import { describe, expect, it } from 'vitest';
import { nextDialect, type Reaction, Subscription } from './subscription.ts';

const types = ({ send }: Reaction): string[] => send.map((message) => message.type);
const events = (reaction: Reaction): string[] => reaction.events.map((event) => event.kind);
const list = (...ids: string[]): { type: 'streamerList'; ids: string[] } => ({
  type: 'streamerList',
  ids,
});
const make = (): Subscription => new Subscription('cam', { random: () => 1 });

describe('Subscription', () => {
  it('asks for the list each second until the streamer is in it, then subscribes', () => {
    const subscription = make();
    expect(types(subscription.tick(0))).toEqual(['listStreamers']);
    expect(types(subscription.tick(999))).toEqual([]);
    expect(events(subscription.receive(list('other'), 999))).toEqual(['waiting']);
    expect(types(subscription.tick(1000))).toEqual(['listStreamers']);
    const found = subscription.receive(list('other', 'cam'), 1001);
    expect(found.send).toEqual([{ type: 'subscribe', streamerId: 'cam' }]);
    expect(events(found)).toEqual(['subscribed']);
    expect(types(subscription.receive(list('cam'), 1002))).toEqual([]);
  });

  it('gives the offer with the servers of the configuration, and candidates after it', () => {
    const subscription = make();
    const iceServers = [{ urls: ['stun:stun.example:3478'] }, { urls: 7 }, null];
    const options = { iceServers, iceTransportPolicy: 'relay' };
    subscription.receive({ type: 'config', peerConnectionOptions: options }, 0);
    const candidate = { type: 'iceCandidate', candidate: { candidate: 'candidate:1' } } as const;
    expect(subscription.receive({ type: 'offer', sdp: 'early' }, 0).events).toEqual([]);
    expect(subscription.receive(candidate, 0).events).toEqual([]);
    subscription.receive(list('cam'), 0);
    expect(subscription.receive({ type: 'offer', sdp: 'v=0' }, 0).events).toEqual([
      {
        kind: 'offer',
        sdp: 'v=0',
        ice: { iceServers: [{ urls: ['stun:stun.example:3478'] }], isRelayOnly: true },
      },
    ]);
    expect(subscription.receive(candidate, 0).events).toEqual([
      { kind: 'candidate', candidate: 'candidate:1' },
    ]);
    expect(subscription.receive({ type: 'iceCandidate', candidate: null }, 0).events).toEqual([]);
  });

  it('leaves a streamer that never offers, and comes back with a growing pause', () => {
    const subscription = make();
    const pausesMs: number[] = [];
    let nowMs = 0;
    for (let round = 0; round < 4; round += 1) {
      const lostMs = nowMs;
      while (types(subscription.receive(list('cam'), nowMs)).length === 0) {
        nowMs += 50;
      }
      pausesMs.push(nowMs - lostMs);
      nowMs += 5000;
      expect(events(subscription.tick(nowMs))).toEqual(['offer-wanted']);
      nowMs += 3000;
      const over = subscription.tick(nowMs);
      expect(types(over)).toContain('unsubscribe');
      expect(events(over)).toEqual(['lost']);
    }
    expect(pausesMs).toEqual([0, 250, 500, 1000]);
  });

  it('leaves a streamer that offers without end, and takes no more than 128 candidates', () => {
    const subscription = make();
    subscription.receive(list('cam'), 0);
    const candidate = { type: 'iceCandidate', candidate: { candidate: 'candidate:1' } } as const;
    const offer = { type: 'offer', sdp: 'v=0' } as const;
    for (let offers = 0; offers < 8; offers += 1) {
      expect(events(subscription.receive(offer, 0))).toEqual(['offer']);
    }
    const taken = Array.from({ length: 200 }, () => subscription.receive(candidate, 0).events);
    expect(taken.flat()).toHaveLength(128);
    // Good media in between: a streamer that offers anew each hour is no trouble.
    subscription.healthy();
    expect(events(subscription.receive(offer, 0))).toEqual(['offer']);
    expect(events(subscription.receive(candidate, 0))).toEqual(['candidate']);
    const answers = Array.from({ length: 20 }, () => subscription.receive(offer, 0));
    expect(answers.flatMap(events)).toEqual([...Array.from({ length: 7 }, () => 'offer'), 'lost']);
    expect(answers.flatMap(types)).toEqual(['unsubscribe']);
  });

  it('starts over on request, and the first failure after good media is cheap again', () => {
    const subscription = make();
    for (const nowMs of [0, 10_000, 20_000]) {
      subscription.receive(list('cam'), nowMs);
      subscription.resubscribe('no picture', nowMs);
    }
    subscription.healthy();
    subscription.receive(list('cam'), 30_000);
    subscription.receive({ type: 'offer', sdp: 'v=0' }, 30_000);
    const again = subscription.resubscribe('no picture', 30_000);
    expect(types(again)).toEqual(['unsubscribe']);
    expect(types(subscription.resubscribe('no picture', 30_000))).toEqual([]);
    expect(types(subscription.receive(list('cam'), 30_249))).toEqual([]);
    expect(types(subscription.receive(list('cam'), 30_250))).toEqual(['subscribe']);
  });

  it('notices that the streamer left the list, was renamed, or that the server refuses', () => {
    const subscription = make();
    subscription.receive(list('cam'), 0);
    subscription.receive({ type: 'streamerIdChanged', newID: 'stage' }, 0);
    expect(events(subscription.receive(list('cam'), 1000))).toEqual([]);
    expect(events(subscription.receive(list('stage'), 2000))).toEqual([]);
    expect(events(subscription.receive(list(), 3000))).toEqual([]);
    expect(events(subscription.receive(list(), 4000))).toEqual(['lost']);
    subscription.receive(list('stage'), 9000);
    const refused = subscription.receive({ type: 'subscribeFailed', message: 'full' }, 9001);
    expect(refused.events).toEqual([{ kind: 'lost', reason: 'full' }]);
  });

  it('takes the first streamer where none is wanted, stays with it, and looks again after it', () => {
    const subscription = new Subscription(undefined, { random: () => 1 });
    expect(subscription.receive(list(), 0).events).toEqual([
      { kind: 'waiting', reason: 'no streamer is connected' },
    ]);
    expect(subscription.receive(list('b', 'a'), 1).send).toEqual([
      { type: 'subscribe', streamerId: 'b' },
    ]);
    expect(events(subscription.receive(list('a', 'b'), 2))).toEqual([]);
    expect(events(subscription.receive(list('a'), 3))).toEqual([]);
    expect(events(subscription.receive(list('a'), 4))).toEqual(['lost']);
    expect(subscription.receive(list('a'), 5000).send).toEqual([
      { type: 'subscribe', streamerId: 'a' },
    ]);
  });

  it('offers to a streamer that waits for it, unless it offers late', () => {
    const subscription = make();
    subscription.receive(list('cam'), 0);
    expect(events(subscription.receive({ type: 'answer', sdp: 'v=0' }, 1))).toEqual([]);
    expect(events(subscription.tick(5000))).toEqual(['offer-wanted']);
    const answer = subscription.receive({ type: 'answer', sdp: 'v=0' }, 5100);
    expect(answer.events).toEqual([{ kind: 'answer', sdp: 'v=0' }]);
    expect(events(subscription.tick(20_000))).toEqual([]);
    expect(events(subscription.receive({ type: 'offer', sdp: 'v=0' }, 20_001))).toEqual(['offer']);
  });

  it('answers a ping', () => {
    expect(make().receive({ type: 'ping', time: 7 }, 0).send).toEqual([{ type: 'pong', time: 7 }]);
  });

  it('says nothing but media to a server that closes on what it does not know', () => {
    const subscription = new Subscription('cam', { dialect: 'unasked', random: () => 1 });
    const config = { type: 'config', peerConnectionOptions: {} } as const;
    const everything = [
      subscription.tick(0),
      subscription.receive(config, 0),
      subscription.receive({ type: 'playerCount', count: 1 }, 1),
      subscription.tick(5000),
      subscription.resubscribe('no picture', 6000),
    ];
    expect(everything.flatMap(types)).toEqual([]);
    expect(everything.flatMap(events)).toEqual(['subscribed', 'offer-wanted', 'lost']);
    expect(everything.at(-1)?.isOver).toBe(true);
    const other = new Subscription('cam', { dialect: 'unasked' });
    expect(events(other.receive(config, 0))).toEqual(['subscribed']);
    expect(events(other.receive({ type: 'offer', sdp: 'v=0' }, 1))).toEqual(['offer']);
  });
});

describe('nextDialect', () => {
  it.each([
    ['a server that does not know the list', 'listed', 1008, false, 'unasked'],
    ['one that has listed and refuses for another reason', 'listed', 1008, true, 'listed'],
    ['one without a streamer', 'unasked', 1013, false, 'unasked'],
    ['one that was restarted as a newer one', 'unasked', 1008, false, 'listed'],
  ] as const)('after %s', (_name, dialect, code, hasListed, next) => {
    expect(nextDialect(dialect, code, hasListed)).toBe(next);
  });
});
