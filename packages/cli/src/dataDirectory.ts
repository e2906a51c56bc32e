// Where data sets are: ATOLL_DATA, or the user's cache directory.

import { join, resolve } from "node:path";
import envPaths from "env-paths";
import type { Terminal } from "./terminal.ts";

export function dataDirectory({ environment, workingDirectory }: Terminal): string {
  const chosen = environment.ATOLL_DATA;
  return chosen ? resolve(workingDirectory, chosen) : join(envPaths("atoll", { suffix: "" }).cache, "data");
}
