/** Headless Chromium for tests: one way to start it, with the flags that this house needs. */
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import type { Closeable } from '../../infra/kernel/lifecycle.ts';

/** A browser with an empty profile of its own. */
export type TestBrowser = Closeable & { readonly context: BrowserContext };

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--autoplay-policy=no-user-gesture-required',
  // A page in the back draws and counts time as the one in front does.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  // Peers in one machine find each other by address, without multicast DNS.
  '--disable-features=WebRtcHideLocalIpsWithMdns,CalculateNativeWinOcclusion',
];

/**
 * Starts Chromium: `CHROMIUM`, else the first in PATH of the names that infra/setup accepts.
 *
 * @param options.args further flags
 */
export async function launchBrowser(
  options: {
    readonly args?: readonly string[];
    readonly viewport?: { readonly width: number; readonly height: number };
  } = {},
): Promise<TestBrowser> {
  const profile = await mkdtemp(join(tmpdir(), 'grandstand-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM'] ?? findChromium(),
    headless: true,
    args: [...FLAGS, ...(options.args ?? [])],
    viewport: options.viewport ?? { width: 1280, height: 800 },
  });
  return {
    context,
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

function findChromium(): string {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        continue;
      }
    }
  }
  return '/usr/bin/chromium';
}
