// Ranks as processes of this machine, one for each node.

import { describeOutcome } from "../exec/describeOutcome.ts";
import type { Exec } from "../exec/exec.ts";
import type { Launcher } from "../launcher.ts";
import { placeRanks } from "./placeRanks.ts";
import { runJob } from "./runJob.ts";
import type { Route } from "./runRank.ts";

export interface LocalOptions {
  readonly exec: Exec;
  readonly nodes: number;
  /** What every rank has beside the rank environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Where ranks work unless the job says otherwise. */
  readonly workingDirectory: string;
}

export function localLauncher({ exec, nodes, environment, workingDirectory }: LocalOptions): Launcher {
  const route: Route = {
    host: "this machine",
    call: ([program = "", ...argv]) => ({ program, argv }),
    environment,
    explain: (outcome) => `the shell that kept it ${describeOutcome(outcome)}`,
  };
  const places = Array.from({ length: nodes }, () => ({ address: "127.0.0.1", slots: 1, gpus: 0 }));
  return {
    name: "local",
    async launch(job, { signal } = {}) {
      const placements = placeRanks(places, job).map((placed) => ({ ...placed, route }));
      return runJob(exec, { workingDirectory, ...job }, placements, signal);
    },
  };
}
