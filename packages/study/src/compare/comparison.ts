// A comparison of runs: each cell of a matrix of options with its losses, times, bytes and dollars over its repeats, what
// bounds it, and which contender wins where. It starts no run and draws nothing.

import { dollarsOf, type Prices } from "../prices.ts";
import { amountOf, type Interval, intervalOf } from "./interval.ts";
import { bestLoss, type RunFacts, reaching } from "./runFacts.ts";

/** What is compared: runs that differ in nothing but their seeds. */
export interface Cell {
  /** "strategy=ddp network.profile=wan". */
  readonly label: string;
  /** Options that differ between cells, by name. */
  readonly varied: Readonly<Record<string, string>>;
  /** Those that came to their end. */
  readonly runs: readonly RunFacts[];
  /** Why others did not. */
  readonly failures: readonly string[];
  /** The part of the time beyond computing that would go away without latency; null where nobody has tried. */
  readonly latencyShare: number | null;
}

/** What keeps a run from being faster. */
export type Bound = "compute" | "latency" | "bandwidth" | "communication";

/** Over the runs that reached the target. */
export interface ToTarget {
  readonly reached: number;
  /** When each of them reached it. */
  readonly bySeed: readonly { readonly seed: number; readonly seconds: number }[];
  readonly steps: Interval | null;
  readonly seconds: Interval | null;
  readonly bytes: Interval | null;
  readonly dollars: Interval | null;
}

export interface CellResult extends Cell {
  /** Final losses and accuracies; null where no run came to its end, or the model has no accuracy. */
  readonly loss: Interval | null;
  readonly accuracy: Interval | null;
  /** Of whole runs. */
  readonly seconds: Interval | null;
  readonly bytes: Interval | null;
  readonly dollars: Interval | null;
  /** Part of the nodes' time in which they compute; null for no run. */
  readonly computeShare: number | null;
  /** "communication" where it is not known whether latency or bandwidth; null for no run. */
  readonly bound: Bound | null;
  readonly toTarget: ToTarget | null;
  /** Several nodes none of which sent anything: each trained by itself, which is no distributed training to win with. */
  readonly isSilent: boolean;
}

export interface Target {
  readonly loss: number;
  /** Whether it was asked for; otherwise it is the lowest loss that every run comes to, but for those of silent cells. */
  readonly given: boolean;
}

export interface Comparison {
  readonly target: Target | null;
  readonly prices: Prices;
  readonly cells: readonly CellResult[];
}

export interface CompareOptions {
  readonly prices: Prices;
  readonly targetLoss?: number | undefined;
}

export function compareCells(cells: readonly Cell[], { prices, targetLoss }: CompareOptions): Comparison {
  const target = targetOf(cells, targetLoss);
  return { target, prices, cells: cells.map((cell) => resultOf(cell, target, prices)) };
}

/**
 * A loss that only some come to compares nothing: by default it is one that all do, but for those that diverged at once, and
 * for silent ones where others are not.
 */
function targetOf(cells: readonly Cell[], given: number | undefined): Target | null {
  if (given !== undefined) return { loss: given, given: true };
  const heard = cells.filter((cell) => !isSilent(cell));
  const hasLoss = heard.some(({ runs }) => runs.length > 0);
  const bests = (hasLoss ? heard : cells).flatMap(({ runs }) => runs.map(bestLoss)).filter(Number.isFinite);
  return bests.length === 0 ? null : { loss: Math.max(...bests), given: false };
}

function resultOf(cell: Cell, target: Target | null, prices: Prices): CellResult {
  const { runs } = cell;
  const accuracies = runs.map(({ accuracy }) => accuracy).filter((accuracy) => accuracy !== null);
  const computeShare = computeShareOf(runs);
  return {
    ...cell,
    loss: lossOf(runs.map(({ loss }) => loss)),
    accuracy: intervalOf(accuracies, { least: 0, most: 1 }),
    seconds: amountOf(runs.map(({ costs }) => costs.simulatedSeconds)),
    bytes: amountOf(runs.map(({ costs }) => costs.totalBytes)),
    dollars: amountOf(
      runs.map(({ costs: { nodes, simulatedSeconds, totalBytes } }) =>
        dollarsOf({ nodes, seconds: simulatedSeconds, bytes: totalBytes }, prices),
      ),
    ),
    computeShare,
    bound: computeShare === null ? null : boundOf(computeShare, cell.latencyShare),
    toTarget: target && toTarget(runs, target.loss, prices),
    isSilent: isSilent(cell),
  };
}

/**
 * A strategy whose rounds, or messages, take longer than the run is quick and cheap, and none: its nodes train by themselves.
 */
const isSilent = ({ runs }: Cell): boolean =>
  runs.length > 0 && runs.every(({ costs, heard }) => costs.nodes > 1 && !heard);

/** A cross-entropy is never below zero; a loss that is so once has no bound that is known. */
const lossOf = (losses: readonly number[]): Interval | null =>
  intervalOf(losses, losses.some((loss) => loss < 0) ? {} : { least: 0 });

function computeShareOf(runs: readonly RunFacts[]): number | null {
  const compute = runs.reduce((sum, { costs }) => sum + costs.computeSeconds, 0);
  const total = runs.reduce(
    (sum, { costs }) => sum + costs.computeSeconds + costs.communicationSeconds + costs.waitingSeconds,
    0,
  );
  return total > 0 ? compute / total : null;
}

/** Half of the time decides: of all of it for computing, of the rest for latency. */
function boundOf(computeShare: number, latencyShare: number | null): Bound {
  if (computeShare >= 0.5) return "compute";
  if (latencyShare === null) return "communication";
  return latencyShare >= 0.5 ? "latency" : "bandwidth";
}

function toTarget(runs: readonly RunFacts[], loss: number, prices: Prices): ToTarget {
  const reached = runs.flatMap((run) => {
    const point = reaching(run, loss);
    return point === undefined ? [] : [{ ...point, seed: run.seed, nodes: run.costs.nodes }];
  });
  return {
    reached: reached.length,
    bySeed: reached.map(({ seed, time }) => ({ seed, seconds: time })),
    steps: amountOf(reached.map(({ step }) => step)),
    seconds: amountOf(reached.map(({ time }) => time)),
    bytes: amountOf(reached.map(({ bytes }) => bytes)),
    dollars: amountOf(
      reached.map(({ nodes, time, bytes }) => dollarsOf({ nodes, seconds: time, bytes }, prices)),
    ),
  };
}
