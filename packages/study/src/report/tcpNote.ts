// A sentence on what limits a transfer besides the links' bandwidth: the TCP model with its window, congestion control and
// connections, which decide on lossy links, and the NICs.

import { type ConfigTree, type ConfigValue, formatBytes } from "@atoll/core";
import { formatCount, formatRate } from "../format.ts";
import { treeOf } from "../run.ts";
import { type Content, html } from "./html.ts";

const CONTROLS: Readonly<Record<string, string>> = {
  none: "no congestion control",
  reno: "Reno’s congestion control",
  cubic: "CUBIC’s congestion control",
};

/** @param network the resolved network of a run's config; nothing is said where it does not state its TCP model */
export function tcpNote(network: ConfigTree): Content {
  const { tcp, nic } = network;
  const model = modelOf(network);
  if (model === null) return null;
  const name = tcp === "none" ? "" : ` (network.tcp=${String(tcp)})`;
  return html`<p>${[`${model}${name}.`, nicNote(nic)].filter((note) => note !== null).join(" ")}</p>`;
}

function modelOf({ tcp, window, congestion, flows, slowStart, rttWeights }: ConfigTree): string | null {
  if (tcp === "none") return "No TCP model: a transfer has the bandwidth of its path";
  if (typeof tcp !== "string" || typeof window !== "number" || typeof flows !== "number") return null;
  const connections = flows === 1 ? "one connection" : `${formatCount(flows)} connections`;
  const start =
    tcp === "lv08"
      ? "slow start by a factor of the latency"
      : slowStart === true
        ? "slow start"
        : "no slow start";
  const shares = rttWeights === true ? ", capacities shared in proportion to 1 / round-trip time" : "";
  return `TCP: ${connections} between two nodes with a window of ${formatBytes(window)}, ${CONTROLS[String(congestion)] ?? String(congestion)}, ${start}${shares}`;
}

function nicNote(nic: ConfigValue | undefined): string | null {
  if (typeof nic === "number")
    return `A node sends, and receives, at most ${formatRate(nic)} over all its links.`;
  const { up, down } = treeOf(nic);
  if (typeof up !== "number" || typeof down !== "number") return null;
  return `A node sends at most ${formatRate(up)} and receives at most ${formatRate(down)} over all its links.`;
}
