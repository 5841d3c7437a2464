/**
 * Draws one frame: restores what the last frame in that buffer changed, then draws what moves.
 * Cheap by design: copies and small blends only, nothing is rasterised per frame. Whose time it is
 * and where frames go is the studio's.
 */
import { type Artwork, createArtwork, type Glyphs, type TextStyle } from './artwork.ts';
import { dialDot, LAYOUT } from './backdrop.ts';
import { blend, copyRect, createPlanes, type Planes, type Rect, type Sprite } from './planes.ts';
import { RIPPLE_FRAMES, type Stage } from './stage.ts';
import { drawTimecode } from './timecode.ts';
import { timecodeRows } from './timecodeLayout.ts';

/** What a frame shows. */
export type FrameContent = {
  /** Frames since 1970 on the UTC grid of the frame rate. */
  readonly frame: number;
  /** UTC capture time in ms: `frame / fps`. */
  readonly captureMs: number;
  readonly stage: Stage;
  /** Frames drawn since the start: what the counter shows. */
  readonly frameCount: number;
  /** Peers that are connected. */
  readonly peers: number;
};

/** A picture to draw frames into; `dirty` is what to restore before the next. */
export type FrameBuffer = { readonly planes: Planes; dirty: Rect[] };

/** Draws frames of one size. */
export type Scene = {
  createBuffer(): FrameBuffer;
  draw(buffer: FrameBuffer, content: FrameContent): void;
};

/** Frames that the panel is bright for, from the first at or after the second. */
const FLASH_FRAMES = 3;
const DATE_STYLE: TextStyle = { font: 'sansMedium', size: 21, color: '#c3cdf5', maxWidth: 620 };
const PEERS_STYLE: TextStyle = { font: 'mono', size: 26, color: '#e6ecff', maxWidth: 200 };
const HINT_STYLE: TextStyle = { font: 'sans', size: 21, color: '#8d9bd0', maxWidth: 548 };
const SAID_STYLE: TextStyle = { font: 'sansMedium', size: 24, color: '#ffe3a3', maxWidth: 548 };
const DATE_FORMAT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeZone: 'UTC' });

/** Makes the scene: rasterises its artwork once. */
export function createScene(options: {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly facts: string;
}): Scene {
  const art = createArtwork(options, options.facts, RIPPLE_FRAMES);
  const date = cached(art, DATE_STYLE);
  const peers = cached(art, PEERS_STYLE);
  const hint = cached(art, HINT_STYLE);
  const said = cached(art, SAID_STYLE);
  return {
    createBuffer() {
      const planes = createPlanes(options.width, options.height);
      planes.bytes.set(art.background.bytes);
      return { planes, dirty: [] };
    },
    draw(buffer, content) {
      const pen = createPen(art, buffer);
      pen.restore();
      drawBars(pen, content.captureMs);
      drawDial(pen, content, options.fps);
      const time = new Date(Math.floor(content.captureMs));
      pen.sprite(date(`${DATE_FORMAT.format(time)} UTC`), LAYOUT.date.x, LAYOUT.date.y - 20);
      pen.digits(art.clockGlyphs, time.toISOString().slice(11, 23), LAYOUT.clock.x, LAYOUT.clock.y);
      const count = String(content.frameCount).padStart(9, '0');
      pen.digits(art.counterGlyphs, count, LAYOUT.frame.x, LAYOUT.frame.y);
      pen.sprite(peers(String(content.peers)), LAYOUT.peers.x, LAYOUT.peers.y - 5);
      pen.sprite(
        content.stage.text === ''
          ? hint('Text from the presenter page appears here')
          : said(content.stage.text),
        LAYOUT.text.x,
        LAYOUT.text.y,
      );
      drawComet(pen, content.stage, buffer.planes);
      drawTimecode(buffer.planes, content.captureMs);
    },
  };
}

/** Whether the panel is bright in that frame. */
export function isFlash(frame: number, fps: number): boolean {
  return frame % fps < FLASH_FRAMES;
}

type Pen = {
  readonly art: Artwork;
  restore(): void;
  /** Top left in design units. */
  sprite(sprite: Sprite, x: number, y: number, opacity?: number): void;
  /** Centre in pixels. */
  centered(sprite: Sprite, x: number, y: number, opacity?: number): void;
  digits(glyphs: Glyphs, text: string, x: number, y: number): void;
  /** Copies a design rectangle from the lit picture. */
  light(x: number, y: number, width: number, height: number): void;
};

function createPen(art: Artwork, buffer: FrameBuffer): Pen {
  const { planes } = buffer;
  const { fit } = art;
  const pixel = (x: number, y: number): readonly [number, number] => [
    fit.left + x * fit.scale,
    fit.top + y * fit.scale,
  ];
  const place = (sprite: Sprite, x: number, y: number, opacity?: number): void => {
    buffer.dirty.push(blend(planes, sprite, Math.round(x), Math.round(y), opacity));
  };
  const { top } = timecodeRows(planes.height);
  return {
    art,
    restore() {
      for (const rect of buffer.dirty) {
        copyRect(planes, art.background, rect);
      }
      buffer.dirty = [];
    },
    sprite(sprite, x, y, opacity) {
      place(sprite, ...pixel(x, y), opacity);
    },
    centered(sprite, x, y, opacity) {
      place(sprite, x - sprite.width / 2, y - sprite.height / 2, opacity);
    },
    digits(glyphs, text, x, y) {
      let [left] = pixel(x, y);
      for (const character of text) {
        const glyph = glyphs.get(character);
        if (glyph !== undefined) {
          place(glyph, left, pixel(x, y)[1]);
          left += glyph.width;
        }
      }
    },
    light(x, y, width, height) {
      const [left, upper] = pixel(x, y);
      const rect = {
        x: Math.round(left),
        y: Math.round(upper),
        width: Math.round(width * fit.scale),
        height: Math.min(Math.round(height * fit.scale), top - Math.round(upper)),
      };
      copyRect(planes, art.lit, rect);
      buffer.dirty.push(rect);
    },
  };
}

function drawBars(pen: Pen, captureMs: number): void {
  const { left, pitch, width, bottom, height, count } = LAYOUT.bars;
  const seconds = captureMs / 1000;
  const sinceBeat = seconds % 1;
  const pulse = Math.exp(-sinceBeat * 5);
  const t = seconds % 3600;
  for (let column = 0; column < count; column++) {
    const wave =
      0.42 +
      0.2 * Math.sin(t * 2.1 + column * 0.21) +
      0.16 * Math.sin(t * 3.7 - column * 0.37) +
      0.1 * Math.sin(t * 5.3 + column * 0.83);
    const center = 1 - Math.abs(column / (count - 1) - 0.5) * 2;
    const share = Math.min(1, Math.max(0.06, wave * 0.8 + pulse * 0.45 * center));
    const tall = Math.round((share * height) / 2) * 2;
    pen.light(left + column * pitch + (pitch - width) / 2, bottom - tall, width, tall);
  }
}

function drawDial(pen: Pen, content: FrameContent, fps: number): void {
  const { x, y, hand, flash } = LAYOUT.dial;
  const seconds = content.captureMs / 1000;
  const lit = Math.floor(seconds) % 60;
  for (let second = 0; second <= lit; second++) {
    const dot = dialDot(second);
    pen.light(dot.x - 7, dot.y - 7, 14, 14);
  }
  if (isFlash(content.frame, fps)) {
    pen.sprite(pen.art.flash, x - flash - 2, y - flash - 2);
  }
  // A short tail behind the hand, which goes round once a second.
  for (let step = 6; step >= 0; step--) {
    const angle = (seconds - step * 0.018) * 2 * Math.PI - Math.PI / 2;
    const half = 22;
    const at = [x + Math.cos(angle) * hand - half, y + Math.sin(angle) * hand - half] as const;
    pen.sprite(pen.art.hand, ...at, step === 0 ? 1 : 0.32 - step * 0.045);
  }
}

function drawComet(pen: Pen, stage: Stage, planes: Planes): void {
  const at = (share: { readonly x: number; readonly y: number }): readonly [number, number] => [
    share.x * planes.width,
    share.y * planes.height,
  ];
  for (const ripple of stage.ripples) {
    const sprite = pen.art.ripples[ripple.ageFrames];
    if (sprite !== undefined) {
      pen.centered(sprite, ...at(ripple));
    }
  }
  for (let age = stage.trail.length - 1; age >= 0; age--) {
    const past = stage.trail[age];
    if (past !== undefined && isApart(past, stage.comet)) {
      pen.centered(pen.art.trail, ...at(past), 0.8 * (1 - age / stage.trail.length));
    }
  }
  pen.centered(stage.isPressed ? pen.art.cometPressed : pen.art.comet, ...at(stage.comet));
}

function isApart(
  a: { readonly x: number; readonly y: number },
  b: { readonly x: number; readonly y: number },
): boolean {
  return Math.abs(a.x - b.x) + Math.abs(a.y - b.y) > 0.004;
}

/** Rasterises a line of text anew only when it changed. */
function cached(art: Artwork, style: TextStyle): (text: string) => Sprite {
  let last: { readonly text: string; readonly sprite: Sprite } | undefined;
  return (text) => {
    if (last?.text !== text) {
      last = { text, sprite: art.text(text, style) };
    }
    return last.sprite;
  };
}
