// The runs of a page: each with a name that no other has, for legends, tables, ids and the names of files.

import type { Run } from "../run.ts";
import { fileStem } from "./attachment.ts";

export interface ReportedRun extends Run {
  /** The run's name, told apart from others of the same name. */
  readonly label: string;
  /** Part of ids and file names; empty where the run is the page's only one. */
  readonly key: string;
}

export function reportedRuns(runs: readonly Run[]): readonly ReportedRun[] {
  const labels = distinct(
    runs.map(({ name }) => name),
    (name, count) => `${name} (${count})`,
  );
  const keys = distinct(
    runs.map(({ name }) => fileStem(name)),
    (stem, count) => `${stem}-${count}`,
  );
  return runs.map((run, i) => ({ ...run, label: labels[i]!, key: runs.length === 1 ? "" : keys[i]! }));
}

/** Each name as it is, or numbered where it was taken before. */
function distinct(
  names: readonly string[],
  numbered: (name: string, count: number) => string,
): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let count = 2; taken.has(free); count++) free = numbered(name, count);
    taken.add(free);
    return free;
  });
}

/** "time" for the only run of a page, "time-digits-ddp" for one of several. */
export const keyed = (name: string, { key }: Pick<ReportedRun, "key">): string =>
  key === "" ? name : `${name}-${key}`;

const LONGEST_LABEL = 44;

/** A label for a legend or the side of a figure: the middle of a long one is left out, since names differ at their ends. */
export function shortLabel(label: string, longest: number = LONGEST_LABEL): string {
  const points = [...label];
  if (points.length <= longest) return label;
  const head = Math.ceil((longest - 1) / 2);
  return `${points.slice(0, head).join("")}…${points.slice(points.length - (longest - 1 - head)).join("")}`;
}
