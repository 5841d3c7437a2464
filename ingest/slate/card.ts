/**
 * The card that is shown while there is no picture: the broadcast's name on the colours of the pages,
 * and a light that breathes, so that nobody takes it for a frozen picture. The one user of the canvas
 * library in the ingest; loaded when the first card is drawn.
 */
import { fileURLToPath } from 'node:url';
import type { SKRSContext2D } from '@napi-rs/canvas';

/** A card and the light on it, both encoded pictures. */
export type Card = {
  readonly picture: Uint8Array;
  readonly light: { readonly picture: Uint8Array; readonly x: number; readonly y: number };
};

/** Size that all positions are given in. */
const DESIGN = { width: 1280, height: 720 } as const;
/** The pages' colours (player-web/src/styles/base.css). */
const COLOR = { ground: '#0d1014', text: '#edf1f5', quiet: '#a3afbb', accent: '#5eead4' } as const;
const FONT = { title: 'grandstand-slate-title', text: 'grandstand-slate-text' } as const;
const FONT_FILES = {
  title: '@fontsource/inter/files/inter-latin-600-normal.woff2',
  text: '@fontsource/inter/files/inter-latin-500-normal.woff2',
} as const;
const LEFT = 96;
const TITLE = { y: 388, size: 84, maxWidth: 1000 } as const;
const LINE = { y: 450, size: 32, text: 'Back in a moment' } as const;
const LIGHT = { radius: 9, halo: 30 } as const;
/** The rows of the brand's stand (player-web's icon), as [left, y, width] of 24 units. */
const STAND: readonly (readonly [number, number, number])[] = [
  [3, 19, 18],
  [5, 15, 14],
  [7.5, 11, 9],
  [10, 7, 4],
];

/** Draws the card of the broadcast called `title`. */
export async function drawCard(
  title: string,
  size: { readonly width: number; readonly height: number },
): Promise<Card> {
  const { createCanvas, GlobalFonts } = await import('@napi-rs/canvas');
  for (const name of ['title', 'text'] as const) {
    GlobalFonts.registerFromPath(fileURLToPath(import.meta.resolve(FONT_FILES[name])), FONT[name]);
  }
  const scale = Math.min(size.width / DESIGN.width, size.height / DESIGN.height);
  const left = (size.width - DESIGN.width * scale) / 2;
  const top = (size.height - DESIGN.height * scale) / 2;
  const canvas = createCanvas(size.width, size.height);
  const context = canvas.getContext('2d');
  drawGround(context, size);
  context.translate(left, top);
  context.scale(scale, scale);
  drawStand(context);
  drawWords(context, title);
  const side = Math.max(2, Math.ceil(LIGHT.halo * 2 * scale));
  const light = createCanvas(side, side);
  drawLight(light.getContext('2d'), side / 2, scale);
  return {
    picture: await canvas.encode('png'),
    light: {
      picture: await light.encode('png'),
      x: Math.round(left + (LEFT + LIGHT.radius) * scale - side / 2),
      y: Math.round(top + (LINE.y - LINE.size * 0.34) * scale - side / 2),
    },
  };
}

function drawGround(
  context: SKRSContext2D,
  { width, height }: { readonly width: number; readonly height: number },
): void {
  context.fillStyle = COLOR.ground;
  context.fillRect(0, 0, width, height);
  const glow = (x: number, y: number, radius: number, color: string): void => {
    const gradient = context.createRadialGradient(x, y, 0, x, y, radius);
    gradient.addColorStop(0, `${color}2e`);
    gradient.addColorStop(0.5, `${color}12`);
    gradient.addColorStop(1, `${color}00`);
    context.fillStyle = gradient;
    context.fillRect(0, 0, width, height);
  };
  glow(width * 0.84, height * 0.96, width * 0.62, '#5eead4');
  glow(width * 0.1, height * -0.1, width * 0.55, '#3b5b8c');
}

/** The brand's stand, large and quiet, behind the words. */
function drawStand(context: SKRSContext2D): void {
  context.save();
  context.translate(652, 96);
  context.scale(27, 27);
  context.lineCap = 'round';
  context.lineWidth = 1.5;
  STAND.forEach(([x, y, width], row) => {
    const gradient = context.createLinearGradient(x, y, x + width, y);
    const alpha = ['22', '1c', '16', '10'][row] ?? '10';
    gradient.addColorStop(0, `${COLOR.accent}00`);
    gradient.addColorStop(0.5, `${COLOR.accent}${alpha}`);
    gradient.addColorStop(1, `${COLOR.accent}${alpha}`);
    context.strokeStyle = gradient;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + width, y);
    context.stroke();
  });
  context.restore();
}

function drawWords(context: SKRSContext2D, title: string): void {
  context.save();
  context.translate(LEFT - 4, 84);
  context.scale(1.6, 1.6);
  context.strokeStyle = COLOR.accent;
  context.lineWidth = 2;
  context.lineCap = 'round';
  context.beginPath();
  for (const [x, y, width] of STAND) {
    context.moveTo(x, y);
    context.lineTo(x + width, y);
  }
  context.stroke();
  context.restore();
  context.fillStyle = COLOR.text;
  context.font = `26px ${FONT.title}, sans-serif`;
  context.fillText('Grandstand', LEFT + 46, 113);
  context.font = `${TITLE.size}px ${FONT.title}, sans-serif`;
  context.fillText(cutToWidth(context, title, TITLE.maxWidth), LEFT - 4, TITLE.y);
  context.fillStyle = COLOR.quiet;
  context.font = `${LINE.size}px ${FONT.text}, sans-serif`;
  context.fillText(LINE.text, LEFT + 36, LINE.y);
}

function drawLight(context: SKRSContext2D, center: number, scale: number): void {
  const halo = context.createRadialGradient(center, center, 0, center, center, center);
  halo.addColorStop(0, `${COLOR.accent}66`);
  halo.addColorStop(1, `${COLOR.accent}00`);
  context.fillStyle = halo;
  context.fillRect(0, 0, center * 2, center * 2);
  context.fillStyle = COLOR.accent;
  context.beginPath();
  context.arc(center, center, LIGHT.radius * scale, 0, Math.PI * 2);
  context.fill();
}

function cutToWidth(context: SKRSContext2D, text: string, maxWidth: number): string {
  if (context.measureText(text).width <= maxWidth) {
    return text;
  }
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > maxWidth) {
    end -= 1;
  }
  return `${text.slice(0, end)}…`;
}
