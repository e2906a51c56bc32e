// The ramp-up of a TCP connection: it sends 10 segments in its first round trip and twice as many in each following one,
// until the window fills the path (rate · round trip). A connection is opened by its first transfer, which costs a round
// trip, and stays open; after an idle time longer than the retransmission timeout it begins with the first window again.
// Sources: RFC 6928 (initial window), RFC 5681, 3.1 and 4.1 (slow start, restart after idle).
// What is sent while the window grows is not held up by other flows: it takes time but no bandwidth of theirs.

import { INITIAL_WINDOW as INITIAL_SEGMENTS } from "./congestionWindow.ts";
import type { Drawn } from "./draws.ts";
import { SEGMENT_SIZE } from "./tcp.ts";

/** Bytes of the window, 0 before the connection is opened, and since when it is idle, in seconds. */
export type ConnectionState = readonly [window: number, idleSince: number];

const INITIAL_WINDOW = INITIAL_SEGMENTS * SEGMENT_SIZE;

/** Linux's least retransmission timeout, in seconds, added to the round trip. */
const LEAST_TIMEOUT = 0.2;

/** All flows between two nodes taken together. */
export class Connection {
  readonly #roundTrip: number;
  readonly #rate: number;
  readonly #initial: number;
  #window = 0;
  #idleSince = 0;

  /** @param rate bytes per second that the path carries once the window fills it */
  constructor(roundTrip: number, rate: number, flows: number) {
    this.#roundTrip = roundTrip;
    this.#rate = rate;
    this.#initial = flows * INITIAL_WINDOW;
  }

  get state(): ConnectionState {
    return [this.#window, this.#idleSince];
  }

  /** What is missing is as in a connection that has not been opened. */
  set state([window = 0, idleSince = 0]: readonly number[]) {
    this.#window = window;
    this.#idleSince = idleSince;
  }

  set idleSince(time: number) {
    this.#idleSince = time;
  }

  /** What is left of a transfer when the window has grown as far as it has to, and how much later that is. */
  transfer({ delay, size, limit }: Drawn, at: number): Drawn {
    const roundTrip = this.#roundTrip;
    const pipe = this.#rate * roundTrip;
    let window = this.#window;
    let later = 0;
    if (window === 0) later = roundTrip;
    if (window === 0 || at - this.#idleSince > roundTrip + LEAST_TIMEOUT) window = this.#initial;
    let left = size;
    while (left > window && window < pipe) {
      left -= window;
      later += roundTrip;
      window = Math.min(2 * window, pipe);
    }
    // The acknowledgements of the last flight let the window grow by as much as was in it.
    this.#window = Math.max(this.#initial, Math.min(window + Math.min(left, window), pipe));
    this.#idleSince = at + delay + later + left / this.#rate;
    return { delay: delay + later, size: left, limit };
  }
}
