// A sandbox as the docker launcher sees it.

import { ConfigError } from "@atoll/core";
import type { ContainerHost } from "../containerHost.ts";
import type { Engine } from "./engine.ts";
import { conditionOf, getSandbox } from "./inspect.ts";

export function sandboxHost(engine: Engine, name: string): ContainerHost {
  return {
    description: `sandbox "${name}"`,
    async containers(first) {
      const nodes = (await getSandbox(engine, name)).nodes.slice(0, first);
      const bad = nodes.find(({ state, address }) => state !== "running" || address === "");
      if (bad)
        throw new ConfigError(
          `${bad.container} is ${conditionOf(bad)}, expected running: npx atoll sandbox restart --name ${name} starts all nodes anew.`,
        );
      return nodes.map(({ container, address, gpus }) => ({
        id: container,
        hostName: container,
        address,
        gpus: gpus ? 1 : 0,
      }));
    },
    // Its output is to be in the logs, too.
    execArgv: ({ id }) => [engine.name, "exec", "--interactive", id, "atoll-logged"],
    atoll: ["node", "/atoll/packages/cli/bin/atoll.mjs"],
  };
}
