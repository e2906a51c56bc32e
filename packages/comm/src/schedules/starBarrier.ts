// Star barrier: every member signals the hub, which then signals all. Cost: 2α; signals are empty.

import { createSchedule, type Members, type Round, roundOf, type Schedule } from "../schedule.ts";
import { spokes, starCentre } from "./starCentre.ts";

export function starBarrier(options: Members): Schedule {
  const { ranks } = options;
  const hub = starCentre(options, 0);
  const others = spokes(ranks.length, hub);
  return createSchedule({
    algorithm: "star",
    ranks,
    chunkStarts: Int32Array.of(0, 0),
    initially: "whole",
    *rounds(): Generator<Round> {
      yield roundOf(
        "copy",
        others.map((member) => [member, hub, 0]),
      );
      yield roundOf(
        "copy",
        others.map((member) => [hub, member, 0]),
      );
    },
  });
}
