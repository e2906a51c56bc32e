// Keeps lines that may come by the thousand from flooding a terminal or a log: a few a second and some a run are let
// through, the others are counted. What the lines say is the business of the caller.

export interface LineBudgetOptions {
  readonly perSecond: number;
  readonly perRun: number;
}

export class LineBudget {
  readonly #options: LineBudgetOptions;
  #shown = 0;
  #held = 0;
  /** When the present second began, in milliseconds. */
  #second = Number.NEGATIVE_INFINITY;
  #inSecond = 0;

  constructor(options: LineBudgetOptions) {
    this.#options = options;
  }

  /** Whether a line may be shown that comes at `nowMs`; counts it otherwise. */
  admit(nowMs: number): boolean {
    const { perSecond, perRun } = this.#options;
    if (nowMs - this.#second >= 1000) {
      this.#second = nowMs;
      this.#inSecond = 0;
    }
    if (this.#shown >= perRun || this.#inSecond >= perSecond) {
      this.#held++;
      return false;
    }
    this.#shown++;
    this.#inSecond++;
    return true;
  }

  /** How many lines have been held back since this was asked last. */
  takeHeld(): number {
    const held = this.#held;
    this.#held = 0;
    return held;
  }
}
