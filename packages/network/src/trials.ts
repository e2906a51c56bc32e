// Tries schedules out to choose between them: each is timed a few times on the links of the network, with chance of its own,
// so that the run's transfers draw what they would have drawn without. Capacities that change are taken at their means.

import { type Rank, type Seconds, seconds } from "@atoll/core";
import { FlowSimulation } from "./flows.ts";
import type { Path } from "./path.ts";
import { isUncontended, timeByRecurrence } from "./recurrence.ts";
import { timeByFlows } from "./replay.ts";
import type { TransferSchedule } from "./schedule.ts";

/** Among more members a trial would cost more than it saves. */
const MOST_MEMBERS = 32;
/** Chance in one alone may mislead. */
const TRIALS = 6;

export interface TrialOptions {
  /** A path whose chance is not that of the run's. */
  readonly createPath: (source: Rank, target: Rank) => Path;
  /** Bytes per second by resource number; may grow. */
  readonly capacities: readonly number[];
}

export class Trials {
  readonly #options: TrialOptions;
  readonly #paths = new Map<string, Path>();

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  canTry({ ranks }: TransferSchedule): boolean {
    return ranks.length <= MOST_MEMBERS;
  }

  /** The mean time from when all members are ready until the last is done; the same whatever was tried before. */
  time(schedule: TransferSchedule): Seconds {
    for (const path of this.#paths.values()) path.restore(0);
    const isDirect = isUncontended(schedule, this.#path);
    let end = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const ready = schedule.ranks.map(() => seconds(end));
      const times = isDirect
        ? timeByRecurrence(schedule, ready, this.#path)
        : timeByFlows(schedule, ready, this.#path, new FlowSimulation(this.#options.capacities));
      end = times.reduce((latest, time) => Math.max(latest, time), end);
    }
    return seconds(end / TRIALS);
  }

  readonly #path = (source: Rank, target: Rank): Path => {
    const name = `${source} ${target}`;
    let path = this.#paths.get(name);
    if (path === undefined) {
      path = this.#options.createPath(source, target);
      this.#paths.set(name, path);
    }
    return path;
  };
}
