// What a run says of its faults: one event for each, with a sentence.

import { type EventSink, formatBytes, formatSeconds, type Rank } from "@atoll/core";
import { type Downtime, type LinkOutage, listed, type Slowness } from "@atoll/network";

const orNull = (until: number): number | null => (until === Number.POSITIVE_INFINITY ? null : until);
const untilWhen = (until: number): string =>
  until === Number.POSITIVE_INFINITY ? "for good" : `until ${formatSeconds(until)}`;

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
    const message = `Node ${rank} crashed, and is down ${untilWhen(downtime.until)}.`;
    this.#emit({ type: "fault", kind: "crash", time, ranks: [rank], message, until: orNull(downtime.until) });
  }

  recovered(
    rank: Rank,
    { from, step, bytes }: { readonly from: Rank; readonly step: number; readonly bytes: number },
    time: number,
  ): void {
    const message = `Node ${rank} goes on from step ${step} with the state of node ${from} (${formatBytes(bytes)}).`;
    this.#emit({ type: "fault", kind: "recovered", time, ranks: [rank], message });
  }

  slow(rank: Rank, { slowdown, from, until }: Slowness): void {
    const message = `Node ${rank} is slow ${untilWhen(until)}: steps take ${Number(slowdown.toPrecision(3))} times as long.`;
    this.#emit({
      type: "fault",
      kind: "straggler",
      time: from,
      ranks: [rank],
      message,
      until: orNull(until),
    });
  }

  outage(outage: LinkOutage): void {
    const { from, until } = outage;
    const message = `${describeOutage(outage)} ${untilWhen(until)}.`;
    const ranks = cutOff(outage);
    this.#emit({ type: "fault", kind: "outage", time: from, ranks, message, until: orNull(until) });
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

/** A group that is no smaller than any other is not cut off: the others are. */
function cutOff(outage: LinkOutage): readonly Rank[] {
  switch (outage.kind) {
    case "link":
      return outage.nodes;
    case "node":
      return [outage.node];
    case "split": {
      const { groups } = outage;
      const largest = groups.reduce((most, group) => (group.length > most.length ? group : most));
      return groups.filter((group) => group !== largest).flat();
    }
    default:
      return outage satisfies never;
  }
}

function describeOutage(outage: LinkOutage): string {
  switch (outage.kind) {
    case "link":
      return `The link between nodes ${outage.nodes.join(" and ")} is down`;
    case "node":
      return `Node ${outage.node} has lost its links, and has none`;
    case "split":
      return `The network falls apart into ${outage.groups.map((group) => listed("node", group)).join(" | ")}`;
    default:
      return outage satisfies never;
  }
}
