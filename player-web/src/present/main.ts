/**
 * `/present/{id}`: Epic's frontend library as the controlling presenter, in our own page. The
 * signalling server decides who may sit here; this page shows its answer.
 */
import {
  Config,
  Logger,
  LogLevel,
  PixelStreaming,
  type AggregatedStats,
} from '@epicgames-ps/lib-pixelstreamingfrontend-ue5.7';
import { broadcastIdInPath, fetchBroadcast } from '../lib/api.ts';
import { byId, make, poll, setText } from '../lib/dom.ts';
import { formatBitrate, formatMs, UNKNOWN } from '../lib/format.ts';
import { signallingUrl, takeToken } from '../lib/linkToken.ts';
import { SeatTalk, type SeatMessage } from './seatTalk.ts';

type Phase = 'waiting' | 'connecting' | 'ready' | 'connected' | 'refused' | 'disconnected' | 'left';

const POLL_MS = 2000;
const ASKED = 'Whoever presents now was told. You get control when it is handed to you, or free.';
/** Messages kept in the log. */
const MAX_LOG = 100;

const LABELS: Readonly<Record<Phase, string>> = {
  waiting: 'Waiting',
  connecting: 'Connecting',
  ready: 'Ready',
  connected: 'Presenting',
  refused: 'Refused',
  disconnected: 'Disconnected',
  left: 'Left',
};

const RETRY_LABELS: Readonly<Partial<Record<Phase, string>>> = {
  ready: 'Play',
  left: 'Take the seat again',
};

const id = broadcastIdInPath(location.pathname);
const token = takeToken();
const application = byId('application', HTMLElement);
const retry = byId('retry', HTMLButtonElement);
const sound = byId('sound', HTMLButtonElement);
const leave = byId('leave', HTMLButtonElement);
const ask = byId('ask', HTMLButtonElement);
const asking = byId('asking', HTMLElement);
const log = byId('log', HTMLOListElement);
let streaming: PixelStreaming | undefined;
let talk: SeatTalk | undefined;
/** Why we do not present, and whether whoever does can be asked. */
let refusal = { message: '', canAsk: false };
/** We close the connection ourselves, so that it says nothing of our right to ask. */
let isOursToClose = false;
let phase: Phase = 'waiting';

// Epic's default is every message with a stack trace.
Logger.InitLogging(LogLevel.Warning, false);
setSide();
setPhase('waiting', 'Waiting for the application', 'The page connects as soon as it is there.');

if (id === undefined) {
  setPhase('refused', 'No such broadcast', 'The address names none.');
} else {
  document.title = `Present ${id} - Grandstand`;
  setText(byId('name', HTMLElement), id);
  byId('watch-link', HTMLAnchorElement).href = `/watch/${id}`;
  poll(
    async () => {
      if (streaming !== undefined) {
        return true;
      }
      const answer = await fetchBroadcast(id);
      if (answer.kind === 'ok' && answer.value.streamerId !== undefined) {
        start(answer.value.streamerId);
      }
      return answer.kind !== 'unreachable';
    },
    () => POLL_MS,
  );
}

function start(streamerId: string): void {
  const config = new Config({
    useUrlParams: false,
    initialSettings: {
      ss: signallingUrl(location, token),
      StreamerId: streamerId,
      AutoConnect: true,
      AutoPlayVideo: true,
      StartVideoMuted: true,
      HoveringMouse: true,
      MouseInput: true,
      TouchInput: true,
      KeyboardInput: true,
      GamepadInput: true,
      FakeMouseWithTouches: false,
      WaitForStreamer: true,
      // The ladder fits any size, but a picture that changes with each presenter's window would
      // change the size that every viewer's encode starts from.
      MatchViewportRes: false,
      TimeoutIfIdle: false,
      MaxReconnectAttempts: 100,
    },
  });
  const peer = new PixelStreaming(config, { videoElementParent: application });
  streaming = peer;
  talk = new SeatTalk(streamerId);
  setPhase('connecting', 'Connecting', 'Asking for the presenter\u2019s seat.');
  peer.addEventListener('webRtcConnecting', () => {
    setPhase('connecting', 'Connecting', 'The application answers.');
  });
  peer.addEventListener('webRtcConnected', () => {
    setPhase('connected', 'Connected', 'Waiting for the first picture.');
  });
  peer.addEventListener('videoInitialized', () => {
    setPhase('connected');
  });
  peer.addEventListener('playStream', () => {
    setPhase('connected');
  });
  peer.addEventListener('playStreamRejected', () => {
    setPhase('ready', 'Ready', 'The browser wants a click before it plays.');
  });
  peer.addEventListener('webRtcFailed', () => {
    setPhase(
      'disconnected',
      'The connection failed',
      'No network path to the application was found.',
    );
  });
  peer.addEventListener('subscribeFailed', (event) => {
    refused(event.data.message);
  });
  for (const type of ['seatRequest', 'seatOffer']) {
    peer.signallingProtocol.addListener(type, hear);
  }
  peer.addEventListener('webRtcDisconnected', (event) => {
    // A refusal or leaving on purpose closes the connection too; its own text stays.
    if (phase === 'refused' || phase === 'left') {
      if (!isOursToClose) {
        // Signalling has shown us out: there is nobody to ask.
        shownOut();
      }
      isOursToClose = false;
      return;
    }
    const { eventString, allowClickToReconnect } = event.data;
    // Epic's library tries again by itself unless it asks for a click.
    if (allowClickToReconnect) {
      setPhase('disconnected', 'Disconnected', eventString || 'The connection was closed.');
    } else {
      setPhase('connecting', 'Connection lost', 'This page tries again by itself.');
    }
  });
  peer.addEventListener('streamReconnect', () => {
    setPhase('connecting', 'Connecting again', 'The connection was lost; this page tries again.');
  });
  peer.addEventListener('statsReceived', (event) => {
    showStats(event.data.aggregatedStats);
  });
  peer.addResponseEventListener('log', (text) => {
    addToLog('application', text);
  });
}

/** The seat is another's, or our right to it was refused. */
function refused(message: string): void {
  const hadControl = phase === 'connected';
  refusal = { message, canAsk: true };
  talk?.lose();
  if (hadControl) {
    // Control is peer to peer: whoever had it lets go, whatever the application does.
    isOursToClose = true;
    setPhase('refused', 'You no longer have control', message);
    streaming?.disconnect();
    return;
  }
  if (talk?.isAsking === true) {
    // Refused anew on the connection that was made to ask.
    say(talk.ask());
    setPhase('refused', 'You asked for control', ASKED);
  } else {
    setPhase('refused', 'You are not presenting', message);
  }
}

function shownOut(): void {
  talk?.giveUp();
  refusal = { ...refusal, canAsk: false };
  if (phase === 'refused') {
    setPhase('refused', 'You are not presenting', refusal.message);
  }
}

/** What another presenter said about the seat. */
function hear(message: unknown): void {
  const answer = talk?.hear(message);
  if (answer !== undefined) {
    say(answer);
  }
  if (talk?.isOffered === true && phase === 'refused') {
    setPhase('refused', 'Control is offered to you', 'Whoever presents now would hand it to you.');
  }
  showAsking();
}

function say(message: SeatMessage): void {
  streaming?.signallingProtocol.sendMessage(message);
}

/** The button by which one asks for a seat, or takes an offered one. */
function showAsk(): void {
  ask.hidden = phase !== 'refused' || !refusal.canAsk || talk?.isAsking !== false;
  setText(ask, talk?.isOffered === true ? 'Take control' : 'Ask for control');
}

/** Who asks for our seat. */
function showAsking(): void {
  const [first, ...others] = phase === 'connected' ? (talk?.asking ?? []) : [];
  asking.hidden = first === undefined;
  if (first !== undefined) {
    const more = others.length === 0 ? '' : ` So do ${others.length} more.`;
    setText(byId('asking-text', HTMLElement), `Player ${first} asks for control.${more}`);
  }
}

function setPhase(next: Phase, title?: string, detail?: string): void {
  phase = next;
  const pill = byId('state', HTMLElement);
  pill.dataset['state'] = next;
  setText(pill, LABELS[next]);
  const notice = byId('notice', HTMLElement);
  notice.dataset['shown'] = String(title !== undefined);
  const isStopped =
    next === 'ready' || next === 'refused' || next === 'disconnected' || next === 'left';
  notice.dataset['busy'] = String(!isStopped);
  retry.hidden = !isStopped || id === undefined;
  setText(retry, RETRY_LABELS[next] ?? 'Try again');
  if (title !== undefined) {
    setText(byId('notice-title', HTMLElement), title);
    const element = byId('notice-detail', HTMLElement);
    element.dataset['testid'] = next === 'refused' ? 'refusal' : 'notice';
    setText(element, detail ?? '');
  }
  leave.disabled = next !== 'connected' && next !== 'connecting';
  if (next === 'connected') {
    talk?.hold();
  }
  showAsk();
  showAsking();
  if (next !== 'connected') {
    showStats(undefined);
  }
}

function showStats(stats: AggregatedStats | undefined): void {
  const pair = stats?.getActiveCandidatePair() ?? undefined;
  const rttS = pair?.currentRoundTripTime;
  const inbound = stats?.inboundVideoStats;
  const { frameWidth, frameHeight, framesPerSecond, packetsLost, bitrate } = inbound ?? {};
  const hasPicture = frameWidth !== undefined && frameHeight !== undefined;
  setText(byId('rtt', HTMLElement), formatMs(rttS === undefined ? undefined : rttS * 1000));
  fact('picture', hasPicture ? `${frameWidth} \u00d7 ${frameHeight}` : UNKNOWN);
  fact('fps', framesPerSecond === undefined ? UNKNOWN : `${Math.round(framesPerSecond)} fps`);
  // Epic's library gives kbit/s.
  fact('bitrate', formatBitrate(bitrate === undefined ? undefined : bitrate * 1000));
  fact('lost', packetsLost === undefined ? UNKNOWN : String(packetsLost));
}

function fact(name: string, text: string): void {
  setText(byId(`fact-${name}`, HTMLElement), text);
}

function addToLog(from: 'you' | 'application', text: string): void {
  const item = make(
    'li',
    '',
    make('span', '', from === 'you' ? 'You' : 'Answer'),
    make('span', '', text),
  );
  item.dataset['from'] = from;
  log.prepend(item);
  while (log.children.length > MAX_LOG) {
    log.lastElementChild?.remove();
  }
}

function setSide(): void {
  // Epic's keyboard handler listens on the document: what is typed in our own controls, and the
  // keys that move between them, must not drive the application.
  for (const name of ['side', 'sound', 'fullscreen', 'leave', 'retry', 'ask', 'asking']) {
    for (const type of ['keydown', 'keyup', 'keypress'] as const) {
      byId(name, HTMLElement).addEventListener(type, (event) => {
        event.stopPropagation();
      });
    }
  }
  byId('message', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault();
    const input = byId('message-text', HTMLInputElement);
    const text = input.value.trim();
    if (text !== '') {
      const isSent = streaming?.emitUIInteraction(text) === true;
      addToLog('you', isSent ? text : `${text} (not sent: not connected)`);
      input.value = '';
    }
  });
  // Epic's mouse handler keeps the focus where it was; a click on the picture must take the keyboard
  // out of the text box.
  application.addEventListener('pointerdown', () => {
    application.focus({ preventScroll: true });
  });
  retry.addEventListener('click', () => {
    if (phase === 'ready') {
      streaming?.play();
      return;
    }
    talk?.giveUp();
    setPhase('connecting', 'Connecting', 'Asking for the presenter\u2019s seat.');
    streaming?.reconnect();
  });
  ask.addEventListener('click', () => {
    if (talk === undefined || streaming === undefined) {
      return;
    }
    const isOpen = streaming.signallingProtocol.isConnected();
    if (talk.isOffered && isOpen) {
      say(talk.accept());
      setPhase('connecting', 'Connecting', 'Taking the presenter\u2019s seat.');
      return;
    }
    const request = talk.ask();
    setPhase('refused', 'You asked for control', ASKED);
    if (isOpen) {
      say(request);
    } else {
      streaming.reconnect();
    }
  });
  byId('hand-over', HTMLButtonElement).addEventListener('click', () => {
    const [first] = talk?.asking ?? [];
    if (talk !== undefined && first !== undefined) {
      say(talk.offer(first));
      showAsking();
    }
  });
  byId('keep', HTMLButtonElement).addEventListener('click', () => {
    const [first] = talk?.asking ?? [];
    if (talk !== undefined && first !== undefined) {
      talk.decline(first);
      showAsking();
    }
  });
  leave.addEventListener('click', () => {
    setPhase('left', 'You left the seat', 'Somebody else can present now.');
    streaming?.disconnect();
  });
  sound.addEventListener('click', () => {
    const isOn = sound.getAttribute('aria-pressed') !== 'true';
    sound.setAttribute('aria-pressed', String(isOn));
    setText(sound, isOn ? 'Sound on' : 'Sound off');
    for (const media of application.querySelectorAll('video')) {
      media.muted = !isOn;
    }
  });
  const fullscreen = byId('fullscreen', HTMLButtonElement);
  // iPhone has it for video elements only.
  fullscreen.hidden = !document.fullscreenEnabled;
  fullscreen.addEventListener('click', () => {
    void application.requestFullscreen();
  });
}
