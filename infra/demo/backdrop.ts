/**
 * The drawings of the still picture: sky, hills, dial, captions. Called by artwork.ts with a canvas
 * context; design units (1280 x 720) unless said otherwise. Where things stand is LAYOUT.
 */
import type { SKRSContext2D } from '@napi-rs/canvas';

/** Where the moving things stand, in design units. */
export const LAYOUT = {
  clock: { x: 68, y: 214 },
  date: { x: 72, y: 170 },
  frame: { x: 72, y: 384 },
  peers: { x: 320, y: 384 },
  text: { x: 98, y: 477, width: 540 },
  dial: { x: 1012, y: 306, ring: 168, hand: 140, flash: 114 },
  bars: { left: 0, pitch: 20, width: 12, bottom: 692, height: 104, count: 64 },
} as const;

type Draw = (context: SKRSContext2D) => void;

/**
 * Draws the still picture.
 *
 * @param size of the picture in pixels: the sky covers all of it
 * @param inDesign runs a drawing in design units
 */
export function drawBackground(
  context: SKRSContext2D,
  size: { readonly width: number; readonly height: number },
  inDesign: (draw: Draw) => void,
  facts: string,
): void {
  drawSky(context, size);
  inDesign((inner) => {
    drawTribunes(inner);
    drawHead(inner, facts);
    drawCaptions(inner);
    drawDial(inner, 'rgba(255, 255, 255, 0.16)');
    drawBars(inner, (column) => `hsla(${barHue(column)}, 60%, 60%, 0.10)`);
  });
}

/** Every second's dot of the dial lit. */
export function drawLitDial(context: SKRSContext2D): void {
  drawDots(context, () => '#7ee9ff');
}

/** Every bar at full height. */
export function drawLitBars(context: SKRSContext2D): void {
  drawBars(context, (column) => {
    const { bottom, height } = LAYOUT.bars;
    const gradient = context.createLinearGradient(0, bottom - height, 0, bottom);
    gradient.addColorStop(0, `hsl(${barHue(column)}, 95%, 74%)`);
    gradient.addColorStop(1, `hsl(${barHue(column)}, 75%, 44%)`);
    return gradient;
  });
}

/** Centre of second `index`'s dot on the dial; second 0 is at the top. */
export function dialDot(index: number): { readonly x: number; readonly y: number } {
  const angle = (index / 60) * 2 * Math.PI - Math.PI / 2;
  const { x, y, ring } = LAYOUT.dial;
  return { x: x + Math.cos(angle) * ring, y: y + Math.sin(angle) * ring };
}

function barHue(column: number): number {
  return 172 + (column / LAYOUT.bars.count) * 150;
}

function drawSky(
  context: SKRSContext2D,
  { width, height }: { readonly width: number; readonly height: number },
): void {
  const sky = context.createLinearGradient(0, 0, width * 0.35, height);
  sky.addColorStop(0, '#101a3d');
  sky.addColorStop(0.55, '#1b1f52');
  sky.addColorStop(1, '#35215f');
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  const lights: readonly (readonly [number, number, number, string])[] = [
    [0.79, 0.42, 0.62, 'rgba(64, 150, 255, 0.34)'],
    [0.12, 0.95, 0.7, 'rgba(190, 70, 200, 0.30)'],
    [0.45, -0.1, 0.6, 'rgba(40, 200, 190, 0.22)'],
  ];
  for (const [x, y, radius, color] of lights) {
    const light = context.createRadialGradient(
      x * width,
      y * height,
      0,
      x * width,
      y * height,
      radius * height,
    );
    light.addColorStop(0, color);
    light.addColorStop(1, 'rgba(0, 0, 0, 0)');
    context.fillStyle = light;
    context.fillRect(0, 0, width, height);
  }
}

/** Rising rows of arcs behind the dial: the stand. */
function drawTribunes(context: SKRSContext2D): void {
  const { x, y } = LAYOUT.dial;
  context.lineWidth = 1.5;
  for (let row = 0; row < 9; row++) {
    context.strokeStyle = `rgba(170, 200, 255, ${0.13 - row * 0.012})`;
    context.beginPath();
    context.arc(x, y, 214 + row * 30, 0, Math.PI * 2);
    context.stroke();
  }
}

function drawHead(context: SKRSContext2D, facts: string): void {
  context.lineCap = 'round';
  ['#7ee9ff', '#8fa8ff', '#d78bff'].forEach((color, row) => {
    context.strokeStyle = color;
    context.lineWidth = 6;
    context.beginPath();
    context.arc(96, 92, 12 + row * 11, Math.PI * 1.08, Math.PI * 1.92);
    context.stroke();
  });
  text(context, 'Grandstand', 150, 80, '34px Grandstand-sansBold', '#ffffff');
  const subtitle = 'Demo broadcast from a stand-in Unreal application';
  text(context, subtitle, 151, 106, '17px Grandstand-sans', '#b9c4ee');
  context.font = '15px Grandstand-mono';
  const width = context.measureText(facts).width;
  text(context, facts, 1208 - width, 81, '15px Grandstand-mono', '#c9d3f7');
  const pill = { x: 1208 - width - 92, y: 61, width: 74, height: 29 };
  context.fillStyle = '#e5334f';
  context.beginPath();
  context.roundRect(pill.x, pill.y, pill.width, pill.height, 14.5);
  context.fill();
  context.fillStyle = '#ffffff';
  context.beginPath();
  context.arc(pill.x + 17, pill.y + 14.5, 4.5, 0, Math.PI * 2);
  context.fill();
  text(context, 'LIVE', pill.x + 29, pill.y + 20, '15px Grandstand-sansBold', '#ffffff');
}

function drawCaptions(context: SKRSContext2D): void {
  const caption = '14px Grandstand-sansMedium';
  text(context, 'FRAME', LAYOUT.frame.x, 374, caption, '#93a2d8');
  text(context, 'WEBRTC PEERS', LAYOUT.peers.x, 374, caption, '#93a2d8');
  context.fillStyle = 'rgba(8, 12, 34, 0.46)';
  context.strokeStyle = 'rgba(160, 185, 255, 0.24)';
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(72, 456, 600, 76, 16);
  context.fill();
  context.stroke();
  const hint = 'The presenter moves the comet with mouse, touch, arrows or WASD';
  text(context, hint, 74, 564, '15px Grandstand-sans', '#a9b6e6');
}

function drawDial(context: SKRSContext2D, dots: string): void {
  const { x, y, hand, flash } = LAYOUT.dial;
  const face = context.createRadialGradient(x, y, 20, x, y, flash);
  face.addColorStop(0, '#141a44');
  face.addColorStop(1, '#0c1130');
  context.fillStyle = face;
  context.beginPath();
  context.arc(x, y, flash, 0, Math.PI * 2);
  context.fill();
  context.strokeStyle = 'rgba(150, 190, 255, 0.28)';
  context.lineWidth = 2;
  context.stroke();
  context.strokeStyle = 'rgba(150, 190, 255, 0.16)';
  context.beginPath();
  context.arc(x, y, hand, 0, Math.PI * 2);
  context.stroke();
  drawDots(context, () => dots);
  centered(context, 'flash', x, y - 4, '22px Grandstand-sansMedium');
  centered(context, '+ beep', x, y + 24, '22px Grandstand-sansMedium');
}

function drawDots(context: SKRSContext2D, color: (second: number) => string): void {
  for (let second = 0; second < 60; second++) {
    const { x, y } = dialDot(second);
    context.fillStyle = color(second);
    context.beginPath();
    context.arc(x, y, second % 5 === 0 ? 5 : 3.2, 0, Math.PI * 2);
    context.fill();
  }
}

function drawBars(
  context: SKRSContext2D,
  fill: (column: number) => SKRSContext2D['fillStyle'],
): void {
  const { left, pitch, width, bottom, height, count } = LAYOUT.bars;
  for (let column = 0; column < count; column++) {
    context.fillStyle = fill(column);
    context.fillRect(left + column * pitch + (pitch - width) / 2, bottom - height, width, height);
  }
}

function centered(context: SKRSContext2D, line: string, x: number, y: number, font: string): void {
  context.font = font;
  text(context, line, x - context.measureText(line).width / 2, y, font, '#6e7fc4');
}

function text(
  context: SKRSContext2D,
  line: string,
  x: number,
  y: number,
  font: string,
  color: string,
): void {
  context.font = font;
  context.fillStyle = color;
  context.fillText(line, x, y);
}
