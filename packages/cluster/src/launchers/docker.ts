// Ranks in the containers of a running sandbox, one in each: the engine's `exec`, whose client the keeper does not rely on,
// since killing it leaves what it has started.

import { ConfigError } from "@atoll/core";
import type { Container, ContainerHost } from "../containerHost.ts";
import { describeOutcome } from "../exec/describeOutcome.ts";
import type { Exec } from "../exec/exec.ts";
import type { Launcher } from "../launcher.ts";
import { placeRanks } from "./placeRanks.ts";
import { type Placement, runJob } from "./runJob.ts";
import type { Route } from "./runRank.ts";

export interface DockerOptions {
  readonly exec: Exec;
  readonly host: ContainerHost;
  /** The engine client's: PATH, DOCKER_HOST. The containers have their own. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The first so many of the sandbox's nodes. Absent: all. */
  readonly nodes?: number | undefined;
  /** In the containers. Absent: their image's. */
  readonly workingDirectory?: string | undefined;
}

export function dockerLauncher({
  exec,
  host,
  environment,
  nodes,
  workingDirectory,
}: DockerOptions): Launcher {
  return {
    name: "docker",
    async launch(job, { signal } = {}) {
      const containers = await host.containers(nodes);
      if (nodes !== undefined && nodes > containers.length)
        throw new ConfigError(
          `Expected at most ${containers.length} nodes, which ${host.description} has, got ${nodes}. Set it up again with --nodes ${nodes}.`,
        );
      const places = containers.slice(0, nodes).map((container) => ({ ...container, container, slots: 1 }));
      const placements = placeRanks(places, job).map(
        ({ node: { container }, environment: rank }): Placement => ({
          environment: rank,
          route: routeTo(container, host, environment),
        }),
      );
      const directory = workingDirectory === undefined ? {} : { workingDirectory };
      return runJob(exec, { ...directory, ...job }, placements, signal);
    },
  };
}

function routeTo(
  container: Container,
  host: ContainerHost,
  environment: DockerOptions["environment"],
): Route {
  const [engine, ...execArgv] = host.execArgv(container);
  return {
    host: container.hostName,
    call: (argv) => ({ program: engine, argv: [...execArgv, ...argv] }),
    environment,
    explain(outcome, words) {
      const said = words.at(-1)?.trim();
      return `${engine} exec ${describeOutcome(outcome)}${said ? ` and says: ${said}` : ""}; the container may have stopped: npx atoll sandbox status`;
    },
  };
}
