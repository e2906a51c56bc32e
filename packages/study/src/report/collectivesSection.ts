// The collectives of a run, by operation, algorithm and number of members.

import { type CollectiveDone, formatBytes, formatSeconds } from "@atoll/core";
import { group, max, mean, min, quantile, sum } from "d3-array";
import { formatCount } from "../format.ts";
import type { Run } from "../run.ts";
import { html, type Markup } from "./html.ts";
import { emptyState, table } from "./table.ts";

export function collectivesSection({ collectives }: Run): Markup {
  const body =
    collectives.length === 0 ? emptyState("The run recorded no collectives.") : collectivesTable(collectives);
  return html`<section id="collectives"><h2>Collectives</h2>${body}</section>`;
}

function collectivesTable(collectives: readonly CollectiveDone[]): Markup {
  const groups = group(
    collectives,
    ({ operation, algorithm, ranks }) => `${operation}\n${algorithm}\n${ranks.length}`,
  );
  const rows = [...groups.values()].map((members) => {
    const { operation, algorithm, ranks } = members[0]!;
    const durations = members.map(({ ready, end }) => (max(end) ?? 0) - (max(ready) ?? 0));
    const waits = members.map(({ ready }) => (max(ready) ?? 0) - (min(ready) ?? 0));
    return [
      operation,
      algorithm,
      formatCount(ranks.length),
      formatCount(members.length),
      formatBytes(sum(members, ({ bytes }) => sum(bytes))),
      formatSeconds(mean(durations) ?? 0),
      formatSeconds(quantile(durations, 0.95) ?? 0),
      formatSeconds(mean(waits) ?? 0),
    ];
  });
  const numeric = (label: string) => ({ label, numeric: true });
  return table(
    "Collectives. Bytes are those that all members sent; a duration runs from the moment the last member called to the moment the last one left; skew is how long the first member waited for the last, on average.",
    [
      { label: "Operation" },
      { label: "Algorithm" },
      ...["Members", "Count", "Bytes", "Mean duration", "95 % duration", "Mean skew"].map(numeric),
    ],
    rows,
  );
}
