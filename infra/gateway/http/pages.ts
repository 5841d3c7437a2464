/** The built pages and what they load. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { type Express, type Request, type Response } from 'express';
import { sendProblem } from './problem.ts';

const PAGE_CACHE = 'public, max-age=60';
const ASSET_CACHE = 'public, max-age=31536000, immutable';
/** Pages load only what this server serves; WebRTC media needs no source, workers are blobs (hls.js). */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; connect-src 'self' ws: wss:; font-src 'self' data:; frame-ancestors 'self'; base-uri 'none'";

/** Adds the pages. @param directory of the built pages */
export function addPages(app: Express, directory: string): void {
  const page = (file: string) => (_request: Request, response: Response) => {
    const path = join(directory, file);
    if (!existsSync(path)) {
      sendProblem(response, {
        status: 503,
        title: 'Pages are not built',
        detail: 'Run `npm run build`, or start with `npm start`, which builds them.',
      });
      return;
    }
    response.set({
      'Cache-Control': PAGE_CACHE,
      'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    });
    response.sendFile(path);
  };
  app.use(
    '/assets',
    express.static(join(directory, 'assets'), {
      fallthrough: true,
      index: false,
      setHeaders: (response) => response.setHeader('Cache-Control', ASSET_CACHE),
    }),
  );
  app.get('/', page('index.html'));
  app.get('/watch/:id', page('watch.html'));
  app.get('/present/:id', page('present.html'));
  app.get('/operate', page('operate.html'));
  app.use(express.static(directory, { index: false, maxAge: 60_000 }));
}
