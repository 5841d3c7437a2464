/**
 * A page that is a streamer: speaks Epic's streamer protocol and sends a canvas and a tone by
 * libwebrtc. Runs in Chromium only; started by test/support/chromiumStreamer.ts.
 */
import {
  FLASH_PANEL,
  TIMECODE_BLOCKS,
  timecodeBits,
  timecodeRows,
} from '../../infra/demo/timecodeLayout.ts';
import {
  decodeToStreamer,
  DEFAULT_PROTOCOL,
  encodeFromStreamer,
  parseMessage,
  renderMessage,
  renderProtocol,
  type SignallingMessage,
} from '../../signalling/protocol/index.ts';
import type { PeerStats, StreamerOptions } from './streamerWire.ts';

type Peer = { readonly connection: RTCPeerConnection; candidates: RTCIceCandidateInit[] };

declare global {
  interface Window {
    streamer?: {
      readonly stats: () => Promise<PeerStats[]>;
      readonly resize: (width: number, height: number) => void;
      readonly received: string[];
    };
  }
}

/** Starts to draw, sound and signal; resolves when the streamer has its id. */
export async function startStreamer(options: StreamerOptions): Promise<string> {
  const canvas = document.createElement('canvas');
  const stream = new MediaStream([startPicture(canvas, options), await startSound()]);
  const peers = new Map<string, Peer>();
  const received: string[] = [];
  const socket = new WebSocket(options.signallingUrl);
  const identified = Promise.withResolvers<string>();
  const tell = (message: SignallingMessage): void => {
    socket.send(renderMessage(message));
  };
  const drop = (playerId: string): void => {
    peers.get(playerId)?.connection.close();
    peers.delete(playerId);
  };
  const answer = async (peer: Peer, sdp: string): Promise<void> => {
    await peer.connection.setRemoteDescription({ type: 'answer', sdp });
    const early = peer.candidates;
    peer.candidates = [];
    await Promise.all(early.map((candidate) => peer.connection.addIceCandidate(candidate)));
  };
  const addCandidate = async (peer: Peer, candidate: RTCIceCandidateInit): Promise<void> => {
    if (peer.connection.remoteDescription === null) {
      peer.candidates.push(candidate);
    } else {
      await peer.connection.addIceCandidate(candidate);
    }
  };
  const handle = async (message: SignallingMessage): Promise<void> => {
    if (message.type === 'identify') {
      tell({ type: 'endpointId', id: options.streamerId, protocolVersion: '1.0.0' });
    } else if (message.type === 'endpointIdConfirm') {
      identified.resolve(message.committedId);
    } else if (message.type === 'ping') {
      tell({ type: 'pong', time: message.time });
    } else if (message.type === 'playerConnected') {
      drop(message.playerId);
      peers.set(message.playerId, await offer(message.playerId, stream, options, tell, received));
    } else if (message.type === 'playerDisconnected') {
      drop(message.playerId);
    } else if (message.type === 'answer' || message.type === 'iceCandidate') {
      const peer = peers.get(message.playerId ?? '');
      if (peer !== undefined && message.type === 'answer') {
        await answer(peer, message.sdp);
      } else if (peer !== undefined && message.type === 'iceCandidate' && message.candidate) {
        await addCandidate(peer, message.candidate);
      }
    }
  };
  socket.addEventListener('message', (event) => {
    const parsed = parseMessage(event.data);
    if (parsed.kind === 'message') {
      handle(parsed.message).catch((error: unknown) => {
        received.push(`fault: ${String(error)}`);
      });
    }
  });
  socket.addEventListener('close', () => {
    identified.reject(new Error('signalling closed'));
    [...peers.keys()].forEach(drop);
  });
  window.streamer = {
    received,
    resize: (width, height) => {
      canvas.width = width;
      canvas.height = height;
    },
    stats: () =>
      Promise.all([...peers].map(([playerId, peer]) => statsOf(playerId, peer.connection))),
  };
  return identified.promise;
}

async function offer(
  playerId: string,
  stream: MediaStream,
  options: StreamerOptions,
  tell: (message: SignallingMessage) => void,
  received: string[],
): Promise<Peer> {
  const connection = new RTCPeerConnection();
  const peer: Peer = { connection, candidates: [] };
  for (const track of stream.getTracks()) {
    const sender = connection.addTransceiver(track, {
      direction: 'sendonly',
      streams: [stream],
      ...(track.kind === 'video'
        ? { sendEncodings: [{ maxBitrate: options.maxBitrateBps, maxFramerate: options.fps }] }
        : {}),
    });
    if (track.kind === 'video') {
      sender.setCodecPreferences(videoCodecs(options.codec));
    }
  }
  openChannel(connection, received);
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate !== null && candidate.candidate !== '') {
      const { sdpMid, sdpMLineIndex } = candidate;
      tell({
        type: 'iceCandidate',
        playerId,
        candidate: { candidate: candidate.candidate, sdpMid, sdpMLineIndex },
      });
    }
  });
  await connection.setLocalDescription();
  tell({ type: 'offer', playerId, sdp: connection.localDescription?.sdp ?? '' });
  return peer;
}

/** One codec and RTX; of H.264 packetization mode 1 first, as Unreal Engine offers it. */
function videoCodecs(codec: string): RTCRtpCodec[] {
  const codecs = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const rank = ({ mimeType, sdpFmtpLine = '' }: RTCRtpCodec): number =>
    mimeType === 'video/rtx' ? 2 : sdpFmtpLine.includes('packetization-mode=0') ? 1 : 0;
  return codecs
    .filter(({ mimeType }) => mimeType === `video/${codec}` || mimeType === 'video/rtx')
    .sort((a, b) => rank(a) - rank(b));
}

function openChannel(connection: RTCPeerConnection, received: string[]): void {
  const channel = connection.createDataChannel('datachannel');
  channel.binaryType = 'arraybuffer';
  channel.addEventListener('open', () => {
    for (const text of renderProtocol(DEFAULT_PROTOCOL)) {
      channel.send(encodeFromStreamer({ kind: 'text', name: 'Protocol', text }));
    }
    channel.send(encodeFromStreamer({ kind: 'text', name: 'InitialSettings', text: '{}' }));
  });
  channel.addEventListener('message', (event) => {
    const decoded = decodeToStreamer(new Uint8Array(event.data as ArrayBuffer));
    if (decoded.kind === 'message' && received.length < 1000) {
      received.push(decoded.message.name);
    }
  });
}

/** Draws at the frame rate by a timer, not by animation frames, which stop in a hidden page. */
function startPicture(
  canvas: HTMLCanvasElement,
  { width, height, fps }: StreamerOptions,
): MediaStreamTrack {
  canvas.width = width;
  canvas.height = height;
  document.body.append(canvas);
  const context = canvas.getContext('2d', { alpha: false });
  if (context === null) {
    throw new Error('no canvas');
  }
  const draw = createPainter(context);
  let last = 0;
  setInterval(() => {
    const frame = Math.floor((Date.now() * fps) / 1000);
    if (frame !== last) {
      last = frame;
      draw(Date.now());
    }
  }, 4);
  const [track] = canvas.captureStream(fps).getVideoTracks();
  if (track === undefined) {
    throw new Error('no track');
  }
  track.contentHint = 'motion';
  return track;
}

/**
 * A texture that drifts: rich enough to use 4 Mbit/s at 720p, smooth enough that the encoder keeps
 * the resolution.
 */
function createPainter(context: CanvasRenderingContext2D): (nowMs: number) => void {
  const side = 256;
  const texture = new OffscreenCanvas(side * 2, side * 2);
  const inner = texture.getContext('2d');
  const cell = 16;
  for (let y = 0; inner !== null && y < side * 2; y += cell) {
    for (let x = 0; x < side * 2; x += cell) {
      const [column, row] = [(x % side) / cell, (y % side) / cell];
      const noise = Math.abs(Math.sin(column * 12.9898 + row * 78.233) * 43758.5453) % 1;
      inner.fillStyle = `hsl(${200 + noise * 60}, 50%, ${26 + noise * 16}%)`;
      inner.fillRect(x, y, cell, cell);
    }
  }
  return (nowMs) => {
    const { width, height } = context.canvas;
    const shift = (nowMs / 12) % side;
    for (let y = -shift; y < height; y += side * 2) {
      for (let x = -shift; x < width; x += side * 2) {
        context.drawImage(texture, Math.round(x), Math.round(y));
      }
    }
    const sinceSecond = nowMs % 1000;
    context.fillStyle = sinceSecond < 100 ? '#ffffff' : '#101020';
    context.fillRect(
      FLASH_PANEL.left * width,
      FLASH_PANEL.top * height,
      FLASH_PANEL.width * width,
      FLASH_PANEL.height * height,
    );
    context.fillRect(width * 0.05, height * 0.1, width * 0.36, height * 0.14);
    context.fillStyle = sinceSecond < 100 ? '#101020' : '#ffffff';
    context.font = `${Math.round(height / 12)}px monospace`;
    context.fillText(new Date(nowMs).toISOString().slice(11, 23), width * 0.06, height * 0.2);
    const { top, rows } = timecodeRows(height);
    timecodeBits(nowMs).forEach((bit, block) => {
      context.fillStyle = bit === 1 ? '#ffffff' : '#000000';
      const blockWidth = width / TIMECODE_BLOCKS;
      context.fillRect(block * blockWidth, top, Math.ceil(blockWidth), rows);
    });
  };
}

/** A beep at each UTC second, scheduled on the audio clock a second ahead. */
async function startSound(): Promise<MediaStreamTrack> {
  const audio = new AudioContext({ sampleRate: 48_000 });
  await audio.resume();
  const target = audio.createMediaStreamDestination();
  let nextSecond = Math.ceil(Date.now() / 1000) + 1;
  setInterval(() => {
    while (nextSecond * 1000 - Date.now() < 1500) {
      const at = audio.currentTime + (nextSecond * 1000 - Date.now()) / 1000;
      const tone = audio.createOscillator();
      const level = audio.createGain();
      tone.frequency.value = 1000;
      level.gain.value = 0.35;
      tone.connect(level).connect(target);
      tone.start(at);
      tone.stop(at + 0.06);
      nextSecond += 1;
    }
  }, 200);
  const [track] = target.stream.getAudioTracks();
  if (track === undefined) {
    throw new Error('no sound');
  }
  return track;
}

type StatsEntry = Readonly<Record<string, unknown>>;

async function statsOf(playerId: string, connection: RTCPeerConnection): Promise<PeerStats> {
  const entries: StatsEntry[] = [];
  (await connection.getStats()).forEach((entry: StatsEntry) => entries.push(entry));
  const find = (matches: (entry: StatsEntry) => boolean): StatsEntry => entries.find(matches) ?? {};
  const video = find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
  const pair = find(({ type, nominated, state }) => {
    return type === 'candidate-pair' && nominated === true && state === 'succeeded';
  });
  const codec = find(({ id }) => id === video['codecId']);
  const number = (entry: StatsEntry, key: string): number =>
    typeof entry[key] === 'number' ? entry[key] : 0;
  const text = (entry: StatsEntry, key: string): string =>
    typeof entry[key] === 'string' ? entry[key] : '';
  return {
    playerId,
    state: connection.connectionState,
    targetBitrateBps: number(video, 'targetBitrate'),
    availableOutgoingBitrateBps: number(pair, 'availableOutgoingBitrate'),
    fps: number(video, 'framesPerSecond'),
    framesEncoded: number(video, 'framesEncoded'),
    keyFramesEncoded: number(video, 'keyFramesEncoded'),
    bytesSent: number(video, 'bytesSent'),
    pliCount: number(video, 'pliCount'),
    nackCount: number(video, 'nackCount'),
    qualityLimitation: text(video, 'qualityLimitationReason'),
    codec: `${text(codec, 'mimeType')} ${text(codec, 'sdpFmtpLine')}`.trim(),
  };
}
