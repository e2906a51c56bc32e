// atoll sandbox logs: what the nodes and the jobs on them have printed, each line with its rank.

import { DEFAULT_NAME, getSandbox, readLogs } from "@atoll/cluster";
import { numberOf } from "../numberFlag.ts";
import { nodeOf } from "./nodeOf.ts";
import { engineOf, parseVerb, type Verb } from "./verb.ts";

export const logsVerb: Verb = {
  usage: "logs [node]",
  summary: "show what one node or all have printed, output of launched jobs included",
  flagRows: [
    ["--follow, -f", "logs: go on until Ctrl-C"],
    ["--tail N", "logs: only the last N lines of each node"],
  ],
  async run(argv, terminal) {
    const parsed = parseVerb(argv, { follow: { type: "boolean", short: "f" }, tail: { type: "string" } }, 1);
    const tail = numberOf("--tail", parsed.values.tail as string | undefined, { least: 0, whole: true });
    const engine = await engineOf(parsed, terminal);
    const sandbox = await getSandbox(engine, String(parsed.values.name ?? DEFAULT_NAME));
    const [called] = parsed.positionals;
    const nodes = called === undefined ? sandbox.nodes : [nodeOf(sandbox, called)];
    await readLogs(engine, nodes, {
      follow: parsed.values.follow === true,
      tail,
      signal: terminal.interrupted,
      // A node's standard error is no complaint of this command: all of it is what was asked for.
      onLines: ({ rank }, lines) => terminal.output(lines.map((line) => `[${rank}] ${line}\n`).join("")),
    });
    return terminal.interrupted.aborted ? 130 : 0;
  },
};
