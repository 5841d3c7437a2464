/** The table of players on `/operate`: who presents, who waits, and what an operator does about it. */
import { type Bearer, fetchPeers, orderPeer } from '../lib/api.ts';
import { byId, make, setText } from '../lib/dom.ts';
import { UNKNOWN } from '../lib/format.ts';
import type { PeerCommand, PeerRow } from '../lib/peers.ts';

const SEATS: Readonly<Record<PeerRow['seat'], string>> = {
  presents: 'Presents',
  away: 'Seat kept',
  offered: 'Offered',
  waits: 'Waits',
  none: UNKNOWN,
};
const LABELS: Readonly<Record<PeerCommand['kind'], string>> = {
  give: 'Give control',
  release: 'Take back',
  disconnect: 'Disconnect',
};

/** Fills the table. The result asks again, and says whether the gateway has answered. */
export function showPeople(bearer: Bearer): () => Promise<boolean> {
  const body = byId('people', HTMLTableSectionElement);
  const note = byId('people-note', HTMLElement);
  let trouble: string | undefined;
  let shown = '';

  const order = async (button: HTMLButtonElement, command: PeerCommand): Promise<void> => {
    const isMeant =
      command.kind !== 'disconnect' || window.confirm(`Disconnect player ${command.playerId}?`);
    if (!isMeant) {
      return;
    }
    button.disabled = true;
    trouble = await orderPeer(command, bearer);
    shown = '';
    await refresh();
  };
  const rowOf = (row: PeerRow): HTMLTableRowElement => {
    const pill = make('span', 'pill', SEATS[row.seat]);
    pill.dataset['state'] = row.seat === 'presents' ? 'connected' : row.seat;
    const buttons = row.commands.map((command) => {
      const button = make('button', 'button', LABELS[command.kind]);
      button.type = 'button';
      button.setAttribute('aria-label', `${LABELS[command.kind]}: player ${row.playerId}`);
      button.addEventListener('click', () => void order(button, command));
      return button;
    });
    return make(
      'tr',
      '',
      make('td', '', row.playerId),
      make('td', '', row.who ?? UNKNOWN),
      make('td', '', row.seat === 'none' ? UNKNOWN : pill),
      make('td', 'action', make('div', 'actions', ...buttons)),
      make('td', '', row.streamerId ?? UNKNOWN),
      make('td', '', row.role),
    );
  };
  const refresh = async (): Promise<boolean> => {
    const answer = await fetchPeers(bearer);
    const rows = answer.kind === 'ok' ? answer.value : [];
    const text = noteOf(answer.kind, rows.length);
    setText(note, trouble ?? text);
    // Only what changed is drawn anew: a button keeps the focus while its row says the same.
    const next = JSON.stringify(rows);
    if (next !== shown) {
      shown = next;
      body.replaceChildren(...rows.map(rowOf));
    }
    return answer.kind !== 'unreachable';
  };
  return refresh;
}

function noteOf(kind: 'ok' | 'missing' | 'unreachable', count: number): string {
  switch (kind) {
    case 'ok':
      return count === 0 ? 'Nobody is connected.' : `${count} connected to signalling.`;
    case 'missing':
      return 'Only operators see who is connected: open this page by a link with a token.';
    case 'unreachable':
      return 'The gateway does not answer.';
  }
}
