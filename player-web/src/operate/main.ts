/** `/operate`: every broadcast as a row, with what operators do: stop it, start it again. */
import { fetchBroadcasts, postCommand, type Broadcast } from '../lib/api.ts';
import { byId, make, poll, setText } from '../lib/dom.ts';
import { formatBitrate, formatHeight, formatMs, formatSpan, UNKNOWN } from '../lib/format.ts';
import { takeToken } from '../lib/linkToken.ts';
import { startServerClock } from '../lib/serverClock.ts';
import { stateLabel } from '../lib/stateLabel.ts';
import { showPeople } from './people.ts';

const POLL_MS = 2000;

const rows = byId('rows', HTMLTableSectionElement);
const summary = byId('summary', HTMLElement);
const clock = startServerClock('/time');
/** From another machine, and with tokens of operators: `/operate#token=`. */
const bearer = takeToken();

/** Commands on their way, by broadcast: the button waits until the API says what came of it. */
const pending = new Map<string, 'stop' | 'start'>();
/** What went wrong with the last command. */
let trouble: string | undefined;

rows.addEventListener('click', (event) => {
  const button = event.target instanceof Element ? event.target.closest('button') : null;
  const id = button?.dataset['id'];
  const command = button?.dataset['command'];
  if (button !== null && id !== undefined && (command === 'stop' || command === 'start')) {
    void order(button, id, command);
  }
});

async function order(
  button: HTMLButtonElement,
  id: string,
  command: 'stop' | 'start',
): Promise<void> {
  const question = `End ${id} for its whole audience? What was recorded is kept.`;
  if (pending.has(id) || (command === 'stop' && !window.confirm(question))) {
    return;
  }
  pending.set(id, command);
  button.disabled = true;
  setText(button, command === 'stop' ? 'Stopping' : 'Starting');
  const failure = await postCommand(id, command, bearer);
  trouble = failure === undefined ? undefined : `${id}: ${failure}`;
  pending.delete(id);
  await refresh();
}

const refreshPeople = showPeople(bearer);

poll(refresh, () => POLL_MS);
poll(refreshPeople, () => POLL_MS);

async function refresh(): Promise<boolean> {
  const answer = await fetchBroadcasts();
  if (answer.kind !== 'ok') {
    setText(summary, 'The gateway does not answer. What is shown is old.');
    return false;
  }
  const live = answer.value.filter((broadcast) => broadcast.state === 'live').length;
  setText(summary, trouble ?? `${live} live of ${answer.value.length}`);
  summary.dataset['trouble'] = String(trouble !== undefined);
  show(answer.value);
  return true;
}

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
      const isTouched = shown?.contains(document.activeElement) === true;
      if (
        column > 0 &&
        !(isTouched && isSameCommand(shown, cell)) &&
        shown !== undefined &&
        !shown.isEqualNode(cell)
      ) {
        shown.replaceWith(cell);
      }
    });
  });
  while (rows.rows.length > fresh.length) {
    rows.deleteRow(-1);
  }
}

/** A button that does the same keeps its element, and with it the focus. */
function isSameCommand(shown: Element | undefined, fresh: Element): boolean {
  const commandOf = (cell: Element | undefined): string | undefined =>
    cell?.querySelector('button')?.dataset['command'];
  return commandOf(shown) === commandOf(fresh);
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
    make('td', 'action', commandButton(broadcast)),
    make(
      'td',
      '',
      formatSpan(nowMs === undefined || sinceMs === undefined ? undefined : nowMs - sinceMs),
    ),
    make('td', '', broadcast.streamerId ?? UNKNOWN),
    make('td', '', broadcast.encoder ?? UNKNOWN),
    ladderCell(broadcast),
    make('td', 'number', broadcast.lastMsn === undefined ? UNKNOWN : String(broadcast.lastMsn)),
    make(
      'td',
      'number',
      formatMs(broadcast.state === 'ended' ? undefined : broadcast.publishDelayMs),
    ),
    make('td', '', presenterText(broadcast.isPresenterConnected)),
    make('td', '', storageText(broadcast)),
  );
  row.dataset['id'] = broadcast.id;
  return row;
}

function storageText({ storageTrouble, recording }: Broadcast): string {
  if (storageTrouble !== undefined) {
    return storageTrouble;
  }
  if (recording === undefined) {
    return UNKNOWN;
  }
  return recording.isComplete ? 'Kept' : 'Being written';
}

function commandButton({ id, state }: Broadcast): HTMLButtonElement {
  const command = state === 'ended' ? 'start' : 'stop';
  const isPending = pending.has(id);
  const label = command === 'stop' ? 'Stop' : 'Start';
  const button = make('button', 'button', label);
  button.type = 'button';
  button.dataset['id'] = id;
  button.dataset['command'] = command;
  button.disabled = isPending;
  button.setAttribute('aria-label', `${label} ${id}`);
  return button;
}

function ladderCell(broadcast: Broadcast): HTMLTableCellElement {
  const cell = make('td', '', ladderText(broadcast));
  if (broadcast.leftOut !== undefined) {
    cell.append(make('div', 'quiet', broadcast.leftOut));
  }
  return cell;
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
