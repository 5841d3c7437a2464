/** Ownership of what runs long: build in order, close in reverse, each close bounded. */

/** Something that runs until it is closed. `close` is idempotent and never rejects. */
export type Closeable = { close(reason: string): Promise<void> };

/** Closes what was pushed, newest first. */
export type CloseStack = Closeable & {
  /**
   * Registers `item`; the returned value is `item` so that building reads in one line.
   *
   * @param deadlineMs for its close, where it is not that of the stack
   */
  push<T extends Closeable>(item: T, deadlineMs?: number): T;
  /** Registers a plain clean-up function. */
  defer(cleanUp: (reason: string) => void | Promise<void>): void;
};

/**
 * @param onFault told of a clean-up that failed or took longer than `deadlineMs`; the rest still run
 */
export function closeStack(
  onFault: (error: unknown) => void,
  { deadlineMs = 5000 }: { readonly deadlineMs?: number } = {},
): CloseStack {
  const items: { readonly item: Closeable; readonly ownMs: number }[] = [];
  let closing: Promise<void> | undefined;
  const closeAll = async (reason: string): Promise<void> => {
    for (let next = items.pop(); next !== undefined; next = items.pop()) {
      try {
        await withDeadline(next.item.close(reason), next.ownMs);
      } catch (error) {
        onFault(error);
      }
    }
  };
  return {
    push(item, ownMs = deadlineMs) {
      items.push({ item, ownMs });
      return item;
    },
    defer(cleanUp) {
      const item: Closeable = {
        async close(reason) {
          await cleanUp(reason);
        },
      };
      items.push({ item, ownMs: deadlineMs });
    },
    close(reason) {
      closing ??= closeAll(reason);
      return closing;
    },
  };
}

/** Rejects when `work` takes longer than `deadlineMs`; the timer never outlives the work. */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not done after ${deadlineMs} ms`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Delay before try `attempt` (from 0): doubling from `baseMs` to `capMs`, with half of it jitter. */
export function backoffMs(
  attempt: number,
  {
    baseMs = 250,
    capMs = 5000,
    random = Math.random,
  }: { baseMs?: number; capMs?: number; random?: () => number } = {},
): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 16));
  return Math.round(full / 2 + (full / 2) * random());
}
