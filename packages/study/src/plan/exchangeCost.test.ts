import { createRandom } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import type { Exchange } from "@atoll/train";
import { expect, test, vi } from "vitest";
import { exchangeCost } from "./exchangeCost.ts";

test("auto is decided once for each group, and where a codec or a gather leaves no choice, not at all", () => {
  const [nodes, groupSize, random] = [12, 4, createRandom(1)];
  const network = resolveNetwork({ profile: "wan", topology: "ring" }, { worldSize: nodes, random });
  const tryOut = vi.spyOn(network, "tryOut");
  const cost = (operation: Exchange["operation"]): void => {
    const exchange: Exchange = { operation, every: 1, groupSize, bytes: () => 1e6 };
    exchangeCost(exchange, { network, nodes, allReduce: "auto", elements: 1e6, random });
  };
  cost("codedAllReduce");
  cost("allGather");
  expect(tryOut).not.toHaveBeenCalled();
  cost("allReduce");
  // The topology's own, and the five that serve four members where there are no islands.
  expect(tryOut).toHaveBeenCalledTimes((nodes / groupSize) * (1 + 5));
});
