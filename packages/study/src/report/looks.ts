// How the lines of several runs look: few have a look each; many share one by a setting that divides them into a handful of
// groups; and where no setting does, the best have looks and the others are grey.

import { ascending } from "d3-array";
import { formatCount } from "../format.ts";
import { finalEvaluation } from "../run.ts";
import { compareConfigs } from "./configRows.ts";
import { contenderKind } from "./figure/contenders.ts";
import type { LegendEntry } from "./figure/legend.ts";
import type { SeriesKind } from "./figure/linePanel.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";

export interface Looks {
  /** One a run. */
  readonly kinds: readonly SeriesKind[];
  readonly legend: readonly LegendEntry[];
  /** A sentence on what a colour stands for, where it is not one run. */
  readonly note: string | null;
}

/** Runs that have a look each. */
const MOST_LOOKS = 12;
/** Runs that stand out where no setting divides all. */
const BEST = 6;
/** Groups that are told apart by colour alone. */
const MOST_GROUPS = 7;
/** Settings by which people divide runs, before any other. */
const PREFERRED = ["strategy.kind", "strategy", "network.profile", "network.topology", "nodes", "model"];

export function looksOf(runs: readonly ReportedRun[]): Looks {
  if (runs.length <= MOST_LOOKS) return own(runs);
  return grouped(runs) ?? bestOf(runs);
}

const entry = (series: SeriesKind, label: string): LegendEntry => ({ mark: { kind: "line", series }, label });

function own(runs: readonly ReportedRun[]): Looks {
  const kinds = runs.map((_, i) => contenderKind(i));
  return { kinds, legend: runs.map(({ label }, i) => entry(kinds[i]!, shortLabel(label))), note: null };
}

function grouped(runs: readonly ReportedRun[]): Looks | null {
  const settings = compareConfigs(runs.map(({ config }) => config)).differing.flatMap(({ path, values }) => {
    const different = [...new Set(values)];
    const divides = different.length >= 2 && different.length <= MOST_GROUPS;
    return divides ? [{ path, values, different }] : [];
  });
  const rank = ({ path }: { readonly path: string }): number =>
    PREFERRED.includes(path) ? PREFERRED.indexOf(path) : PREFERRED.length;
  const [best] = settings.sort((a, b) => ascending(rank(a), rank(b)));
  if (best === undefined) return null;
  const { path, values, different } = best;
  const kinds = values.map((value) => contenderKind(different.indexOf(value)));
  const legend = different.map((value, i) => {
    const count = values.filter((other) => other === value).length;
    const text = value === null ? `without ${path}` : `${path}=${shortLabel(value, 24)}`;
    return entry(contenderKind(i), `${text} (${formatCount(count)} ${count === 1 ? "run" : "runs"})`);
  });
  return { kinds, legend, note: `Runs with the same ${path} look alike; point at a line for its run. ` };
}

function bestOf(runs: readonly ReportedRun[]): Looks {
  const losses = runs.map((run, i) => ({ i, loss: lastLoss(run) }));
  const best = losses
    .filter(({ loss }) => Number.isFinite(loss))
    .sort((a, b) => ascending(a.loss, b.loss))
    .slice(0, BEST)
    .map(({ i }) => i);
  const kinds = runs.map((_, i): SeriesKind => (best.includes(i) ? contenderKind(best.indexOf(i)) : "other"));
  const left = runs.length - best.length;
  return {
    kinds,
    legend: [
      ...best.map((i) => entry(kinds[i]!, shortLabel(runs[i]!.label))),
      entry("other", `and ${formatCount(left)} more`),
    ],
    note: `The ${best.length} runs with the lowest loss have colours; point at a line for its run. `,
  };
}

const lastLoss = (run: ReportedRun): number =>
  finalEvaluation(run)?.loss.global ?? run.steps.loss.at(-1) ?? Number.NaN;
