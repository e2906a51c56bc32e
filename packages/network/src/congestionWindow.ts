// The congestion window of one TCP flow: how many segments it lets be in flight, and what acknowledgements, losses, timeouts
// and idle times make of it. It does not know what is sent or lost: lossyConnection.ts does.
// Sources: RFC 5681, 3.1, 3.2 and 4.1 (slow start, Reno's congestion avoidance, restart after idle), RFC 6928 (the first
// window), RFC 9438, 4.2–4.8 (CUBIC, with its Reno-friendly region and fast convergence).
// A window is a real number of segments and changes once a round trip. It does not grow beyond what fills the path, as if
// routers had no buffers that a flow could fill and overflow.

/** Segments of the first window. */
export const INITIAL_WINDOW = 10;

/** The least slow-start threshold, in segments. */
const LEAST_THRESHOLD = 2;

/** CUBIC's C, in segments per second cubed. */
const CUBIC_SCALE = 0.4;

/** What a loss leaves of the window. */
const KEPT = { reno: 0.5, cubic: 0.7 } as const;

/** Segments a round trip by which CUBIC's estimate of Reno's window grows: as fast on average with its factor of 0.7. */
const FRIENDLY_GROWTH = (3 * (1 - KEPT.cubic)) / (1 + KEPT.cubic);

/** The window grows by half a round trip at most (RFC 9438, 4.2). */
const MOST_GROWTH = 1.5;

/** Part of the window that the threshold remembers over an idle time, as in Linux (RFC 2861). */
const REMEMBERED = 0.75;

export type Control = keyof typeof KEPT;

/**
 * Segments of the window, 0 before the connection is opened; slow-start threshold, 0 before the first loss; then CUBIC's:
 * window before the last loss, window after it (0: begin anew), and seconds of sending since.
 */
export type WindowState = readonly [size: number, threshold: number, peak: number, base: number, age: number];

export class CongestionWindow {
  readonly #control: Control;
  readonly #roundTrip: number;
  #size = 0;
  #threshold = 0;
  #peak = 0;
  #base = 0;
  #age = 0;

  constructor(control: Control, roundTrip: number) {
    this.#control = control;
    this.#roundTrip = roundTrip;
  }

  get state(): WindowState {
    return [this.#size, this.#threshold, this.#peak, this.#base, this.#age];
  }

  set state([size, threshold, peak, base, age]: WindowState) {
    this.#size = size;
    this.#threshold = threshold;
    this.#peak = peak;
    this.#base = base;
    this.#age = age;
  }

  /** Segments. */
  get size(): number {
    return this.#size;
  }

  get isOpen(): boolean {
    return this.#size > 0;
  }

  get inSlowStart(): boolean {
    return this.#threshold === 0 || this.#size < this.#threshold;
  }

  open(): void {
    this.state = [INITIAL_WINDOW, 0, 0, 0, 0];
  }

  /** After an idle time longer than the retransmission timeout. */
  restart(): void {
    if (this.#threshold > 0) this.#threshold = Math.max(this.#threshold, REMEMBERED * this.#size);
    this.#size = Math.min(this.#size, INITIAL_WINDOW);
    this.#base = 0;
  }

  /** Another path may hold less. @param most segments */
  fit(most: number): void {
    this.#size = Math.min(this.#size, most);
  }

  /**
   * A flight has been acknowledged without a loss.
   * @param segments of the flight, up to a whole window
   * @param duration seconds that it took
   * @param most segments beyond which the window does not grow
   */
  grow(segments: number, duration: number, most: number): void {
    const size = this.#size;
    if (size >= most) return;
    let grown: number;
    if (this.inSlowStart)
      grown = Math.min(size + segments, this.#threshold === 0 ? Number.POSITIVE_INFINITY : this.#threshold);
    else if (this.#control === "reno") grown = size + segments / size;
    else grown = this.#cubic(duration);
    this.#size = Math.min(grown, most);
  }

  /** Losses of one flight are noticed by the acknowledgements behind them. */
  reduce(): void {
    this.#remember();
    this.#size = this.#threshold;
    this.#base = this.#size;
    this.#age = 0;
  }

  /** They are noticed because no acknowledgements come. @param again whether the timeout before was just before */
  timeOut(again: boolean): void {
    if (!again) this.#remember();
    this.#size = 1;
    this.#base = 0;
  }

  #remember(): void {
    const kept = KEPT[this.#control];
    // Fast convergence: a flow that lost before it had its former window back leaves room for others.
    this.#peak = this.#size < this.#peak ? (this.#size * (1 + kept)) / 2 : this.#size;
    this.#threshold = Math.max(LEAST_THRESHOLD, kept * this.#size);
  }

  #cubic(duration: number): number {
    if (this.#base === 0) {
      this.#base = this.#size;
      this.#peak = this.#size;
      this.#age = 0;
    }
    this.#age += duration;
    const base = this.#base;
    // The peak is below the base where the least threshold was.
    const plateau = Math.cbrt(Math.max(0, this.#peak - base) / CUBIC_SCALE);
    const cubic = CUBIC_SCALE * (this.#age - plateau) ** 3 + Math.max(this.#peak, base);
    const rounds = this.#age / this.#roundTrip;
    const slow = (base / KEPT.cubic - base) / FRIENDLY_GROWTH;
    const friendly = base + FRIENDLY_GROWTH * Math.min(rounds, slow) + Math.max(0, rounds - slow);
    return Math.max(this.#size, Math.min(Math.max(cubic, friendly), MOST_GROWTH * this.#size));
  }
}
