/**
 * Whether a job goes on after a run of its encoder has ended. Pure. A run that encoded something is
 * followed by another, after a pause that grows while runs are short; runs that encode nothing end
 * the job: what they are fed, or what they run on, does not come right by trying.
 */

/** Runs on end that may encode nothing. */
export const MAX_BARREN_RUNS = 5;
/** A run that lived this long starts the back-off anew. */
const HEALTHY_RUN_MS = 5000;

/** What follows: another run after the back-off of `attempt`, or the end. */
export type NextRun =
  { readonly kind: 'again'; readonly attempt: number } | { readonly kind: 'give-up' };

/** See the file header. */
export class RetryPolicy {
  #attempt = 0;
  #barren = 0;

  /** A run has ended. */
  after(run: { readonly frames: number; readonly livedMs: number }): NextRun {
    this.#barren = run.frames > 0 ? 0 : this.#barren + 1;
    this.#attempt = run.frames > 0 && run.livedMs > HEALTHY_RUN_MS ? 0 : this.#attempt + 1;
    return this.#barren >= MAX_BARREN_RUNS
      ? { kind: 'give-up' }
      : { kind: 'again', attempt: this.#attempt };
  }
}
