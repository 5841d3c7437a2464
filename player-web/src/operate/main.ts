/** `/operate`: every broadcast as a row, read-only, over the same API as the list. */
import { fetchBroadcasts, type Broadcast } from '../lib/api.ts';
import { byId, make, poll, setText } from '../lib/dom.ts';
import { formatBitrate, formatHeight, formatMs, formatSpan, UNKNOWN } from '../lib/format.ts';
import { startServerClock } from '../lib/serverClock.ts';
import { stateLabel } from '../lib/stateLabel.ts';

const POLL_MS = 2000;

const rows = byId('rows', HTMLTableSectionElement);
const summary = byId('summary', HTMLElement);
const clock = startServerClock('/time');

poll(
  async () => {
    const answer = await fetchBroadcasts();
    if (answer.kind !== 'ok') {
      setText(summary, 'The gateway does not answer. What is shown is old.');
      return false;
    }
    const live = answer.value.filter((broadcast) => broadcast.state === 'live').length;
    setText(summary, `${live} live of ${answer.value.length}`);
    show(answer.value);
    return true;
  },
  () => POLL_MS,
);

/** Rows take the new text in place: replacing them would take the keyboard focus off a link. */
function show(broadcasts: readonly Broadcast[]): void {
  const fresh = broadcasts.map(makeRow);
  fresh.forEach((row, index) => {
    const old = rows.rows[index];
    if (old?.dataset['id'] !== row.dataset['id'] || old === undefined) {
      rows.insertBefore(row, old ?? null);
      return;
    }
    [...row.cells].forEach((cell, column) => {
      const shown = old.cells[column];
      if (column > 0 && shown !== undefined && !shown.isEqualNode(cell)) {
        shown.replaceWith(cell);
      }
    });
  });
  while (rows.rows.length > fresh.length) {
    rows.deleteRow(-1);
  }
}

function makeRow(broadcast: Broadcast): HTMLTableRowElement {
  const nowMs = clock.nowMs();
  const link = make('a', '', broadcast.id);
  link.href = `/watch/${broadcast.id}`;
  const pill = make('span', 'pill', stateLabel(broadcast.state));
  pill.dataset['state'] = broadcast.state;
  const sinceMs = broadcast.sinceMs;
  const row = make(
    'tr',
    '',
    make('td', '', link),
    make('td', '', pill),
    make(
      'td',
      '',
      formatSpan(nowMs === undefined || sinceMs === undefined ? undefined : nowMs - sinceMs),
    ),
    make('td', '', broadcast.streamerId ?? UNKNOWN),
    make('td', '', broadcast.encoder ?? UNKNOWN),
    make('td', '', ladderText(broadcast)),
    make('td', 'number', broadcast.lastMsn === undefined ? UNKNOWN : String(broadcast.lastMsn)),
    make('td', 'number', formatMs(broadcast.publishDelayMs)),
    make('td', '', presenterText(broadcast.isPresenterConnected)),
  );
  row.dataset['id'] = broadcast.id;
  return row;
}

function ladderText(broadcast: Broadcast): string {
  const rungs = broadcast.tracks
    .filter((track) => track.kind === 'video')
    .map((track) => `${formatHeight(track.height)} ${formatBitrate(track.bitrateBps)}`);
  return rungs.length === 0 ? UNKNOWN : rungs.join(', ');
}

function presenterText(isConnected: boolean | undefined): string {
  if (isConnected === undefined) {
    return UNKNOWN;
  }
  return isConnected ? 'Connected' : 'Seat free';
}
