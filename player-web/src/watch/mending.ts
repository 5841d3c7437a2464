/** Hears faults and says when to do what about them: the timers around recovery.ts. */
import { HEALTHY, planRecovery, type FaultKind, type RecoveryAction } from './recovery.ts';

/** What mending works with. */
export interface MendingDeps {
  /** Does what was decided. */
  act(action: RecoveryAction['action']): void;
  /** When playback last advanced (monotonic ms). */
  lastProgressMs(): number;
  /** Nothing answers: the player goes on asking, and another one could do no more. */
  isServerAway(): boolean;
}

/** A soft fault is forgotten if playback went on for this long after it (ms). */
const SOFT_FAULT_MS = 1500;

/** The mending of one session. */
export class Mending {
  lastFault: string | undefined;
  /** When it came (monotonic ms). */
  faultAtMs = 0;
  readonly #deps: MendingDeps;
  #state = HEALTHY;
  #timer: number | undefined;

  constructor(deps: MendingDeps) {
    this.#deps = deps;
  }

  /** Something is decided and will be done. */
  get isPending(): boolean {
    return this.#timer !== undefined;
  }

  /** Attempts since playback last was steady. */
  get attempts(): number {
    return this.#state.attempts;
  }

  /** `isSoft`: playback may still go on. */
  hear(fault: FaultKind, detail: string, isSoft: boolean): void {
    this.lastFault = detail;
    const atMs = performance.now();
    this.faultAtMs = atMs;
    if (this.isPending) {
      return;
    }
    if (!isSoft) {
      this.#recover(fault);
      return;
    }
    this.#after(SOFT_FAULT_MS, () => {
      const isPlaying = this.#deps.lastProgressMs() >= atMs + SOFT_FAULT_MS / 2;
      if (!isPlaying && !this.#deps.isServerAway()) {
        this.#recover(fault);
      }
    });
  }

  /** All is well: the next fault is the first one. */
  forgive(): void {
    this.#state = HEALTHY;
  }

  /** Another player by the viewer's choice: nothing has happened yet. */
  reset(): void {
    this.forgive();
    this.lastFault = undefined;
  }

  /** What was decided concerns a player that is no more. */
  cancel(): void {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #recover(fault: FaultKind): void {
    const plan = planRecovery(this.#state, fault, performance.now(), Math.random());
    this.#state = plan.state;
    this.#after(plan.next.delayMs, () => {
      this.#deps.act(plan.next.action);
    });
  }

  #after(delayMs: number, work: () => void): void {
    this.cancel();
    this.#timer = window.setTimeout(() => {
      this.#timer = undefined;
      work();
    }, delayMs);
  }
}
