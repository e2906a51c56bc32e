// Runs the small programs by which a rank looks at its network devices and has the kernel shape them: ip and tc.

import type { RunCommand } from "@atoll/comm/node";

/** Where they are for root, and not on everybody's PATH. */
const SYSTEM_PATHS = "/usr/sbin:/sbin";
const TIMEOUT_MS = 10_000;

export const commandRunner =
  (environment: Readonly<Record<string, string | undefined>>): RunCommand =>
  async ([program, ...argv]) => {
    // Most runs start no program, and do without what it takes.
    const { capture, describeOutcome, exec } = await import("@atoll/cluster");
    const { outcome, stdout, stderr } = await capture(exec, program!, argv, {
      environment: { ...environment, PATH: `${environment.PATH ?? "/usr/bin:/bin"}:${SYSTEM_PATHS}` },
      timeoutMs: TIMEOUT_MS,
    });
    const succeeded = outcome.kind === "exited" && outcome.code === 0;
    const said = outcome.kind === "exited" ? stderr.trim().split("\n").at(-1) : "";
    return {
      succeeded,
      message: succeeded ? "" : said || `${program} ${describeOutcome(outcome)}`,
      output: stdout,
    };
  };
