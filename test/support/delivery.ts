/** What tests read of a delivery: URLs of a playlist or MPD made whole, and what they point at. */
import { parseMediaPlaylist, type MediaPlaylist } from '../conformance/mediaPlaylist.ts';

/** Body of `url` as text; throws where the answer is not 200. */
export async function getText(url: string): Promise<string> {
  return (await getBytes(url)).toString('utf8');
}

/** Body of `url`; throws where the answer is not 200. */
export async function getBytes(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (response.status !== 200) {
    throw new Error(`${url} was answered ${response.status}`);
  }
  return Buffer.from(await response.arrayBuffer());
}

/** The media playlist at `url`. */
export async function getPlaylist(url: string): Promise<MediaPlaylist> {
  return parseMediaPlaylist(await getText(url));
}

/** URIs of the media playlists that the multivariant playlist at `url` names, whole, by their tag. */
export async function playlistsOf(
  url: string,
): Promise<{ readonly media: readonly string[]; readonly iframes: readonly string[] }> {
  const lines = (await getText(url)).split('\n');
  const whole = (uri: string): string => new URL(uri, url).href;
  const uriIn = (line: string): string => whole(/URI="([^"]+)"/.exec(line)?.[1] ?? '');
  const media = [
    ...lines.filter((line) => line !== '' && !line.startsWith('#')).map(whole),
    ...lines.filter((line) => line.startsWith('#EXT-X-MEDIA:')).map(uriIn),
  ];
  const iframes = lines.filter((line) => line.startsWith('#EXT-X-I-FRAME-STREAM-INF:')).map(uriIn);
  return { media: [...new Set(media)], iframes };
}

/** URL of segment `number` of `track` as the newest Period of the MPD at `url` has it. */
export async function dashSegmentUrl(url: string, track: string, number: number): Promise<string> {
  const period = (await getText(url)).split('<Period').at(-1) ?? '';
  const own = period.split('<Representation').find((text) => text.includes(`id="${track}"`)) ?? '';
  const template = /<SegmentTemplate[^>]* media="([^"]+)"/.exec(own)?.[1] ?? '';
  const path = template.replace('$RepresentationID$', track).replace('$Number$', String(number));
  return new URL(path, url).href;
}
