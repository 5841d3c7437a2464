import { describe, expect, it } from 'vitest';
import { fullSignallingConfigSchema } from './config.ts';
import { isWilburArgument, wilburAliases } from './wilbur.ts';

const ICE = { iceServers: [{ urls: ['stun:a:1'] }] };

describe('wilburAliases', () => {
  it('reads the command line that Epic documents', () => {
    const settings = wilburAliases([
      ...['--serve', '--rest_api', '--streamer_port', '9888', '--player_port=8090'],
      ...['--sfu_port', '9889', '--max_players', '5', '--peer_options', JSON.stringify(ICE)],
      ...['--log_level_console', 'verbose', '--reverse-proxy', '--reverse-proxy-num-proxies', '2'],
    ]);
    expect(settings.config).toEqual({
      signalling: {
        ...{ mode: 'open', maxPlayers: 5, proxies: 2, peerConnectionOptions: ICE },
        ...{ streamers: { port: 9888 }, sfu: { port: 9889 } },
      },
      http: { listen: '0.0.0.0:8090' },
      log: { level: 'debug' },
    });
    expect(settings.ignored.map(({ name }) => name)).toEqual(['serve', 'rest_api']);
    expect(fullSignallingConfigSchema.parse(settings.config.signalling)).toMatchObject({
      streamers: { host: '127.0.0.1', port: 9888 },
      sfu: { host: '127.0.0.1', port: 9889 },
    });
  });

  it("reads Wilbur's config.json, whose defaults ask for nothing", () => {
    const settings = wilburAliases({
      ...{ log_folder: 'logs', log_level_console: 'info', streamer_port: 8888, player_port: '80' },
      ...{
        sfu_port: 8889,
        serve: true,
        https: false,
        homepage: '',
        peer_options: '',
        max_players: 0,
      },
      ...{ peer_options_file: 'ice.json', reverse_proxy: false },
    });
    expect(settings).toMatchObject({
      config: { http: { listen: '0.0.0.0:80' }, signalling: { maxPlayers: 0 } },
      peerOptionsFile: 'ice.json',
      configFile: undefined,
    });
    expect(settings.config.signalling).not.toHaveProperty('proxies');
    expect(settings.ignored.map(({ name }) => name)).toEqual(['log_folder', 'serve']);
  });

  it("reads Cirrus' config.json", () => {
    const settings = wilburAliases({
      ...{ UseHTTPS: false, HttpPort: 80, StreamerPort: 8888, SFUPort: 8889, MaxPlayerCount: -1 },
      ...{ UseMatchmaker: true, peerConnectionOptions: JSON.stringify(ICE) },
    });
    expect(settings.config.signalling).toMatchObject({ maxPlayers: 0, peerConnectionOptions: ICE });
    expect(settings.ignored).toEqual([
      { name: 'UseMatchmaker', why: 'there is no matchmaker client yet' },
    ]);
  });

  it.each([
    [['--https', '--https_port', '8443', '--ssl_cert_path=c.pem', '--ssl_key_path', 'k.pem']],
    [{ UseHTTPS: true, HttpsPort: 8443, HTTPSCertFile: 'c.pem', HTTPSKeyFile: 'k.pem' }],
  ])('turns its TLS into ours: %j', (input) => {
    expect(wilburAliases(input).config.tls).toEqual({
      ...{ certificateFile: 'c.pem', keyFile: 'k.pem', listen: '0.0.0.0:8443' },
    });
  });

  it('has no TLS where https is off, whatever files are named, and its default files where on', () => {
    expect(wilburAliases({ https: false, ssl_key_path: 'k.pem' }).config).not.toHaveProperty('tls');
    expect(wilburAliases(['--https']).config.tls).toEqual({
      certificateFile: 'certificates/client-cert.pem',
      keyFile: 'certificates/client-key.pem',
      listen: '0.0.0.0:443',
    });
  });

  it('names every fault at once, and no password', () => {
    const faulty = (): unknown =>
      wilburAliases({
        ...{ streamer_port: 70_000, max_players: 'many', nonsense: 1 },
        peer_options: '{"iceServers":[{"credential":"hunter2"',
      });
    expect(faulty).toThrow(
      'streamer_port must be a port (got 70000); max_players must be a whole number from 0 ' +
        '(got "many"); nonsense is no setting of Wilbur or Cirrus; peer_options must be JSON (got string)',
    );
    expect(() => wilburAliases(['streamer_port'])).not.toThrow(/hunter2/);
  });

  it.each([
    ['--streamer_port', true],
    ['--peer_options={}', true],
    ['--reverse-proxy', true],
    ['--config', false],
    ['start', false],
    ['--constructor', false],
  ])('knows whether %s is one of them: %s', (argument, isOne) => {
    expect(isWilburArgument(argument)).toBe(isOne);
  });
});
