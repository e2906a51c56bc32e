// How one TCP flow sends its part of a transfer over a path that loses packets, flight by flight: each round trip it sends
// its congestion window; what is lost of a flight is sent again in the next, from a smaller window, or after a timeout if
// too few acknowledgements tell of it. Flights are gone through, not packets: the gaps between losses are drawn as a whole,
// and while the window fills the path so are the flights.
// Sources: RFC 5681 and 6675 (fast retransmit and recovery with selective acknowledgements), RFC 6298 (timeouts); Padhye,
// Firoiu, Towsley, Kurose, "Modeling TCP throughput" (SIGCOMM 1998) for the view by rounds.
// Not modelled: tail loss probes (RFC 8985), lost acknowledgements, reordering, and buffers that flows fill.

import { type CongestionWindow, INITIAL_WINDOW } from "./congestionWindow.ts";
import { drawGap, type Uniforms } from "./draws.ts";

/** Later segments that have to arrive for a loss to be noticed by duplicate acknowledgements (RFC 5681, 3.2). */
const DUPLICATES = 3;

/** Timeouts in a row double up to this many seconds (RFC 6298, 2.5). */
export const LONGEST_TIMEOUT = 60;

export interface Flow {
  readonly window: CongestionWindow;
  /** Seconds. */
  readonly roundTrip: number;
  /** Seconds of the first timeout in a row. */
  readonly timeout: number;
  /** Seconds that a segment takes on the wire. */
  readonly perSegment: number;
  /** Probability that a segment is lost. */
  readonly loss: number;
  readonly draws: Uniforms;
}

/** One transfer's way through the flights. */
export class Flights {
  /** Seconds in which the window first grew, or a timeout was waited for. */
  waited = 0;
  /** All other seconds until the last byte has left. */
  moving = 0;
  /** Segments sent in those, losses included. */
  sent = 0;
  readonly #flow: Flow;
  /** Segments that fill the path, and the window beyond which none grows. */
  readonly #pipe: number;
  readonly #most: number;
  #left: number;
  /** Segments that get through before the next that does not. */
  #gap: number;
  /** Of those left, the first ones: sent before and lost. */
  #repairs = 0;
  /** Timeouts since something was acknowledged. */
  #timeouts = 0;
  #isRamping = true;
  /** Whether the flight is the first after a fast retransmit, during which the window rests. */
  #isRecovering = false;

  /** @param segments above 0, not necessarily whole */
  constructor(segments: number, flow: Flow) {
    this.#flow = flow;
    this.#pipe = flow.roundTrip / flow.perSegment;
    this.#most = Math.max(this.#pipe, INITIAL_WINDOW);
    this.#left = segments;
    flow.window.fit(this.#most);
    this.#gap = drawGap(flow.loss, flow.draws);
  }

  run(): this {
    const { window } = this.#flow;
    while (this.#left > 0) {
      const isFull = window.size >= this.#pipe;
      this.#isRamping &&= window.inSlowStart && !isFull;
      if (this.#gap >= this.#left && (isFull || this.#left <= window.size)) this.#finish();
      else if (this.#gap >= Math.min(window.size, this.#left)) this.#deliver(isFull);
      else this.#lose();
    }
    return this;
  }

  /** What is left needs no further round trip. */
  #finish(): void {
    const { window, perSegment } = this.#flow;
    const left = this.#left;
    this.#move(left, left * perSegment);
    const flight = Math.min(left, window.size);
    if (!this.#isRecovering) window.grow(flight, flight * perSegment, this.#most);
    this.#left = 0;
  }

  /** A flight of a whole window without a loss; where the window neither grows nor waits, as many as there are. */
  #deliver(isFull: boolean): void {
    const { window, roundTrip, perSegment } = this.#flow;
    const { size } = window;
    const isSteady = isFull && size >= this.#most;
    const segments = isSteady ? Math.floor(Math.min(this.#left, this.#gap) / size) * size : size;
    const duration = isFull ? segments * perSegment : roundTrip;
    if (this.#isRamping) this.waited += duration;
    else this.#move(segments, duration);
    this.#left -= segments;
    this.#gap -= segments;
    this.#repairs = Math.max(0, this.#repairs - segments);
    this.#timeouts = 0;
    if (!this.#isRecovering) window.grow(size, duration, this.#most);
    this.#isRecovering = false;
  }

  /** A flight of which something is lost. */
  #lose(): void {
    const { window, roundTrip, perSegment, timeout, loss, draws } = this.#flow;
    const { size } = window;
    const flight = Math.min(size, this.#left);
    const first = this.#gap;
    let lost = 0;
    for (; this.#gap < flight; this.#gap += 1 + drawGap(loss, draws)) lost++;
    this.#gap -= flight;
    // The acknowledgements of segments before the loss let as many follow as were in front of it, if there are more.
    const following = Math.floor(Math.min(size, this.#left - first)) - lost;
    const onWire = flight * perSegment;
    this.#isRamping = false;
    this.#isRecovering = following >= DUPLICATES && first >= this.#repairs;
    if (this.#isRecovering) {
      this.#move(flight, Math.max(roundTrip, onWire));
      window.reduce();
    } else {
      // The timer starts anew with what is acknowledged of the flight, if anything is (RFC 6298, 5.3).
      this.#move(flight, first < 1 ? onWire : Math.max(roundTrip, onWire));
      this.waited += Math.min(LONGEST_TIMEOUT, timeout * 2 ** this.#timeouts);
      window.timeOut(this.#timeouts > 0);
      this.#timeouts++;
    }
    // Where windows end within a segment, so that one more than fit into the flight may be lost, no more is left than was.
    const again = Math.min(flight, lost);
    this.#left += again - flight;
    this.#repairs = Math.max(0, this.#repairs - flight) + again;
  }

  #move(segments: number, duration: number): void {
    this.sent += segments;
    this.moving += duration;
  }
}
