// The connection from one node to another over a path that loses packets: its flows' congestion windows from one transfer to
// the next, and what a transfer by their flights (flights.ts) means to the rest of the simulation.
// How a transfer would go alone is drawn first, then it shares capacities as a fluid. So what other transfers do to the path
// neither grows nor shrinks its windows, and flows of one connection do not take up what one of them leaves.
// Sources: RFC 6298 (timeouts), RFC 5681, 4.1 (restart after idle).

import { CongestionWindow, type Control, type WindowState } from "./congestionWindow.ts";
import { type Drawn, drawGap, type Uniforms } from "./draws.ts";
import { Flights, LONGEST_TIMEOUT } from "./flights.ts";
import { SEGMENT_SIZE } from "./tcp.ts";

/** Linux's least variance term of the timeout, in seconds, added to the round trip. */
const LEAST_VARIANCE = 0.2;

/** The first timeout of a handshake, in seconds (RFC 6298, 2.1). */
const HANDSHAKE_TIMEOUT = 1;

/** Relative: rounding must not make a rate of its own out of the path's. */
const ROUNDING = 1e-9;

export interface LossyPath {
  readonly control: Control;
  /** Parallel flows: a transfer is cut into equal parts. */
  readonly flows: number;
  /** Seconds. */
  readonly roundTrip: number;
  /** Seconds by which the latency of one way differs from its mean at most. */
  readonly swing: number;
  /** Probability that a segment is lost. */
  readonly loss: number;
  /** Bytes per second that the path carries, for all flows together. */
  readonly rate: number;
}

/** Since when the connection is idle, in seconds, then the states of its flows' windows one after another. JSON. */
export type LossyConnectionState = readonly number[];

const NUMBERS_OF_WINDOW = 5;

/** All flows from one node to another. */
export class LossyConnection {
  /** Seconds. */
  idleSince = 0;
  readonly #path: LossyPath;
  readonly #timeout: number;
  readonly #windows: readonly CongestionWindow[];

  constructor(path: LossyPath) {
    const { control, flows, roundTrip, swing } = path;
    this.#path = path;
    // Of a value uniform within ± swing the mean deviation, of which RFC 6298 takes four, is half; there and back.
    this.#timeout = roundTrip + Math.max(LEAST_VARIANCE, 4 * swing);
    this.#windows = Array.from({ length: flows }, () => new CongestionWindow(control, roundTrip));
  }

  get state(): LossyConnectionState {
    return [this.idleSince, ...this.#windows.flatMap((window) => window.state)];
  }

  /** What is missing is as in a connection that has not been opened. */
  set state([idleSince = 0, ...numbers]: LossyConnectionState) {
    this.idleSince = idleSince;
    for (const [i, window] of this.#windows.entries()) {
      const [size = 0, threshold = 0, peak = 0, base = 0, age = 0] = numbers.slice(i * NUMBERS_OF_WINDOW);
      window.state = [size, threshold, peak, base, age] satisfies WindowState;
    }
  }

  /**
   * How the next transfer goes, by its slowest flow. The growth of first windows and timeouts delay it without taking
   * bandwidth; the rest moves at the mean rate that windows allow, or at what others leave of the capacities.
   * @param delay seconds of latency
   * @param size bytes
   * @param at when it begins, in seconds
   * @param draws at the first number that is left for losses
   */
  transfer(delay: number, size: number, at: number, draws: Uniforms): Drawn {
    const segments = Math.max(1, size) / SEGMENT_SIZE;
    const used = Math.min(this.#windows.length, Math.ceil(segments));
    const { roundTrip, loss, rate } = this.#path;
    const perSegment = (used * SEGMENT_SIZE) / rate;
    const isStale = at - this.idleSince > this.#timeout;
    let [longest, waited, moving, sent] = [-1, 0, 0, 0];
    for (let i = 0; i < used; i++) {
      const window = this.#windows[i]!;
      const opened = this.#prepare(window, isStale, draws);
      const flow = { window, roundTrip, timeout: this.#timeout, perSegment, loss, draws };
      const flights = new Flights(segments / used, flow).run();
      const total = opened + flights.waited + flights.moving;
      if (total <= longest) continue;
      longest = total;
      waited = opened + flights.waited;
      ({ moving, sent } = flights);
    }
    this.idleSince = at + delay + longest;
    if (size === 0) return { delay: delay + longest, size, limit: Number.POSITIVE_INFINITY };
    const moved = size * ((sent * used) / segments);
    const isHeldUp = moving > sent * perSegment * (1 + ROUNDING);
    return {
      delay: delay + waited,
      size: moved,
      limit: isHeldUp ? moved / moving : Number.POSITIVE_INFINITY,
    };
  }

  /** Seconds until a flow can send: those of its handshake. */
  #prepare(window: CongestionWindow, isStale: boolean, draws: Uniforms): number {
    if (window.isOpen) {
      if (isStale) window.restart();
      return 0;
    }
    let waited = this.#path.roundTrip;
    for (let timeout = HANDSHAKE_TIMEOUT; drawGap(this.#path.loss, draws) < 1; timeout *= 2)
      waited += Math.min(LONGEST_TIMEOUT, timeout);
    window.open();
    return waited;
  }
}
