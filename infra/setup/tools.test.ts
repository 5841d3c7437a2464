import { describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript that runs before anything is installed
import { aptPackage, neededTools, platformCommand, toolVersionFault } from './tools.mjs';

type Tool = { readonly command: string };
const tools = neededTools as (purpose: string) => Tool[];
const command = platformCommand as (
  tools: Tool[],
  platform: string,
  find: (name: string) => string | undefined,
) => string;
const fault = toolVersionFault as (
  tool: Tool | undefined,
  read: () => string,
) => string | undefined;

describe('setup', () => {
  it('needs a browser and linters only for tests', () => {
    expect(tools('run').map((tool) => tool.command)).toEqual(['ffmpeg', 'redis-server']);
    expect(tools('test').map((tool) => tool.command)).toEqual([
      'ffmpeg',
      'redis-server',
      'chromium',
      'xmllint',
      'openssl',
      'curl',
      'turnserver',
    ]);
  });

  it.each([
    ['darwin', [], 'brew install ffmpeg redis'],
    ['linux', ['dnf'], 'sudo dnf install ffmpeg redis'],
    [
      'linux',
      [],
      'sudo apt-get update && sudo apt-get install -y --no-install-recommends ffmpeg redis-server',
    ],
  ])('prints the command for %s %j', (platform, present, expected) => {
    expect(
      command(tools('run'), platform, (name) => (present.includes(name) ? name : undefined)),
    ).toBe(expected);
  });

  it('keeps casks apart from formulae', () => {
    expect(command(tools('test'), 'darwin', () => undefined)).toBe(
      'brew install ffmpeg redis libxml2 openssl curl coturn && brew install --cask chromium',
    );
  });

  it.each([
    ['', 'it does not run'],
    ['ffmpeg version 5.1.9-0+deb12u1', undefined],
    ['ffmpeg version n7.0', undefined],
    ['ffmpeg version N-109542-g1bf1458', undefined],
    ['ffmpeg version 4.4.2', 'version 4.4 is older than 5.1'],
  ])('reads %s', (text, expected) => {
    expect(fault(tools('run')[0], () => text)).toBe(expected);
  });

  it('knows that Ubuntu names Chromium otherwise', () => {
    const names = (osRelease: string): string[] =>
      tools('test').map((tool) =>
        (aptPackage as (tool: Tool, osRelease: string) => string)(tool, osRelease),
      );
    expect(names('ID=debian\n')).toContain('chromium');
    expect(names('NAME="Ubuntu"\nID=ubuntu\n')).toContain('chromium-browser');
  });
});
