// How much the network carried when: heat-maps of the nodes' NICs and of the busiest links over time, and these links by name.

import { formatBytes, formatSeconds } from "@atoll/core";
import { max, mean, sum } from "d3-array";
import { formatCount, formatPercent, formatRate } from "../format.ts";
import { type LinkUse, type NetworkUse, networkUse } from "../linkUse.ts";
import { timeName } from "../run.ts";
import { figure } from "./figure/figure.ts";
import { HEAT_COLUMNS, type HeatRow, heatLegend, heatMap, roundAbove } from "./figure/heatMap.ts";
import type { Content, Markup } from "./html.ts";
import { keyed, type ReportedRun } from "./reportedRun.ts";
import { runByRun, section } from "./section.ts";
import { emptyState, quantity, table } from "./table.ts";

/** With more nodes, a row is a group of them. */
const MOST_ROWS = 32;
/** Beside other runs each has fewer. */
const ROWS_OF_SEVERAL = 8;
const LINKS_OF_SEVERAL = 6;

export function linkUseSection(runs: readonly ReportedRun[]): Markup {
  const several = runs.length > 1;
  return section(
    "link-use",
    "Link utilisation",
    runByRun(runs, (run) =>
      useOfRun(run, {
        rows: several ? ROWS_OF_SEVERAL : MOST_ROWS,
        links: several ? LINKS_OF_SEVERAL : Number.POSITIVE_INFINITY,
      }),
    ),
  );
}

interface Most {
  readonly rows: number;
  readonly links: number;
}

function useOfRun(run: ReportedRun, most: Most): Content {
  const result = networkUse(run, HEAT_COLUMNS);
  if (result.kind === "unknown") return emptyState(result.reason);
  const { use } = result;
  const busiest = use.busiest.slice(0, most.links);
  return [nicFigure(run, use, most.rows), linkFigure(run, use, busiest), linkTable(run, use, busiest)];
}

const RESTS_ON =
  "Rates are means over a column of time, from the bytes of recorded collectives, spread evenly over the time that each moved them. ";

/** A part of a capacity; of one without limit, of the most that was carried. */
function nicFigure(run: ReportedRun, { up, down, nic, width }: NetworkUse, most: number): Markup {
  const nodes = up.length;
  const end = width * HEAT_COLUMNS;
  const time = timeName(run);
  const rates = [...up, ...down].map((row) => max(row) ?? 0);
  const highest = max(rates) ?? 0;
  const limited = Number.isFinite(nic.up) && Number.isFinite(nic.down);
  const capacity = (direction: "up" | "down"): number => (limited ? nic[direction] : highest);
  const scale = roundAbove(
    Math.max(
      (max(up, (row) => max(row) ?? 0) ?? 0) / capacity("up"),
      (max(down, (row) => max(row) ?? 0) ?? 0) / capacity("down"),
    ),
  );
  const group = Math.ceil(nodes / most);
  const rowsOf = (rows: readonly Float64Array[], direction: "up" | "down"): readonly HeatRow[] =>
    grouped(rows, group).map(({ first, last, values }) => ({
      label: first === last ? `node ${first}` : `nodes ${first}–${last}`,
      tip: rateTip(
        first === last ? `node ${first}` : `the busiest of nodes ${first} to ${last}`,
        direction === "up" ? "sent" : "received",
        values,
        width,
      ),
      values: values.map((rate) => rate / capacity(direction) / scale),
    }));
  const what = limited ? "of its NIC’s capacity" : "of the most that one carried";
  return figure({
    name: keyed("nic-use", run),
    title: `What each node of ${run.name} sent and received over time`,
    legend: heatLegend(scale, shortPercent),
    panels: [
      heatMap({ title: "Sending over time", heading: "sending", rows: rowsOf(up, "up"), end, time }),
      heatMap({ title: "Receiving over time", heading: "receiving", rows: rowsOf(down, "down"), end, time }),
    ],
    layout: "stack",
    caption: [
      `What each node sent and received, as a part ${what}`,
      limited ? ` (${nicText(nic)}). ` : `, ${formatRate(highest)}. `,
      group > 1 ? `A row is the busiest of ${formatCount(group)} nodes at each time. ` : null,
      RESTS_ON,
      "A node that passes on what is for others receives and sends that, too. ",
    ],
  });
}

/** Two digits, however small. */
const shortPercent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

const nicText = ({ up, down }: NetworkUse["nic"]): string =>
  up === down ? formatRate(up) : `${formatRate(up)} up, ${formatRate(down)} down`;

/** The highest of `size` neighbours each, so that a busy one among idle ones is seen; the last group may be of fewer. */
function grouped(
  rows: readonly Float64Array[],
  size: number,
): readonly { readonly first: number; readonly last: number; readonly values: Float64Array }[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => {
    const members = rows.slice(i * size, (i + 1) * size);
    const values = Float64Array.from(
      { length: rows[0]!.length },
      (_, column) => max(members, (row) => row[column]!)!,
    );
    return { first: i * size, last: i * size + members.length - 1, values };
  });
}

function rateTip(name: string, verb: string, values: Float64Array, width: number): string {
  return [
    name,
    `${verb} ${formatBytes(sum(values) * width)}`,
    `${formatRate(mean(values) ?? 0)} over the run, at most ${formatRate(max(values) ?? 0)} in ${formatSeconds(width)}`,
  ].join("\n");
}

const linkLabel = ({ source, target }: LinkUse): string => `${source} → ${target}`;

/** Links without a limit have no utilisation: what they carried is shown against the most that one carried. */
function linkFigure(run: ReportedRun, { width, usedLinks }: NetworkUse, busiest: readonly LinkUse[]): Markup {
  const limited = busiest.every(({ capacity }) => Number.isFinite(capacity));
  const highest = max(busiest, ({ rates }) => max(rates) ?? 0) ?? 0;
  const shareOf = ({ rates, capacity }: LinkUse): Float64Array =>
    rates.map((rate) => rate / (limited ? capacity : highest));
  const scale = roundAbove(max(busiest, (link) => max(shareOf(link)) ?? 0) ?? 0);
  const rows = busiest.map((link) => ({
    label: linkLabel(link),
    tip: rateTip(`link ${linkLabel(link)}, ${formatRate(link.capacity)}`, "carried", link.rates, width),
    values: shareOf(link).map((share) => share / scale),
  }));
  const which =
    busiest.length < usedLinks
      ? `The ${formatCount(busiest.length)} links that were used most for their bandwidth, of ${formatCount(usedLinks)} that carried anything (each direction is one)`
      : `The links that carried anything, each direction by itself`;
  return figure({
    name: keyed("link-use", run),
    title: `What the busiest links of ${run.name} carried over time`,
    legend: heatLegend(scale, shortPercent),
    panels: [
      heatMap({
        title: "Links over time",
        heading: "link",
        rows,
        end: width * HEAT_COLUMNS,
        time: timeName(run),
      }),
    ],
    caption: [
      which,
      limited
        ? ", the most used first: what each carried as a part of its bandwidth. "
        : `: what each carried as a part of the most that one carried, ${formatRate(highest)}. `,
      RESTS_ON,
      "Packets that are sent again, detours around failed links and background traffic are not counted. ",
    ],
  });
}

const TABLE_ROWS = 12;

function linkTable(run: ReportedRun, { width, usedLinks }: NetworkUse, busiest: readonly LinkUse[]): Markup {
  const seconds = width * HEAT_COLUMNS;
  const shown = busiest.slice(0, TABLE_ROWS);
  const limited = shown.some(({ capacity }) => Number.isFinite(capacity));
  const share = (part: number): string => formatPercent(part, 1);
  return table({
    name: keyed("busiest-links", run),
    caption: [
      shown.length < usedLinks
        ? `The ${formatCount(shown.length)} busiest links of ${formatCount(usedLinks)}, each direction by itself. `
        : "Links that carried anything, each direction by itself. ",
      limited
        ? "Utilisation is what they carried as a part of what they could have, over the whole run and while they were in use."
        : null,
    ],
    columns: [
      { label: "Link" },
      ...(limited ? [{ label: "Bandwidth", numeric: true, unit: "B/s" }] : []),
      { label: "Carried", numeric: true, unit: "B" },
      { label: "In use", numeric: true, unit: "s" },
      ...(limited ? ["Utilisation", "While in use"].map((label) => ({ label, numeric: true })) : []),
    ],
    rows: shown.map((link) => [
      linkLabel(link),
      ...(limited ? [quantity(link.capacity, formatRate)] : []),
      quantity(link.bytes, formatBytes),
      quantity(link.busySeconds, formatSeconds),
      ...(limited ? utilisation(link, seconds).map((part) => quantity(part, share)) : []),
    ]),
  });
}

/** Parts of what a link could have carried, over the whole run and while it was in use; null for one without a limit. */
const utilisation = (
  { bytes, capacity, busySeconds }: LinkUse,
  seconds: number,
): readonly (number | null)[] =>
  [seconds, busySeconds].map((time) =>
    Number.isFinite(capacity) && time > 0 ? bytes / capacity / time : null,
  );
