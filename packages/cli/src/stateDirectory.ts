// Where things are kept that belong to something that runs, such as keys of sandboxes: ATOLL_STATE, or the user's own
// directory for data.

import { resolve } from "node:path";
import envPaths from "env-paths";
import type { Terminal } from "./terminal.ts";

export function stateDirectory({ environment, workingDirectory }: Terminal): string {
  const chosen = environment.ATOLL_STATE;
  return chosen ? resolve(workingDirectory, chosen) : envPaths("atoll", { suffix: "" }).data;
}
