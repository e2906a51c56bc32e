// Star broadcast: the root gives its vector to the hub, the hub gives it to all others.
// Cost: α + (N−1)nβ from the hub, and α + nβ more from another root, which spares the hub one of its sends.

import { createSchedule, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";
import { spokes, starCentre } from "./starCentre.ts";

export interface StarBroadcastOptions extends Members {
  readonly length: number;
  /** Member that holds the vector. */
  readonly root: number;
}

export function starBroadcast(options: StarBroadcastOptions): Schedule {
  const { ranks, length, root } = options;
  const hub = starCentre(options, root);
  const others = spokes(ranks.length, hub).filter((member) => member !== root);
  return createSchedule({
    algorithm: "star",
    ranks,
    chunkStarts: Int32Array.of(0, length),
    initially: "whole",
    *rounds(): Generator<Round> {
      if (root !== hub) yield roundOf("copy", [[root, hub, 0]]);
      yield roundOf(
        "copy",
        others.map((member) => [hub, member, 0]),
      );
    },
  });
}
