/** The few DOM helpers that the pages share. No state. */
import { adaptPlan, FIRST_POLL, planNext } from './pollPlan.ts';

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

/** How often a poll looks whether it is time (ms). */
const POLL_TICK_MS = 250;

/**
 * Calls `work` now and then again `intervalMs()` after each end, until the page goes; a hidden page
 * does not ask, and asks at once when it is shown again. The interval is asked for all the time, so
 * that it may shorten while it runs; pollPlan.ts keeps viewers from asking in step.
 *
 * @param work whether the server has answered
 */
export function poll(work: () => Promise<boolean>, intervalMs: () => number): void {
  let plan = FIRST_POLL;
  let isRunning = false;
  async function turn(): Promise<void> {
    isRunning = true;
    let hasAnswered = false;
    try {
      hasAnswered = await work();
    } finally {
      isRunning = false;
      plan = planNext(plan, performance.now(), intervalMs(), hasAnswered, Math.random());
    }
  }
  function tick(): void {
    if (isRunning || document.hidden) {
      return;
    }
    plan = adaptPlan(plan, performance.now(), intervalMs(), Math.random());
    if (performance.now() >= plan.dueAtMs) {
      void turn();
    }
  }
  document.addEventListener('visibilitychange', tick);
  window.setInterval(tick, POLL_TICK_MS);
  tick();
}
