/** Which tools a purpose needs, from which package of which platform. Pure. */

/**
 * @typedef {{command: string, aliases?: string[], debian: string, ubuntu?: string, fedora: string, arch: string, brew: string,
 *            isCask?: boolean, minimum?: [number, number], versionArguments?: string[]}} Tool
 */

/** @type {Tool[]} */
const RUN_TOOLS = [
  {
    command: 'ffmpeg',
    debian: 'ffmpeg',
    fedora: 'ffmpeg',
    arch: 'ffmpeg',
    brew: 'ffmpeg',
    minimum: [5, 1],
    versionArguments: ['-version'],
  },
  {
    command: 'redis-server',
    aliases: ['valkey-server'],
    debian: 'redis-server',
    fedora: 'redis',
    arch: 'redis',
    brew: 'redis',
  },
];

/** @type {Tool[]} */
const TEST_TOOLS = [
  {
    command: 'chromium',
    aliases: ['chromium-browser', 'google-chrome'],
    debian: 'chromium',
    ubuntu: 'chromium-browser', // installs the snap; there is no package named chromium
    fedora: 'chromium',
    arch: 'chromium',
    brew: 'chromium',
    isCask: true,
  },
  {
    command: 'xmllint',
    debian: 'libxml2-utils',
    fedora: 'libxml2',
    arch: 'libxml2',
    brew: 'libxml2',
  },
  {
    command: 'openssl',
    debian: 'openssl',
    fedora: 'openssl',
    arch: 'openssl',
    brew: 'openssl',
  },
  { command: 'curl', debian: 'curl', fedora: 'curl', arch: 'curl', brew: 'curl' },
  {
    command: 'turnserver',
    debian: 'coturn',
    fedora: 'coturn',
    arch: 'coturn',
    brew: 'coturn',
  },
];

/** @param {'run' | 'test'} purpose */
export function neededTools(purpose) {
  return purpose === 'test' ? [...RUN_TOOLS, ...TEST_TOOLS] : RUN_TOOLS;
}

/**
 * The name of a tool's package for apt.
 *
 * @param {Tool} tool
 * @param {string} osRelease text of /etc/os-release
 */
export function aptPackage(tool, osRelease) {
  return /^ID=ubuntu$/m.test(osRelease) ? (tool.ubuntu ?? tool.debian) : tool.debian;
}

/**
 * The exact command that installs `tools` on this platform.
 *
 * @param {Tool[]} tools
 * @param {string} platform process.platform
 * @param {(command: string) => string | undefined} find
 */
export function platformCommand(tools, platform, find) {
  const names = (key) => tools.map((tool) => tool[key]).join(' ');
  if (platform === 'darwin') {
    const formulae = tools.filter((tool) => !tool.isCask).map((tool) => tool.brew);
    const casks = tools.filter((tool) => tool.isCask).map((tool) => tool.brew);
    return [
      ...(formulae.length === 0 ? [] : [`brew install ${formulae.join(' ')}`]),
      ...(casks.length === 0 ? [] : [`brew install --cask ${casks.join(' ')}`]),
    ].join(' && ');
  }
  if (find('dnf') !== undefined) {
    return `sudo dnf install ${names('fedora')}`;
  }
  if (find('pacman') !== undefined) {
    return `sudo pacman -S ${names('arch')}`;
  }
  return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names('debian')}`;
}

/**
 * What is wrong with the version that the tool prints, or undefined.
 *
 * @param {Tool} tool
 * @param {() => string} readVersion
 */
export function toolVersionFault(tool, readVersion) {
  if (tool.minimum === undefined) {
    return undefined;
  }
  const text = readVersion();
  if (text.trim() === '') {
    return 'it does not run';
  }
  const match = /version n?(\d+)\.(\d+)/.exec(text);
  if (match === null) {
    return undefined; // a build from git prints no number; it is newer than any minimum here
  }
  const [major, minor] = tool.minimum;
  const got = [Number(match[1]), Number(match[2])];
  return got[0] > major || (got[0] === major && got[1] >= minor)
    ? undefined
    : `version ${got.join('.')} is older than ${major}.${minor}`;
}
