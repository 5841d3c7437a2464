/** The peer thread's life: what ends in it ends one peer, and the next peer finds a thread. */
import type { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { silentLogger } from '../../infra/kernel/logger.ts';
import { until } from '../../test/support/until.ts';
import { ingestConfigSchema } from '../config.ts';
import type { PeerEvent } from './messages.ts';
import { createPeerThread, type PeerThread } from './peerThread.ts';

const NO_SERVERS = { iceServers: [], isRelayOnly: false };

/** The least that werift answers. */
const OFFER = [
  ...['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0'],
  ...['m=video 9 UDP/TLS/RTP/SAVPF 102', 'c=IN IP4 0.0.0.0', 'a=ice-ufrag:abcd'],
  ...['a=ice-pwd:0123456789abcdef01234567', 'a=fingerprint:sha-256 AA:BB', 'a=setup:actpass'],
  ...['a=mid:0', 'a=sendonly', 'a=rtcp-mux', 'a=rtpmap:102 H264/90000'],
  'a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f',
  '',
].join('\r\n');

let thread: PeerThread | undefined;
afterEach(() => thread?.close('test is over'));

function make(): { open: (onEvent?: (event: PeerEvent) => void) => PeerEvent[] } {
  const made = createPeerThread({ logger: silentLogger }, ingestConfigSchema.parse({}));
  thread = made;
  return {
    open(onEvent) {
      const events: PeerEvent[] = [];
      made.open(OFFER, NO_SERVERS, (event) => {
        events.push(event);
        onEvent?.(event);
      });
      return events;
    },
  };
}
const answered = (events: PeerEvent[]): Promise<unknown> =>
  until('an answer', 10_000, () => events.some(({ kind }) => kind === 'answer'));

it('ends its peers when the thread dies, and the next peer starts another', async () => {
  const started: Worker[] = [];
  const onWorker = (worker: Worker): void => void started.push(worker);
  process.on('worker', onWorker as () => void);
  const { open } = make();
  const before = open();
  await answered(before);
  await started[0]?.terminate();
  expect(before.at(-1)).toEqual({
    kind: 'ended',
    code: 'peer_failed',
    reason: 'the peer thread ended',
  });
  await answered(open());
  process.off('worker', onWorker as () => void);
  expect(started).toHaveLength(2);
});

it('ends a peer whose events cannot be handled, and no other', async () => {
  const { open } = make();
  const good = open();
  const bad = open(({ kind }) => {
    if (kind === 'answer') {
      throw new Error('cannot be handled');
    }
  });
  await until('its end', 10_000, () => bad.at(-1)?.kind === 'ended');
  expect(bad.map(({ kind }) => kind)).toEqual(['agreed', 'answer', 'ended']);
  await answered(good);
  await answered(open());
});
