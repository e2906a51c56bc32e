// atoll sandbox: a cluster of containers on this machine, which jobs are launched on as on a real one.

import { ConfigError, unknownName } from "@atoll/core";
import { table } from "../help.ts";
import { logsVerb } from "../sandbox/logs.ts";
import { setupVerb } from "../sandbox/setup.ts";
import { shellVerb } from "../sandbox/shell.ts";
import { restartVerb, statusVerb } from "../sandbox/status.ts";
import { stopVerb } from "../sandbox/stop.ts";
import type { Verb } from "../sandbox/verb.ts";
import type { Command } from "../terminal.ts";

const verbs: Readonly<Record<string, Verb>> = {
  setup: setupVerb,
  status: statusVerb,
  shell: shellVerb,
  logs: logsVerb,
  restart: restartVerb,
  stop: stopVerb,
};

export const sandboxCommand: Command = {
  help: () => Promise.resolve(sandboxHelp()),
  run([name, ...rest], terminal) {
    if (name === undefined)
      throw new ConfigError(
        `Expected what to do after sandbox, got nothing: ${Object.keys(verbs).join(", ")}. Example: npx atoll sandbox setup --nodes 3.`,
      );
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (!verb) throw unknownName("sandbox command", name, Object.keys(verbs));
    terminal.sayWhenInterrupted(verb.whenInterrupted ?? null);
    return verb.run(rest, terminal);
  },
};

const sandboxHelp =
  (): string => `A cluster of containers on this machine, which jobs are launched on as on a real one.

Usage: npx atoll sandbox <command> [arguments]

Commands:
${table(Object.values(verbs).map(({ usage, summary }) => [usage, summary]))}

Flags of setup:
${table(setupVerb.flagRows)}

Flags of the others:
${table([...statusVerb.flagRows, ...logsVerb.flagRows, ...stopVerb.flagRows])}

A node is called by its rank (0), its number (node1), master or worker1, or its container's name.
Works with docker or podman, whichever answers. See docs/sandbox.md.

Exit codes: 0 done, 1 the engine failed, or status has found a node that is not healthy, 2 the
command line is wrong or no engine answers, 130 interrupted; that of the shell for shell.

Examples:
  npx atoll sandbox setup --nodes 3
  npx atoll sandbox shell node2
  npx atoll sandbox stop
`;
