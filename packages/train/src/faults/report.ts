// What a run says of its faults: one event for each, with a sentence.

import { type EventSink, formatBytes, formatSeconds, type Rank } from "@atoll/core";
import { type Downtime, listed } from "@atoll/network";

export class FaultReport {
  readonly #emit: EventSink;
  readonly #worldSize: number;
  /** Nodes that the last exchange went without. */
  #missing: readonly Rank[] = [];

  constructor(emit: EventSink, worldSize: number) {
    this.#emit = emit;
    this.#worldSize = worldSize;
  }

  get missing(): readonly Rank[] {
    return this.#missing;
  }

  restore(missing: readonly Rank[]): void {
    this.#missing = missing;
  }

  crashed(rank: Rank, downtime: Downtime, time: number): void {
    const until = downtime.until === Number.POSITIVE_INFINITY ? null : downtime.until;
    const message = `Node ${rank} crashed, and is down ${until === null ? "for good" : `until ${formatSeconds(until)}`}.`;
    this.#emit({ type: "fault", kind: "crash", time, ranks: [rank], message, until });
  }

  recovered(
    rank: Rank,
    { from, step, bytes }: { readonly from: Rank; readonly step: number; readonly bytes: number },
    time: number,
  ): void {
    const message = `Node ${rank} goes on from step ${step} with the state of node ${from} (${formatBytes(bytes)}).`;
    this.#emit({ type: "fault", kind: "recovered", time, ranks: [rank], message });
  }

  /** An exchange begins; told where others take part than in the one before. */
  begun(participants: readonly Rank[], step: number, time: number): void {
    const worldSize = this.#worldSize;
    const missing = Array.from({ length: worldSize }, (_, rank) => rank).filter(
      (rank) => !participants.includes(rank),
    );
    if (missing.join() === this.#missing.join()) return;
    this.#missing = missing;
    const message =
      missing.length === 0
        ? `All ${worldSize} nodes exchange again after step ${step}.`
        : `${participants.length} of ${worldSize} nodes exchange after step ${step}, without ${listed("node", missing)}.`;
    this.#emit({ type: "fault", kind: "goneOn", time, ranks: missing, message });
  }
}
