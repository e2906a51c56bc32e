// Has the real command line check a command that a test cannot carry out: it is interrupted before it begins, and has no
// network, no programs and no data. What it then says of the machine is all right; what it says of the command is not.

import { main } from "@atoll/cli";

/** What commands say of things that documents only speak of: runs, files and services that are not here. */
const OF_THE_MACHINE =
  /There is no run|no such file|cannot be (read|reached|downloaded|found)|could not be|not (found|installed)|ENOENT|is missing|offline|no container engine/i;

/** @returns what is wrong with the command; undefined if nothing is */
export async function complaintAbout(
  argv: readonly string[],
  workingDirectory: string,
): Promise<string | undefined> {
  let error = "";
  const exitCode = await main(argv, {
    output: () => {},
    error: (text) => {
      error += text;
    },
    drained: () => Promise.resolve(true),
    interactive: false,
    columns: 80,
    inputIsTerminal: false,
    environment: { ATOLL_DATA: "data", PATH: "/nowhere" },
    workingDirectory,
    now: () => 0,
    peakRssBytes: () => 0,
    availableMemoryBytes: () => Number.POSITIVE_INFINITY,
    loadAverage: () => 0,
    parent: undefined,
    interrupted: AbortSignal.abort(),
    sayWhenInterrupted: () => {},
    fetch: () => Promise.reject(new TypeError("offline")),
  });
  const isWrong = exitCode === 2 && !OF_THE_MACHINE.test(error);
  return isWrong || error.includes("unexpected error") ? error : undefined;
}
