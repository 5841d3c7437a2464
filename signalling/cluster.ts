/**
 * The operator's side of all replicas: an order goes to where it can be carried out, and a question
 * to everyone. A replica that does not answer in time is left out.
 */
import type { Hub } from './hub.ts';
import type { Replica } from './replica.ts';
import type { Answer, Question, ReplicaMessage } from './replication.ts';
import type { OrderOutcome } from './roles/handover.ts';
import type { OperatorOrder } from './roles/orders.ts';
import type { PeersView } from './view.ts';

/** All replicas as the operator sees them. */
export type Cluster = {
  carryOut(order: OperatorOrder): Promise<OrderOutcome>;
  /** Players and seats of every replica. */
  peers(): Promise<PeersView>;
  receive(message: Extract<ReplicaMessage, { kind: 'question' | 'answer' }>): void;
};

type Asked = { readonly to: string; readonly done: (answer: Answer | undefined) => void };
type House = Pick<Hub, 'order' | 'peers' | 'registry'>;
type Others = Pick<Replica, 'id' | 'others' | 'send'>;

/** How long another replica has to answer, ms. */
const ANSWER_TIMEOUT_MS = 2000;

/** The cluster around a hub; `others` is undefined where it is alone. */
export function createCluster(hub: House, others: () => Others | undefined): Cluster {
  const asked = new Map<number, Asked>();
  let lastNumber = 0;
  let gathering: Promise<PeersView> | undefined;

  /** Undefined: no answer in time. A number is never used again: a late answer is nobody's. */
  const ask = (replica: Others, to: string, question: Question): Promise<Answer | undefined> =>
    new Promise((resolve) => {
      const number = (lastNumber += 1);
      const timer = setTimeout(() => done(undefined), ANSWER_TIMEOUT_MS);
      const done = (answer: Answer | undefined): void => {
        clearTimeout(timer);
        asked.delete(number);
        resolve(answer);
      };
      asked.set(number, { to, done });
      replica.send(to, { kind: 'question', from: replica.id, number, question });
    });
  const askAll = (question: Question): Promise<readonly (Answer | undefined)[]> => {
    const replica = others();
    const everyone = replica?.others() ?? [];
    return Promise.all(
      replica === undefined ? [] : everyone.map((to) => ask(replica, to, question)),
    );
  };
  /** Here, or else wherever it can be. */
  const anywhere = async (order: OperatorOrder): Promise<OrderOutcome> => {
    const here = hub.order(order);
    if (here.kind === 'done') {
      return here;
    }
    return (await askAll(order)).find((answer) => answer?.kind === 'done') ?? here;
  };
  /** Where the streamer is. */
  const atStreamer = async (
    order: Extract<OperatorOrder, { readonly streamerId: string }>,
  ): Promise<OrderOutcome> => {
    const { streamerId } = order;
    const replica = others();
    const elsewhere = hub.registry().remoteStreamers.get(streamerId);
    if (replica === undefined || elsewhere === undefined) {
      return hub.order(order);
    }
    const answer = await ask(replica, elsewhere, order);
    return answer === undefined || answer.kind === 'report'
      ? {
          ...{ kind: 'refused', code: 'no_streamer' },
          reason: `The replica of streamer ${streamerId} does not answer.`,
        }
      : answer;
  };
  const gather = async (): Promise<PeersView> => {
    const reports = (await askAll({ kind: 'report' })).flatMap((answer) =>
      answer?.kind === 'report' ? [answer.peers] : [],
    );
    const all = [hub.peers(), ...reports];
    return {
      players: all.flatMap(({ players }) => players),
      seats: all.flatMap(({ seats }) => seats),
    };
  };
  const answerTo = (question: Question): Answer =>
    question.kind === 'report' ? { kind: 'report', peers: hub.peers() } : hub.order(question);

  return {
    async carryOut(order) {
      switch (order.kind) {
        case 'disconnectPlayer':
        case 'introduce':
          return anywhere(order);
        case 'endToken':
          await askAll(order);
          return hub.order(order);
        case 'release':
        case 'disconnectStreamer':
          return atStreamer(order);
        case 'assign': {
          const outcome = await atStreamer(order);
          if (outcome.kind === 'done' || outcome.code !== 'no_player') {
            return outcome;
          }
          // The streamer's replica has never heard of that player, who may be on any other.
          const { kind } = await anywhere({ ...order, kind: 'introduce' });
          return kind === 'done' ? atStreamer(order) : outcome;
        }
      }
    },
    peers() {
      // Many may ask at once, and some need no right to: the replicas are asked once for all.
      gathering ??= gather().finally(() => {
        gathering = undefined;
      });
      return gathering;
    },
    receive(message) {
      if (message.kind === 'answer') {
        const question = asked.get(message.number);
        if (question?.to === message.from) {
          question.done(message.answer);
        }
        return;
      }
      const { from, number, question } = message;
      const replica = others();
      replica?.send(from, {
        ...{ kind: 'answer', from: replica.id, number, answer: answerTo(question) },
      });
    },
  };
}
