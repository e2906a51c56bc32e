// The checks of the validation table, in its order. A new check is one file and one line here.

import { byteCounters } from "./byteCounters.ts";
import { collectives, offPowersOfTwo } from "./collectives.ts";
import { lossTail, rounds } from "./lossyTransfers.ts";
import { maxMin } from "./maxMin.ts";
import type { Check, Extent, Row } from "./row.ts";
import { incast, mixedRoundTrips, reverseTraffic, starHub } from "./sharing.ts";
import { loss, slowStart, window, workedExamples } from "./transfers.ts";

const CHECKS: readonly Check[] = [
  workedExamples,
  collectives,
  offPowersOfTwo,
  byteCounters,
  maxMin,
  incast,
  starHub,
  window,
  loss,
  slowStart,
  rounds,
  mixedRoundTrips,
  reverseTraffic,
  lossTail,
];

/** The whole table. */
export async function validate(extent: Extent): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const check of CHECKS) rows.push(...(await check(extent)));
  return rows;
}
