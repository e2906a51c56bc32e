// Counts what goes wrong while a run makes no progress: faults that come faster than it goes on would keep it going for ever.

import { formatSeconds, RunError } from "@atoll/core";

/** Faults without any progress, by node, after which a run is given up. */
const FUTILE_FAULTS = 40;
/** The same of changes of links: many may come and go in the time that a single exchange takes. */
const FUTILE_CHANGES = 1000;

export class Futility {
  readonly #worldSize: number;
  #step = -1;
  #losses = 0;
  #brokenOff = 0;
  /** Of all members in exchanges that broke off. */
  #parts = 0;
  #changes = 0;

  constructor(worldSize: number) {
    this.#worldSize = worldSize;
  }

  /** So many steps are done: what went wrong before that is forgotten if they are more than ever. */
  progress(step: number): void {
    if (step <= this.#step) return;
    this.#step = step;
    this.#losses = this.#brokenOff = this.#parts = this.#changes = 0;
  }

  /** A node crashed or was left behind. @throws RunError if that has been too often */
  lost(at: number): void {
    this.#losses++;
    this.#check(at);
  }

  /** An exchange broke off for all its members. @throws RunError if that has been too often */
  brokeOff(members: number, at: number): void {
    this.#brokenOff++;
    this.#parts += members;
    this.#check(at);
  }

  /** Links came or went while nodes waited for each other. @throws RunError if that has been too often */
  linksChanged(at: number): void {
    this.#changes++;
    this.#check(at);
  }

  #check(at: number): void {
    const size = this.#worldSize + 5;
    if (this.#losses + this.#parts <= FUTILE_FAULTS * size && this.#changes <= FUTILE_CHANGES * size) return;
    const times = (what: string, count: number): string => (count > 0 ? `, ${what} ${count} times` : "");
    throw new RunError(
      `The run cannot go on: nodes were lost ${this.#losses} times` +
        times("exchanges broke off", this.#brokenOff) +
        times("links came or went", this.#changes) +
        ` since step ${Math.max(0, this.#step)} was done, by ${formatSeconds(at)}. ` +
        "Let faults be rarer, save more often (checkpointInterval), or choose another faults.whenMissing.",
    );
  }
}
