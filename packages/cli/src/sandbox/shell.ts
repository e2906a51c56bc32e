// atoll sandbox shell: a shell on a node, or the commands of standard input if that is no terminal.

import { DEFAULT_NAME, exec, exitCodeOf, getSandbox } from "@atoll/cluster";
import { ConfigError, RunError } from "@atoll/core";
import { nodeOf } from "./nodeOf.ts";
import { engineOf, parseVerb, type Verb } from "./verb.ts";

export const shellVerb: Verb = {
  usage: "shell [node]",
  summary: "open a shell on a node (master); commands may come from standard input",
  flagRows: [],
  async run(argv, terminal) {
    const parsed = parseVerb(argv, {}, 1);
    const engine = await engineOf(parsed, terminal);
    const sandbox = await getSandbox(engine, String(parsed.values.name ?? DEFAULT_NAME));
    const node = nodeOf(sandbox, parsed.positionals[0] ?? "master");
    if (node.state !== "running")
      throw new ConfigError(
        `${node.container} is ${node.state}, expected running: npx atoll sandbox restart --name ${sandbox.name} starts all nodes anew.`,
      );
    const flags = terminal.inputIsTerminal ? ["--interactive", "--tty"] : ["--interactive"];
    const { outcome } = exec(engine.name, ["exec", ...flags, node.container, "bash"], {
      environment: terminal.environment,
      input: "terminal",
    });
    const ending = await outcome;
    if (ending.kind === "missing" || ending.kind === "failed")
      throw new RunError(`Cannot open a shell: ${engine.name} cannot be started any more.`);
    return exitCodeOf(ending);
  },
};
