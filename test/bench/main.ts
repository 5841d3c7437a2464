/** `npm run bench -- NAME`: what the gateway costs and how it plays, measured on this machine. */
import { benchIngest } from './ingest.ts';
import { benchInterchange } from './interchange.ts';
import { benchCodecs } from './codecs.ts';
import { benchLibwebrtc } from './libwebrtc.ts';
import { benchLoss } from './loss.ts';
import { benchOrigin } from './origin.ts';
import { benchPipeline } from './pipeline.ts';
import { benchSignalling } from './signalling.ts';
import { benchSlate } from './slate.ts';
import { benchSync } from './sync.ts';
import { benchWatch } from './watch.ts';

const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  pipeline: benchPipeline,
  interchange: benchInterchange,
  watch: benchWatch,
  libwebrtc: benchLibwebrtc,
  codecs: benchCodecs,
  sync: benchSync,
  slate: benchSlate,
  origin: benchOrigin,
  signalling: benchSignalling,
  ingest: benchIngest,
  loss: benchLoss,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(BENCHES).join(' | ')}`);
  process.exitCode = 2;
} else {
  await bench(args);
}
