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
import { signallingUrl, tokenInLink, withoutToken } from './signallingUrl.ts';

type Phase = 'waiting' | 'connecting' | 'ready' | 'connected' | 'refused' | 'disconnected' | 'left';

const POLL_MS = 2000;
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
const log = byId('log', HTMLOListElement);
let streaming: PixelStreaming | undefined;
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

/** The link's token, out of sight at once and kept for a reload of this tab. */
function takeToken(): string | undefined {
  const key = `grandstand.token ${location.pathname}`;
  const given = tokenInLink(location);
  if (given !== undefined) {
    sessionStorage.setItem(key, given);
    history.replaceState(null, '', withoutToken(location));
  }
  return given ?? sessionStorage.getItem(key) ?? undefined;
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
    setPhase('refused', 'The seat is taken', event.data.message);
  });
  peer.addEventListener('webRtcDisconnected', (event) => {
    // A refusal or leaving on purpose closes the connection too; its own text stays.
    if (phase === 'refused' || phase === 'left') {
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
  for (const name of ['side', 'sound', 'fullscreen', 'leave', 'retry']) {
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
    setPhase('connecting', 'Connecting', 'Asking for the presenter\u2019s seat.');
    streaming?.reconnect();
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
