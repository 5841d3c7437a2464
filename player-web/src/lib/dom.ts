/** The few DOM helpers that the pages share. No state. */

/** The element with this id, of the class the caller needs; the page is broken without it. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) {
    throw new Error(`#${id} is missing from the page`);
  }
  return element;
}

/** Sets text only where it differs: no needless layout, no repeated announcements. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Makes an element with a class, text or children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...content: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') {
    element.className = className;
  }
  element.append(...content);
  return element;
}

/**
 * Calls `work` now and then again `intervalMs` after each end, until the page goes; a hidden page
 * does not ask, and asks at once when it is shown again.
 */
export function poll(work: () => Promise<void>, intervalMs: number): void {
  let timer: number | undefined;
  let isRunning = false;
  async function turn(): Promise<void> {
    window.clearTimeout(timer);
    if (isRunning) {
      return;
    }
    isRunning = true;
    try {
      await work();
    } finally {
      isRunning = false;
      if (!document.hidden) {
        timer = window.setTimeout(() => void turn(), intervalMs);
      }
    }
  }
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) {
      void turn();
    }
  });
  void turn();
}
