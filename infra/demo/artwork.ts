/**
 * Everything that is rasterised once: the background, glyphs, sprites. The one user of the canvas
 * library and of the fonts. Sizes are given in design units (1280 x 720) and scaled here.
 */
import { fileURLToPath } from 'node:url';
import { type Canvas, createCanvas, GlobalFonts, type SKRSContext2D } from '@napi-rs/canvas';
import { type Sprite, spriteFromRgba } from './planes.ts';
import { drawBackground, drawLitBars, drawLitDial } from './backdrop.ts';

/** Design size that all positions are given in. */
export const DESIGN = { width: 1280, height: 720 } as const;

/** Maps design units to the picture: scaled to fit, centred. */
export type Fit = { readonly scale: number; readonly left: number; readonly top: number };

/** Glyphs of one font, by character. */
export type Glyphs = ReadonlyMap<string, Sprite>;

/** All that the scene draws with. */
export type Artwork = {
  readonly fit: Fit;
  readonly background: Sprite;
  /** The background with every bar at full height, and with every second of the dial lit. */
  readonly lit: Sprite;
  readonly clockGlyphs: Glyphs;
  readonly counterGlyphs: Glyphs;
  readonly comet: Sprite;
  readonly cometPressed: Sprite;
  readonly trail: Sprite;
  readonly hand: Sprite;
  readonly flash: Sprite;
  /** By age in frames. */
  readonly ripples: readonly Sprite[];
  /** One line of text in the given style; cut with an ellipsis at `maxWidth` design units. */
  text(text: string, style: TextStyle): Sprite;
};

/** How a line of text is set. */
export type TextStyle = {
  readonly font: FontName;
  readonly size: number;
  readonly color: string;
  readonly maxWidth: number;
};

const FONTS = {
  sans: '@fontsource/inter/files/inter-latin-400-normal.woff2',
  sansMedium: '@fontsource/inter/files/inter-latin-500-normal.woff2',
  sansBold: '@fontsource/inter/files/inter-latin-700-normal.woff2',
  mono: '@fontsource/jetbrains-mono/files/jetbrains-mono-latin-500-normal.woff2',
  monoBold: '@fontsource/jetbrains-mono/files/jetbrains-mono-latin-700-normal.woff2',
} as const;

/** The fonts of the picture. */
export type FontName = keyof typeof FONTS;

/** Font shorthand for a canvas; what the font lacks falls back to the system's fonts. */
export function fontOf(font: FontName, size: number): string {
  return `${size}px ${familyOf(font)}, sans-serif`;
}

/**
 * Rasterises the artwork for a picture of that size.
 *
 * @param facts shown in the corner: size, rate, codec
 */
export function createArtwork(
  size: { readonly width: number; readonly height: number },
  facts: string,
  rippleFrames: number,
): Artwork {
  for (const font of Object.keys(FONTS) as FontName[]) {
    GlobalFonts.registerFromPath(fileURLToPath(import.meta.resolve(FONTS[font])), familyOf(font));
  }
  const fit = fitOf(size);
  const full = (draw: (context: SKRSContext2D) => void): Sprite => {
    const canvas = createCanvas(size.width, size.height);
    const context = canvas.getContext('2d');
    draw(context);
    return spriteOf(canvas);
  };
  const inDesign = (context: SKRSContext2D, draw: (context: SKRSContext2D) => void): void => {
    context.save();
    context.translate(fit.left, fit.top);
    context.scale(fit.scale, fit.scale);
    draw(context);
    context.restore();
  };
  const ground = (context: SKRSContext2D): void => {
    drawBackground(
      context,
      size,
      (draw) => {
        inDesign(context, draw);
      },
      facts,
    );
  };
  const sprite = (side: number, draw: (context: SKRSContext2D, center: number) => void): Sprite =>
    scaledSprite(side, side, fit.scale, (context) => {
      draw(context, side / 2);
    });
  return {
    fit,
    background: full(ground),
    lit: full((context) => {
      ground(context);
      inDesign(context, (inner) => {
        drawLitBars(inner);
        drawLitDial(inner);
      });
    }),
    clockGlyphs: glyphs('0123456789:.', 'monoBold', 88, '#ffffff', fit.scale),
    counterGlyphs: glyphs('0123456789', 'mono', 26, '#e6ecff', fit.scale),
    comet: sprite(120, (context, center) => {
      drawComet(context, center, '#ffd166', 21);
    }),
    cometPressed: sprite(120, (context, center) => {
      drawComet(context, center, '#ff6b8a', 29);
    }),
    trail: sprite(56, (context, center) => {
      glow(context, center, center, [
        [0, 'rgba(255, 209, 102, 0.55)'],
        [1, 'rgba(255, 158, 102, 0)'],
      ]);
    }),
    hand: sprite(44, (context, center) => {
      glow(context, center, center, [
        [0, 'rgba(255, 255, 255, 1)'],
        [0.3, 'rgba(255, 255, 255, 1)'],
        [0.42, 'rgba(120, 235, 255, 0.6)'],
        [1, 'rgba(120, 235, 255, 0)'],
      ]);
    }),
    flash: sprite(232, (context, center) => {
      context.fillStyle = '#ffffff';
      context.beginPath();
      context.arc(center, center, 114, 0, Math.PI * 2);
      context.fill();
    }),
    ripples: Array.from({ length: rippleFrames }, (_, age) => {
      const radius = 24 + 8 * age;
      return sprite(2 * radius + 12, (context, center) => {
        context.globalAlpha = 1 - age / rippleFrames;
        context.strokeStyle = '#ffe3a3';
        context.lineWidth = 5 * (1 - age / rippleFrames) + 1;
        context.beginPath();
        context.arc(center, center, radius, 0, Math.PI * 2);
        context.stroke();
      });
    }),
    text: (text, style) => textSprite(text, style, fit.scale),
  };
}

function fitOf(size: { readonly width: number; readonly height: number }): Fit {
  const scale = Math.min(size.width / DESIGN.width, size.height / DESIGN.height);
  return {
    scale,
    left: (size.width - DESIGN.width * scale) / 2,
    top: (size.height - DESIGN.height * scale) / 2,
  };
}

function familyOf(font: FontName): string {
  return `Grandstand-${font}`;
}

function spriteOf(canvas: Canvas): Sprite {
  const { width, height } = canvas;
  const pixels = canvas.getContext('2d').getImageData(0, 0, width, height);
  return spriteFromRgba(pixels.data, width, height);
}

function scaledSprite(
  width: number,
  height: number,
  scale: number,
  draw: (context: SKRSContext2D) => void,
): Sprite {
  const pixels = (length: number): number => Math.max(2, Math.ceil((length * scale) / 2) * 2);
  const canvas = createCanvas(pixels(width), pixels(height));
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  draw(context);
  return spriteOf(canvas);
}

function glyphs(
  characters: string,
  font: FontName,
  size: number,
  color: string,
  scale: number,
): Glyphs {
  const measuring = createCanvas(8, 8).getContext('2d');
  measuring.font = fontOf(font, size);
  const advance = measuring.measureText('0').width;
  return new Map(
    Array.from(characters).map((character) => [
      character,
      scaledSprite(advance, size * 1.1, scale, (context) => {
        context.font = fontOf(font, size);
        context.fillStyle = color;
        context.fillText(character, 0, size * 0.86);
      }),
    ]),
  );
}

function textSprite(text: string, style: TextStyle, scale: number): Sprite {
  const measuring = createCanvas(8, 8).getContext('2d');
  measuring.font = fontOf(style.font, style.size);
  let shown = text;
  while (shown.length > 1 && measuring.measureText(shown).width > style.maxWidth) {
    shown = `${Array.from(shown).slice(0, -2).join('')}\u2026`;
  }
  const width = Math.max(8, measuring.measureText(shown).width + 4);
  return scaledSprite(width, style.size * 1.4, scale, (context) => {
    context.font = fontOf(style.font, style.size);
    context.fillStyle = style.color;
    context.fillText(shown, 1, style.size * 1.05);
  });
}

function glow(
  context: SKRSContext2D,
  center: number,
  radius: number,
  stops: readonly (readonly [number, string])[],
): void {
  const gradient = context.createRadialGradient(center, center, 0, center, center, radius);
  for (const [at, color] of stops) {
    gradient.addColorStop(at, color);
  }
  context.fillStyle = gradient;
  context.beginPath();
  context.arc(center, center, radius, 0, Math.PI * 2);
  context.fill();
}

function drawComet(context: SKRSContext2D, center: number, color: string, radius: number): void {
  glow(context, center, center, [
    [0, 'rgba(255, 214, 140, 0.75)'],
    [0.4, 'rgba(255, 180, 110, 0.32)'],
    [1, 'rgba(255, 160, 100, 0)'],
  ]);
  const gradient = context.createRadialGradient(
    center - radius * 0.35,
    center - radius * 0.4,
    radius * 0.1,
    center,
    center,
    radius,
  );
  gradient.addColorStop(0, '#fffdf5');
  gradient.addColorStop(0.45, color);
  gradient.addColorStop(1, '#e0683c');
  context.fillStyle = gradient;
  context.beginPath();
  context.arc(center, center, radius, 0, Math.PI * 2);
  context.fill();
}
