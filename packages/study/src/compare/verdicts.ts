// Which contender wins where, and why.

import { formatBytes, formatSeconds } from "@atoll/core";
import { formatFactor, formatLoss, formatPercent } from "../format.ts";
import type { Bound, CellResult, Comparison } from "./comparison.ts";
import { ratioOf } from "./interval.ts";
import { type Role, rolesOf } from "./roles.ts";

/** A cell in its role. */
export type Entrant = CellResult & Role;

export interface Place {
  /** "network.profile=wan nodes=4"; "everywhere" where the cells do not differ in that. */
  readonly label: string;
  readonly cells: readonly Entrant[];
}

export interface Verdict {
  readonly place: string;
  /** The contender that comes to the target first; null where none does, or there is but one. */
  readonly winner: string | null;
  /** The one that comes to it for the least money. */
  readonly cheapest: string | null;
  /** In sentences. */
  readonly text: string;
}

/** The cells by place, in their order. */
export function placesOf(cells: readonly CellResult[]): readonly Place[] {
  const roles = rolesOf(cells);
  const entrants = cells.map((cell, i): Entrant => ({ ...cell, ...roles[i]! }));
  return [...Map.groupBy(entrants, ({ place }) => place)].map(([label, inside]) => ({
    label,
    cells: inside,
  }));
}

export function verdictsOf(comparison: Comparison): readonly Verdict[] {
  return placesOf(comparison.cells).map((place) => verdictOf(place, comparison));
}

type Kind = "seconds" | "dollars";

/** Those that came to the target in all their runs, the best first. */
const ranked = (cells: readonly Entrant[], kind: Kind): readonly Entrant[] =>
  cells
    .filter(({ toTarget, runs }) => runs.length > 0 && toTarget?.reached === runs.length)
    .toSorted((a, b) => a.toTarget![kind]!.mean - b.toTarget![kind]!.mean);

/** Nodes that never spoke to each other compete with nobody. */
function verdictOf(place: Place, comparison: Comparison): Verdict {
  const { label, cells } = place;
  const silent = cells.filter(({ isSilent }) => isSilent).map(({ contender }) => contender);
  if (silent.length === 0) return verdictOfHeard(place, comparison);
  if (silent.length === cells.length)
    return {
      place: label,
      winner: null,
      cheapest: null,
      text: "No node heard of another in any of the runs: each trained by itself, so there is nothing to win.",
    };
  const heard = { label, cells: cells.filter(({ isSilent }) => !isSilent) };
  const verdict = verdictOfHeard(heard, comparison);
  const who = silent.length === 1 ? "is no contender: its" : "are no contenders: their";
  return {
    ...verdict,
    text: `${verdict.text} ${silent.join(" and ")} ${who} nodes heard nothing of each other, and each trained by itself.`,
  };
}

function verdictOfHeard({ label, cells }: Place, { target }: Comparison): Verdict {
  const order = ranked(cells, "seconds");
  const [first, second] = order;
  const loss = target === null ? "" : `loss ${formatLoss(target.loss)}`;
  if (first === undefined)
    return { place: label, winner: null, cheapest: null, text: `No run comes to ${loss || "a loss"}.` };
  const cheapest = ranked(cells, "dollars")[0]!.contender;
  const seconds = first.toTarget!.seconds!.mean;
  const opening = `${first.contender} comes to ${loss} in ${formatSeconds(seconds)}`;
  const others = cells.filter((cell) => !order.includes(cell)).map(({ contender }) => contender);
  const missed =
    others.length === 0
      ? ""
      : ` ${others.join(" and ")} ${others.length === 1 ? "does" : "do"} not come there in every run.`;
  if (second === undefined)
    return {
      place: label,
      winner: first.contender,
      cheapest,
      text: `${opening}; it is ${boundText(first)}.${missed}`,
    };
  return {
    place: label,
    winner: first.contender,
    cheapest,
    text: `${opening}, ${against(first, second)}. ${reasonOf(first, second)}${missed}`,
  };
}

/** "5.2 times as fast as strategy=ddp (62 s)", and whether the repeats can tell. */
function against(first: Entrant, second: Entrant): string {
  const mine = first.toTarget!.seconds!;
  const other = second.toTarget!.seconds!;
  const rival = `${second.contender} (${formatSeconds(other.mean)})`;
  if (other.mean === mine.mean) return `as soon as ${rival}`;
  return `${formatFactor(other.mean / mine.mean)} times as fast as ${rival}; ${certaintyOf(first, second)}`;
}

/** Runs of one seed have the same data, weights and links, so it is by seeds that two contenders are compared. */
function certaintyOf(first: Entrant, second: Entrant): string {
  const mine = new Map(first.toTarget!.bySeed.map(({ seed, seconds }) => [seed, seconds]));
  const pairs = second.toTarget!.bySeed.flatMap(({ seed, seconds }) => {
    const to = mine.get(seed);
    return to === undefined ? [] : [{ of: seconds, to }];
  });
  const ratio = ratioOf(pairs);
  if (ratio === null || ratio.low === null || ratio.high === null)
    return "one run of each says nothing of chance";
  const [low, high] = [ratio.low, ratio.high].map(formatFactor);
  const doubt = ratio.low > 1 ? "" : ", so this may be chance";
  return `seed by seed between ${low} and ${high} times (95 %)${doubt}`;
}

function reasonOf(first: CellResult, second: CellResult): string {
  const bytes = `By then it has sent ${sentText(first)}, the other ${sentText(second)}`;
  return `${bytes}; it is ${boundText(first)}, the other ${boundText(second)}.`;
}

/** Nodes may come to the target before their first exchange. */
function sentText({ toTarget, runs }: CellResult): string {
  const { mean } = toTarget!.bytes!;
  return mean === 0 && runs[0]!.costs.nodes > 1
    ? "nothing yet (each node trained by itself)"
    : formatBytes(mean);
}

const words: Readonly<Record<Bound, string>> = {
  compute: "bound by compute",
  latency: "bound by latency",
  bandwidth: "bound by bandwidth",
  communication: "bound by communication",
};

function boundText({ bound, computeShare }: CellResult): string {
  if (bound === null || computeShare === null) return "bound by nothing that took time";
  return `${words[bound]} (${formatPercent(computeShare, 1)} of the time computing)`;
}
