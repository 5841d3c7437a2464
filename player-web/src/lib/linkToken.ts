/**
 * The token of the link that a page was opened by, and where the page meets signalling with it. Pure
 * but for `takeToken`, which keeps it for a reload and out of the address bar.
 */

/** What of a page's address matters; `Location` has it. */
export type PageAddress = {
  readonly protocol: string;
  readonly host: string;
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
};

/** The token of a link: `#token=`, which no server's log ever sees, or `?token=`. */
export function tokenInLink({ hash, search }: PageAddress): string | undefined {
  const found = new URLSearchParams(hash.slice(1)).get('token');
  const token = found ?? new URLSearchParams(search).get('token');
  return token === null || token === '' ? undefined : token;
}

/** The address without its token: to be seen, shared and kept in the history. */
export function withoutToken({ pathname, search, hash }: PageAddress): string {
  return `${pathname}${without('?', search)}${without('#', hash)}`;
}

/** URL of the player's WebSocket. Epic's library adds nothing to it. */
export function signallingUrl({ protocol, host }: PageAddress, token: string | undefined): string {
  const base = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/`;
  return token === undefined ? base : `${base}?token=${encodeURIComponent(token)}`;
}

/** The link's token, out of sight at once and kept for a reload of this tab. */
export function takeToken(): string | undefined {
  const key = `grandstand.token ${location.pathname}`;
  const given = tokenInLink(location);
  if (given !== undefined) {
    sessionStorage.setItem(key, given);
    history.replaceState(null, '', withoutToken(location));
  }
  return given ?? sessionStorage.getItem(key) ?? undefined;
}

function without(mark: '?' | '#', text: string): string {
  const values = new URLSearchParams(text.slice(1));
  if (!values.has('token')) {
    return text;
  }
  values.delete('token');
  return values.size === 0 ? '' : `${mark}${values.toString()}`;
}
