// Tries schedules out to choose between them: each is timed a few times on the links of the network, with chance of its own,
// so that the run's transfers draw what they would have drawn without. Capacities that change are taken at their means.

import { type Rank, type Seconds, seconds } from "@atoll/core";
import { FlowSimulation } from "./flows.ts";
import type { Path } from "./path.ts";
import { isUncontended, timeByRecurrence } from "./recurrence.ts";
import { type TransferFlow, timeByFlows } from "./replay.ts";
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
  /** Between the members of the last schedule only: groups that are drawn anew each round would leave ever more of them. */
  readonly #paths = new Map<string, Path>();
  #members = "";
  /** Used again by one trial after another: it knows all capacities of the network, of which a trial takes a few. */
  #simulation: FlowSimulation<TransferFlow> | undefined;

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  canTry({ ranks }: TransferSchedule): boolean {
    return ranks.length <= MOST_MEMBERS;
  }

  /** The mean time from when all members are ready until the last is done; the same whatever was tried before. */
  time(schedule: TransferSchedule): Seconds {
    this.#beginAmong(schedule.ranks);
    const isDirect = isUncontended(schedule, this.#path);
    const simulation = this.#simulation ?? new FlowSimulation(this.#options.capacities);
    // After an error something may be left in it.
    this.#simulation = undefined;
    let end = 0;
    for (let trial = 0; trial < TRIALS; trial++) {
      const ready = schedule.ranks.map(() => seconds(end));
      const times = isDirect
        ? timeByRecurrence(schedule, ready, this.#path)
        : timeByFlows(schedule, ready, this.#path, simulation);
      end = times.reduce((latest, time) => Math.max(latest, time), end);
    }
    this.#simulation = simulation;
    return seconds(end / TRIALS);
  }

  #beginAmong(ranks: readonly Rank[]): void {
    const members = ranks.join();
    if (members !== this.#members) this.#paths.clear();
    this.#members = members;
    for (const path of this.#paths.values()) path.restore(0);
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
