// One line of the validation table: how far the network model is from what it is held against, and whether that is near
// enough. Lines without a pass mark publish where the model is known to differ from real networks. Not a benchmark: every
// figure is simulated, so a table is the same on every machine.

import { invariant } from "@atoll/core";

/** A comparison that has to hold. */
export interface MarkedRow {
  readonly kind: "marked";
  readonly test: string;
  /** Comparisons made. */
  readonly cases: number;
  /** The largest relative deviation, |got / expected − 1|, or what `test` says. */
  readonly worst: number;
  /** The largest deviation that passes; 0 means exact. */
  readonly mark: number;
}

/** What the model gives where it is not held to anything. */
export interface PublishedRow {
  readonly kind: "published";
  readonly test: string;
  readonly cases: number;
  readonly model: string;
  /** What is known of real networks, or of the formula that does not apply. */
  readonly reference: string;
}

export type Row = MarkedRow | PublishedRow;

/** How much is compared. */
export interface Extent {
  /** Worlds of more nodes are left out. */
  readonly maxNodes: number;
  /** Random cases of each kind. */
  readonly randomCases: number;
  /** Transfers that a distribution is estimated from. */
  readonly transfers: number;
}

export type Check = (extent: Extent) => readonly Row[] | Promise<readonly Row[]>;

export const FULL: Extent = { maxNodes: 1024, randomCases: 1000, transfers: 20_000 };

/** For the test suite: every line of the table from fewer cases. */
export const QUICK: Extent = { maxNodes: 32, randomCases: 100, transfers: 2000 };

/** A NaN fails. */
export function outcomeOf(row: Row): "pass" | "FAIL" | "published" {
  if (row.kind === "published") return "published";
  return row.worst <= row.mark ? "pass" : "FAIL";
}

/** Relative deviation; of two zeros none. */
export const deviation = (got: number, expected: number): number =>
  got === expected ? 0 : Math.abs(got / expected - 1);

/** Collects deviations of one kind. */
export class Deviations {
  #cases = 0;
  #worst = 0;

  /** Relative. */
  compare(got: number, expected: number): void {
    this.add(deviation(got, expected));
  }

  add(amount: number): void {
    this.#cases++;
    this.#worst = Math.max(this.#worst, amount);
  }

  row(test: string, mark: number): MarkedRow {
    invariant(this.#cases > 0, `${test}: no cases`);
    return { kind: "marked", test, cases: this.#cases, worst: this.#worst, mark };
  }
}

/** Below this a deviation is rounding, whose digits say nothing. */
const ROUNDING = 1e-9;

const percent = (fraction: number): string => `${Number((100 * fraction).toPrecision(2))} %`;

const errorText = (worst: number): string => {
  if (worst === 0) return "0";
  return worst < ROUNDING ? "rounding" : percent(worst);
};

const markText = (mark: number): string => {
  if (mark === 0) return "exact";
  return mark < 1e-3 ? `≤ ${mark.toExponential()}` : `≤ ${percent(mark)}`;
};

/** An aligned table, in which Markdown sees one as well. */
export function tableOf(rows: readonly Row[]): string {
  const cells = [
    ["test", "cases", "worst error, or what the model gives", "pass mark, or what is known", "outcome"],
    ...rows.map((row) => {
      const texts =
        row.kind === "published" ? [row.model, row.reference] : [errorText(row.worst), markText(row.mark)];
      return [row.test, row.cases.toLocaleString("en"), ...texts, outcomeOf(row)];
    }),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)));
  const lines = cells.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`);
  lines.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  return lines.join("\n");
}
