// atoll sandbox stop: takes a sandbox away.

import { DEFAULT_NAME, getSandbox, removeSandbox } from "@atoll/cluster";
import { stateDirectory } from "../stateDirectory.ts";
import { engineOf, parseVerb, type Verb } from "./verb.ts";

export const stopVerb: Verb = {
  usage: "stop",
  summary: "end the nodes and take away containers, network and keys; results stay, in volumes",
  whenInterrupted: "Finishing what has begun",
  flagRows: [["--volumes", "stop: results and caches, too"]],
  async run(argv, terminal) {
    const parsed = parseVerb(argv, { volumes: { type: "boolean" } }, 0);
    const engine = await engineOf(parsed, terminal);
    const { name, volumes, json } = parsed.values;
    const sandbox = String(name ?? DEFAULT_NAME);
    const removed = await removeSandbox(engine, sandbox, {
      stateDirectory: stateDirectory(terminal),
      volumes: volumes === true,
    });
    const nothing = removed.containers + removed.networks + removed.volumes === 0;
    // Someone who has mistyped a name wants to know; who stops twice does not mind.
    if (nothing && name !== undefined) await getSandbox(engine, sandbox);
    const kept =
      removed.kept.length === 0 ? "" : `; kept: ${removed.kept.join(", ")} (--volumes removes them)`;
    terminal.error(
      nothing
        ? `There is no sandbox "${sandbox}"${kept}.\n`
        : `Ended sandbox "${sandbox}": ${count(removed.containers, "container")}, ${count(removed.networks, "network")}, ${count(removed.volumes, "volume")} removed${kept}.\n`,
    );
    for (const directory of removed.secrets)
      terminal.error(
        `${directory} cannot be removed, and may have keys or credentials: remove it as the user who made it.\n`,
      );
    if (json === true) terminal.output(`${JSON.stringify({ name: sandbox, ...removed })}\n`);
    return 0;
  },
};

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
