// Tells of what goes wrong without a node being lost: slow nodes, and links that are down. A crash is told by who meets it.
// Slowness is told once a step begins that it makes slow; outages once a node is between two steps or further.

import type { EventSink, Rank } from "@atoll/core";
import type { FaultSchedule } from "@atoll/network";
import { FaultReport } from "./report.ts";

/** What a checkpoint says of it. JSON. */
export interface NoticesSnapshot {
  /** By node: what began up to here has been told; -1 before all. */
  readonly slow: readonly number[];
  /** The next moment at which links may fail; null if there is none. */
  readonly next: number | null;
}

export class Notices {
  readonly #schedule: FaultSchedule;
  readonly #report: FaultReport;
  #slow: number[];
  #next: number;

  constructor(schedule: FaultSchedule, emit: EventSink, worldSize: number) {
    this.#schedule = schedule;
    this.#report = new FaultReport(emit, worldSize);
    this.#slow = new Array(worldSize).fill(-1);
    this.#next = schedule.hasOutages ? 0 : Number.POSITIVE_INFINITY;
  }

  /** A node begins a step. */
  stepBegins(rank: Rank, at: number): void {
    const told = this.#slow[rank]!;
    for (const slow of this.#schedule.slowness(rank, at)) {
      if (slow.slowdown === 1 || slow.from <= told) continue;
      this.#report.slow(rank, slow);
      this.#slow[rank] = Math.max(this.#slow[rank]!, at, slow.from);
    }
  }

  /** A node has come to a moment: outages that have begun by then are told. */
  cameTo(at: number): void {
    while (this.#next <= at) {
      for (const outage of this.#schedule.outagesFrom(this.#next)) this.#report.outage(outage);
      this.#next = this.#schedule.nextChange(this.#next);
    }
  }

  snapshot(): NoticesSnapshot {
    return { slow: [...this.#slow], next: Number.isFinite(this.#next) ? this.#next : null };
  }

  restore({ slow, next }: NoticesSnapshot): void {
    this.#slow = [...slow];
    this.#next = next ?? Number.POSITIVE_INFINITY;
  }
}
