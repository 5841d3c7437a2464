const OURS = '^(ingest|packager|signalling|infra|player-web|cdn-config|test)/';
const KERNEL = 'infra/kernel/';
const PROTOCOL = 'signalling/protocol/';

const only = (from, allowed) => [
  {
    name: `${from.replaceAll('/', '-')}only`,
    severity: 'error',
    from: { path: `^${from}`, pathNot: '\\.test\\.ts$' },
    to: { path: OURS, pathNot: [from, ...allowed].map((prefix) => `^${prefix}`) },
  },
  {
    name: `${from.replaceAll('/', '-')}tests-only`,
    severity: 'error',
    from: { path: `^${from}.*\\.test\\.ts$` },
    to: { path: OURS, pathNot: [from, ...allowed, 'test/support/'].map((prefix) => `^${prefix}`) },
  },
];

const door = (library, files) => ({
  name: `door-${library}`,
  comment: `${library} has one door`,
  severity: 'error',
  from: { path: OURS, pathNot: files },
  to: { path: `node_modules/(@types/)?${library}(/|$)` },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'gateway-is-imported-by-nobody',
      severity: 'error',
      from: { pathNot: '^(infra/gateway|test)/' },
      to: { path: '^infra/gateway/' },
    },
    ...only(KERNEL, []),
    ...only('infra/setup/', []),
    ...only('infra/demo/', [KERNEL, PROTOCOL]),
    ...only(PROTOCOL, []),
    ...only('signalling/', [KERNEL]),
    ...only('ingest/', [KERNEL, PROTOCOL]),
    ...only('packager/cmaf/', [KERNEL]),
    ...only('packager/playlists/', [KERNEL, 'packager/cmaf/']),
    ...only('packager/worker/', [KERNEL, 'packager/cmaf/', 'packager/playlists/']),
    ...only('packager/origin/', [KERNEL, 'packager/cmaf/', 'packager/playlists/']),
    ...only('cdn-config/', [KERNEL]),
    ...only('player-web/', [PROTOCOL]),
    door('werift', ['^ingest/webrtc/']),
    door('fluent-ffmpeg', ['^packager/worker/ffmpeg\\.ts$']),
    door('bullmq', ['^infra/kernel/jobs\\.ts$']),
    door('ioredis', ['^infra/kernel/(redis|jobs)\\.ts$']),
    door('node-datachannel', ['^infra/demo/']),
    door('express', ['^infra/gateway/http/']),
    door('jose', ['^signalling/auth/']),
    door('@grpc', ['^signalling/plugins/']),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};
