// atoll sandbox status and restart: how the nodes are.

import {
  checkSandboxes,
  conditionOf,
  DEFAULT_NAME,
  type Engine,
  getSandbox,
  restartSandbox,
  type Sandbox,
  type SandboxNode,
} from "@atoll/cluster";
import { COMMON_ROWS, engineOf, parseVerb, type Verb } from "./verb.ts";

export const statusVerb: Verb = {
  usage: "status",
  summary: "say which sandboxes there are and how their nodes are; --name NAME for one of them",
  flagRows: COMMON_ROWS,
  async run(argv, terminal) {
    const parsed = parseVerb(argv, {}, 0);
    const { name, json } = parsed.values;
    const engine = await engineOf(parsed, terminal);
    const signal = terminal.interrupted;
    const sandboxes =
      name === undefined
        ? await checkSandboxes(engine, undefined, { signal })
        : await namedSandbox(engine, String(name), signal);
    if (json === true) terminal.output(`${JSON.stringify({ engine: engine.name, sandboxes })}\n`);
    else terminal.output(sandboxes.length === 0 ? NONE : sandboxes.map(sandboxText).join("\n"));
    return sandboxes.every(({ nodes }) => nodes.every(isUsable)) ? 0 : 1;
  },
};

export const restartVerb: Verb = {
  usage: "restart",
  summary: "start all nodes anew, also those that have ended; what runs on them ends",
  flagRows: COMMON_ROWS,
  whenInterrupted: "Leaving the nodes as they are",
  async run(argv, terminal) {
    const parsed = parseVerb(argv, {}, 0);
    const engine = await engineOf(parsed, terminal);
    const name = String(parsed.values.name ?? DEFAULT_NAME);
    const sandbox = await restartSandbox(engine, name, { signal: terminal.interrupted });
    if (parsed.values.json === true)
      terminal.output(`${JSON.stringify({ engine: engine.name, ...sandbox })}\n`);
    else terminal.output(sandboxText(sandbox));
    return 0;
  },
};

/** @throws ConfigError if there is none of that name; says which there are */
async function namedSandbox(engine: Engine, name: string, signal: AbortSignal): Promise<readonly Sandbox[]> {
  const found = await checkSandboxes(engine, name, { signal });
  return found.length > 0 ? found : [await getSandbox(engine, name, { signal })];
}

const isUsable = (node: SandboxNode): boolean => conditionOf(node) === "healthy";

const NONE = "There is no sandbox. Make one: npx atoll sandbox setup --nodes 3\n";

const sandboxText = ({ name, image, nodes }: Sandbox): string =>
  `Sandbox "${name}", ${nodes.length === 1 ? "one node" : `${nodes.length} nodes`} of ${image}\n\n${nodesTable(nodes)}\n`;

/** One line a node, indented by two. */
export function nodesTable(nodes: readonly SandboxNode[]): string {
  const rows = [
    ["rank", "node", "container", "address", "ssh", "state"],
    ...nodes.map((node) => [
      String(node.rank),
      `node${node.rank + 1}`,
      node.container,
      node.address || "none",
      `127.0.0.1:${node.port}`,
      conditionOf(node),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd())
    .join("\n");
}
