// Sentences on what makes the links' bandwidth change over time: traces and background traffic, as config.json states them.

import { type ConfigTree, type ConfigValue, formatSeconds } from "@atoll/core";
import { formatCount, formatPercent, formatRate } from "../format.ts";
import { isList, treeOf } from "../run.ts";
import { type Content, html } from "./html.ts";

/** @param network the resolved network of a run's config; nothing is said where no bandwidth changes */
export function capacityNotes(network: ConfigTree): Content {
  const { trace, between, links, background } = network;
  const own = links !== undefined && isList(links) ? links.map(treeOf) : [];
  const inside = between === undefined ? "Links follow" : "Links inside islands follow";
  const notes = [
    traceNote(inside, trace),
    traceNote("Links between islands follow", treeOf(between).trace),
    ...own.map((link) => traceNote(`The link from node ${link.from} to node ${link.to} follows`, link.trace)),
  ].filter((note) => note !== null);
  if (notes.length > 0) notes.push("Bandwidths listed here are means over the trace.");
  const { load, interval } = treeOf(background);
  if (typeof load === "number" && typeof interval === "number")
    notes.push(
      `Background traffic takes ${formatPercent(load, 0)} of each direction of a link on average, drawn anew every ${formatSeconds(interval)}; bandwidths listed here are without it.`,
    );
  return notes.length === 0 ? null : html`<p>${notes.join(" ")}</p>`;
}

function traceNote(who: string, trace: ConfigValue | undefined): string | null {
  const { name, rows, length, least, mean, most, repeat, shift } = treeOf(trace);
  if (name === undefined) return null;
  const rates = [least, mean, most].map((rate) => formatRate(Number(rate)));
  const on = repeat === true ? ", over and over" : "";
  const from = shift === true ? ", each from a moment of its own" : "";
  return `${who} the bandwidth trace ${String(name)} of ${formatSeconds(Number(length))} in ${formatCount(Number(rows))} rows (least ${rates[0]}, mean ${rates[1]}, most ${rates[2]})${on}${from}.`;
}
