// The time that training takes if every layer's exchange begins when that layer's backward pass ends, and its next forward
// pass waits for the result: a longest path through the graph of all layers' passes and exchanges. One node stands for all:
// nodes are alike and never wait for a slower one. It knows no strategy and no network, only durations.
// Source: the simulator of compute utilisation in Douillard et al., "Streaming DiLoCo with overlapping communication"
// (arXiv 2501.18512). Equations, for step t, layer l of L (0 is the first), with step time s:
//
//   forward(t, l)  = max(forward(t, l−1), latest arrival that layer l of step t waits for) + s/3L
//   backward(t, l) = backward(t, l+1) + 2s/3L
//   sent           = max(backward(t, l), when the exchange before was sent) + the time that its bytes take
//   arrival        = sent + latency
//
// An exchange begun in step t is waited for by the same layer in step t + 1 + delay. Exchanges of a node follow one another
// in the order in which they begin, each on the heels of the other, or, `serial`, when the other has arrived. With one layer
// this is a program whose steps yield all gradients at once.

/** Part of a step that the forward pass takes: the backward pass has twice its FLOPs. */
const FORWARD = 1 / 3;

/** What one layer sends when its backward pass ends. */
export interface TimedPart {
  readonly layer: number;
  /** Seconds that its bytes take up the network. */
  readonly seconds: number;
  /** Seconds from the last byte that was sent to the result. */
  readonly latencySeconds: number;
}

export interface TimedExchange {
  /** It begins in the steps t ≥ 1 with t ≡ `offset` (mod `every`), from `from` to `until`. */
  readonly every: number;
  readonly offset: number;
  readonly from: number;
  readonly until: number;
  /** Further steps that a layer may do before it waits. */
  readonly delay: number;
  /** From the last layer to the first. */
  readonly parts: readonly TimedPart[];
}

export interface Timeline {
  readonly stepSeconds: number;
  readonly layers: number;
  /** Whether an exchange begins only when the one before has arrived. */
  readonly serial: boolean;
  readonly exchanges: readonly TimedExchange[];
}

/** The first step after `step` in which an exchange begins; Infinity if there is none. */
export function nextBeginning({ every, offset, from, until }: TimedExchange, step: number): number {
  const least = Math.max(step + 1, from, 1);
  const next = least + ((((offset - least) % every) + every) % every);
  return next <= until ? next : Number.POSITIVE_INFINITY;
}

/**
 * Seconds after which so many steps are done and what the next step waits for has arrived.
 * @param marks numbers of steps, ascending
 */
export function timesAfter(timeline: Timeline, marks: readonly number[]): readonly number[] {
  const course = new Course(timeline);
  return marks.map((mark) => course.advanceTo(mark));
}

class Course {
  readonly #timeline: Timeline;
  #step = 0;
  #now = 0;
  #networkFree = 0;
  /** By the step that waits: when what each layer waits for arrives. */
  readonly #arrivals = new Map<number, Float64Array>();

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  advanceTo(mark: number): number {
    const { exchanges, stepSeconds } = this.#timeline;
    while (this.#step < mark) {
      const starts = exchanges.map((exchange) => nextBeginning(exchange, this.#step));
      const next = Math.min(mark, ...starts, ...this.#arrivals.keys());
      // Nothing happens in the steps between.
      this.#now += (next - 1 - this.#step) * stepSeconds;
      this.#forward(next);
      this.#backward(
        next,
        exchanges.filter((_, i) => starts[i] === next),
      );
      this.#step = next;
    }
    const awaited = this.#arrivals.get(mark + 1);
    return awaited === undefined ? this.#now : Math.max(this.#now, ...awaited);
  }

  #forward(step: number): void {
    const { stepSeconds, layers } = this.#timeline;
    const arrivals = this.#arrivals.get(step);
    if (arrivals === undefined) {
      this.#now += FORWARD * stepSeconds;
      return;
    }
    for (const arrival of arrivals)
      this.#now = Math.max(this.#now, arrival) + (FORWARD * stepSeconds) / layers;
    this.#arrivals.delete(step);
  }

  #backward(step: number, begun: readonly TimedExchange[]): void {
    const { stepSeconds, layers, serial } = this.#timeline;
    const start = this.#now;
    const duration = (1 - FORWARD) * stepSeconds;
    this.#now += duration;
    const places = begun.map(() => 0);
    if (begun.length === 0) return;
    for (let layer = layers - 1; layer >= 0; layer--) {
      const ready = start + (duration * (layers - layer)) / layers;
      for (const [i, { parts, delay }] of begun.entries()) {
        const part = parts[places[i]!];
        if (part?.layer !== layer) continue;
        places[i]!++;
        const sent = Math.max(ready, this.#networkFree) + part.seconds;
        const arrival = sent + part.latencySeconds;
        this.#networkFree = serial ? arrival : sent;
        const arrivals = this.#arrivalsOf(step + 1 + delay);
        arrivals[layer] = Math.max(arrivals[layer]!, arrival);
      }
    }
  }

  #arrivalsOf(step: number): Float64Array {
    const present = this.#arrivals.get(step) ?? new Float64Array(this.#timeline.layers);
    this.#arrivals.set(step, present);
    return present;
  }
}
