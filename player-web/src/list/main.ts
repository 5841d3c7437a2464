/** `/`: the list of broadcasts, asked for every two seconds and updated in place. */
import { fetchBroadcasts, fetchRecordings, type Broadcast, type Recording } from '../lib/api.ts';
import { byId, make, poll, setText } from '../lib/dom.ts';
import { formatClock, formatHeight, UNKNOWN } from '../lib/format.ts';
import { stateLabel } from '../lib/stateLabel.ts';

const POLL_MS = 2000;
const STREAMER_PORT = 8888;

/** Recordings change when a broadcast ends, and slowly otherwise (ms). */
const RECORDINGS_MS = 15_000;
/** A card names so many, the newest. */
const MAX_RECORDINGS = 4;

type Card = {
  readonly root: HTMLElement;
  update(broadcast: Broadcast): void;
  showRecordings(recordings: readonly Recording[]): void;
};

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
      asked.delete(id);
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
    void refreshRecordings(broadcast, card);
  }
}

/** What was asked last of a broadcast's recordings, and when (monotonic ms). */
const asked = new Map<string, { readonly of: string; readonly atMs: number }>();

async function refreshRecordings(broadcast: Broadcast, card: Card): Promise<void> {
  const { id, state, recording } = broadcast;
  const of = `${state} ${recording?.id ?? ''} ${String(recording?.isComplete)}`;
  const last = asked.get(id);
  const nowMs = performance.now();
  if (last?.of === of && nowMs - last.atMs < RECORDINGS_MS) {
    return;
  }
  asked.set(id, { of, atMs: nowMs });
  const answer = await fetchRecordings(id);
  if (answer.kind !== 'unreachable') {
    const all = answer.kind === 'ok' ? answer.value : [];
    const isWriting = (each: Recording): boolean =>
      each.id === recording?.id && !recording.isComplete;
    card.showRecordings(all.filter((each) => !isWriting(each)));
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
  const recordings = make('ul', 'recordings');
  const kept = make('div', 'kept', make('h3', '', 'Recordings'), recordings);
  kept.hidden = true;
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
    kept,
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
      present.hidden = !broadcast.canPresent || broadcast.state === 'ended';
      watch.classList.toggle('button-main', broadcast.state !== 'ended');
    },
    showRecordings: (all) => {
      kept.hidden = all.length === 0;
      recordings.replaceChildren(
        ...all
          .slice(0, MAX_RECORDINGS)
          .map((recording) => make('li', '', recordingLink(id, recording))),
      );
    },
  };
}

function recordingLink(id: string, { id: recordingId, fromMs, toMs }: Recording): HTMLElement {
  const when = new Date(fromMs).toLocaleString(undefined, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  const length = toMs === undefined ? '' : formatClock(toMs - fromMs);
  const link = make('a', '', make('span', '', when), make('span', 'quiet', length));
  link.href = `/watch/${id}?recording=${encodeURIComponent(recordingId)}`;
  link.setAttribute('aria-label', `Watch the recording of ${id} of ${when}`);
  return link;
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
