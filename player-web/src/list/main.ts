/** `/`: the list of broadcasts, asked for every two seconds and updated in place. */
import { fetchBroadcasts, type Broadcast } from '../lib/api.ts';
import { byId, make, poll, setText } from '../lib/dom.ts';
import { formatHeight, UNKNOWN } from '../lib/format.ts';
import { stateLabel } from '../lib/stateLabel.ts';

const POLL_MS = 2000;
const STREAMER_PORT = 8888;

type Card = { readonly root: HTMLElement; update(broadcast: Broadcast): void };

const cards = new Map<string, Card>();
const list = byId('cards', HTMLUListElement);
const empty = byId('empty', HTMLElement);
const summary = byId('summary', HTMLElement);

const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
for (const element of document.querySelectorAll('.streamer-url')) {
  setText(element, `${scheme}://${location.hostname}:${STREAMER_PORT}`);
}

poll(
  async () => {
    const answer = await fetchBroadcasts();
    if (answer.kind === 'ok') {
      show(answer.value);
    } else {
      setText(summary, 'The gateway does not answer. Trying again.');
    }
    return answer.kind === 'ok';
  },
  () => POLL_MS,
);

function show(broadcasts: readonly Broadcast[]): void {
  const live = broadcasts.filter((broadcast) => broadcast.state === 'live').length;
  setText(summary, broadcasts.length === 0 ? 'None yet' : `${live} of ${broadcasts.length} live`);
  empty.hidden = broadcasts.length > 0;
  const ids = new Set(broadcasts.map((broadcast) => broadcast.id));
  for (const [id, card] of cards) {
    if (!ids.has(id)) {
      card.root.remove();
      cards.delete(id);
    }
  }
  for (const broadcast of [...broadcasts].sort((a, b) => a.id.localeCompare(b.id))) {
    let card = cards.get(broadcast.id);
    if (card === undefined) {
      card = makeCard(broadcast.id);
      cards.set(broadcast.id, card);
      const next = [...cards.keys()].sort((a, b) => a.localeCompare(b));
      const after = cards.get(next[next.indexOf(broadcast.id) + 1] ?? '');
      list.insertBefore(card.root, after?.root ?? null);
    }
    card.update(broadcast);
  }
}

function makeCard(id: string): Card {
  const pill = make('span', 'pill');
  const ladder = make('dd', '');
  const encoder = make('dd', '');
  const presenter = make('dd', '');
  const title = make('h2', '', id);
  title.title = id;
  const watch = make('a', 'button button-main', 'Watch');
  watch.href = `/watch/${id}`;
  watch.setAttribute('aria-label', `Watch ${id}`);
  const present = make('a', 'button', 'Present');
  present.href = `/present/${id}`;
  present.setAttribute('aria-label', `Present ${id}`);
  const root = make(
    'li',
    'card',
    make('div', 'card-head', title, pill),
    make(
      'dl',
      '',
      make('div', 'card-wide', make('dt', '', 'Ladder'), ladder),
      make('div', '', make('dt', '', 'Encoder'), encoder),
      make('div', '', make('dt', '', 'Presenter'), presenter),
    ),
    make('div', 'card-actions', watch, present),
  );
  return {
    root,
    update: (broadcast) => {
      pill.dataset['state'] = broadcast.state;
      setText(pill, stateLabel(broadcast.state));
      setText(ladder, ladderText(broadcast));
      setText(encoder, broadcast.encoder ?? UNKNOWN);
      setText(presenter, presenterText(broadcast));
    },
  };
}

function ladderText(broadcast: Broadcast): string {
  const heights = broadcast.tracks
    .filter((track) => track.kind === 'video')
    .map((track) => formatHeight(track.height));
  return heights.length === 0 ? UNKNOWN : heights.join('  \u00b7  ');
}

function presenterText(broadcast: Broadcast): string {
  if (broadcast.isPresenterConnected === undefined) {
    return UNKNOWN;
  }
  return broadcast.isPresenterConnected ? 'Connected' : 'Seat free';
}
