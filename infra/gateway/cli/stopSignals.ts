/** The signals that end a command in the foreground. */

/** Signals this close together are one wish: a terminal's Ctrl-C reaches npm and us, and npm forwards. */
const SAME_WISH_MS = 1500;

/** Calls `end` at the first; another wish exits at once. @returns stops listening */
export function onStopSignals(end: (reason: string) => void): () => void {
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    firstMs ??= nowMs;
    if (nowMs - firstMs > SAME_WISH_MS) {
      process.exit(1);
    }
    end(signal);
  };
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) {
    process.on(signal, onSignal);
  }
  return () => {
    for (const signal of signals) {
      process.off(signal, onSignal);
    }
  };
}
