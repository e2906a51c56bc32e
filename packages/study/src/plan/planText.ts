// A plan as plain text for a terminal: aligned, at most 80 columns wide. And the words that its page shares with it.

import { formatBytes, formatSeconds } from "@atoll/core";
import { formatCount, formatPercent } from "../format.ts";
import type { Plan, PlanOptions, RequiredBandwidth } from "./plan.ts";

/** A plan with what it was made for. */
export interface PlanRecord {
  readonly strategy: string;
  readonly options: PlanOptions;
  readonly plan: Plan;
  /** Where it runs, in words. */
  readonly network: string;
  /** What was assumed, and what is not in the plan; sentences. */
  readonly notes: readonly string[];
}

const NAME = 20;
const CELL = 17;
const WIDTH = 80;

/** "13.6 Gbit/s", "285 Mbit/s". */
export function formatBitRate(gbitPerSecond: number): string {
  const units = [
    [1e3, "Tbit/s"],
    [1, "Gbit/s"],
    [1e-3, "Mbit/s"],
    [1e-6, "kbit/s"],
  ] as const;
  const [factor, unit] = units.find(([least]) => gbitPerSecond >= least) ?? units.at(-1)!;
  return `${Number((gbitPerSecond / factor).toPrecision(3))} ${unit}`;
}

/** What stands in place of a bandwidth, and what TCP makes of it. */
export const formatRequired = ({ gbitPerSecond }: RequiredBandwidth): string =>
  gbitPerSecond === null ? "none: latency alone" : formatBitRate(gbitPerSecond);

/** Said where a single flow of TCP does not come to the bandwidth of the link. */
export const formatTcpLimit = ({ utilization, utilizationWithTcp }: RequiredBandwidth): string =>
  utilizationWithTcp === null || utilizationWithTcp > utilization - 1e-3
    ? ""
    : `TCP as set: ${formatPercent(utilizationWithTcp, 1)}`;

/** The heading of a plan: "diloco, 2 nodes, 1,000,000,000 parameters in 24 layers, 100 ms a step". */
export function describePlan({ strategy, options }: PlanRecord): string {
  const { nodes, parameters, layers, stepSeconds } = options;
  const count = (value: number, one: string): string =>
    `${formatCount(value)} ${one}${value === 1 ? "" : "s"}`;
  return `${strategy}, ${count(nodes, "node")}, ${count(parameters, "parameter")} in ${count(layers, "layer")}, ${formatSeconds(stepSeconds)} a step`;
}

export function planText(record: PlanRecord): string {
  const { plan, options } = record;
  const lines = [
    describePlan(record),
    ...(options.nodes === 1 ? [] : wrap(record.network)),
    "",
    row("compute utilisation", formatPercent(plan.utilization)),
    row("time of a step", formatSeconds(plan.secondsPerStep)),
    row(`${formatCount(options.maxSteps)} steps`, formatSeconds(plan.totalSeconds)),
    row("a node sends", `${formatBytes(plan.bytesPerStep)} a step`, `${formatBytes(plan.totalBytes)} in all`),
    ...exchangeLines(plan),
    "",
    options.nodes === 1
      ? "One node alone sends nothing and needs no network."
      : "Bandwidth of every link, each way, for a utilisation of",
    ...(options.nodes === 1 ? [] : plan.requiredBandwidth.map(requiredLine)),
    ...record.notes.flatMap((note) => ["", ...wrap(note)]),
  ];
  return `${lines.join("\n")}\n`;
}

const row = (name: string, ...cells: readonly string[]): string =>
  (name.padEnd(NAME) + cells.map((cell) => cell.padEnd(CELL)).join("")).trimEnd();

function exchangeLines({ exchanges }: Plan): readonly string[] {
  if (exchanges.length === 0) return [];
  const rows = groupAlike(exchanges).map(
    ({ operation, everySteps, bytesPerNode, seconds, times, untilStep }) => {
      const each = everySteps === 1 ? "every step" : `every ${formatCount(everySteps)} steps`;
      const when = untilStep === undefined ? each : `until step ${formatCount(untilStep)}`;
      return row(
        times === 1 ? operation : `${operation} × ${times}`,
        when,
        formatBytes(bytesPerNode),
        formatSeconds(seconds),
      );
    },
  );
  return ["", row("exchange", "when", "a node sends", "takes"), ...rows];
}

export type ExchangeRow = Plan["exchanges"][number] & { readonly times: number };

/** Fragments of one size are one row. */
export function groupAlike(exchanges: Plan["exchanges"]): readonly ExchangeRow[] {
  const rows = new Map<string, ExchangeRow>();
  for (const exchange of exchanges) {
    const key = JSON.stringify(exchange);
    rows.set(key, { ...exchange, times: (rows.get(key)?.times ?? 0) + 1 });
  }
  return [...rows.values()];
}

function requiredLine(required: RequiredBandwidth): string {
  return row(
    `  ${formatPercent(required.utilization, 0)}`,
    formatRequired(required),
    formatTcpLimit(required),
  );
}

function wrap(text: string): readonly string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}
