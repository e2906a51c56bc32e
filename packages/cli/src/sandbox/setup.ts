// atoll sandbox setup: makes a sandbox and says how to use it.

import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  DEFAULT_NAME,
  keysDirectory,
  otherEngines,
  type Sandbox,
  type SetupOptions,
  setUpSandbox,
  sshConfigPath,
} from "@atoll/cluster";
import { ConfigError } from "@atoll/core";
import type { ParsedArguments } from "../arguments.ts";
import { table } from "../help.ts";
import { numberOf } from "../numberFlag.ts";
import { stateDirectory } from "../stateDirectory.ts";
import type { Terminal } from "../terminal.ts";
import { nodesTable } from "./status.ts";
import { choiceOf, engineOf, parseVerb, type Verb } from "./verb.ts";

/** As the seed of this sandbox had it: a master and a worker. */
const NODES = 2;
const MOST_NODES = 1_000;

export const setupVerb: Verb = {
  usage: "setup",
  summary: "build the image, start the nodes, wait until all are healthy, say how to use them",
  whenInterrupted: "Taking away what has been made",
  flagRows: [
    ["--nodes N", `how many, master included (${NODES})`],
    ["--name NAME", `a name; several sandboxes can be there at once (${DEFAULT_NAME})`],
    ["--code mount|bake", "see the clone's sources as they change, or as they are now (mount)"],
    ["--credentials", "mount those of .netrc .config .ssh .aws .metta that your home has, read-only"],
    ["--shm-size SIZE", "shared memory of each node (2g)"],
    ["--gpus", "pass all GPUs through; without it, if the engine says that it can"],
    ["--port N", "first of the ports of 127.0.0.1 for ssh; without it, the next free range from 22001"],
    ["--base-image IMAGE", "Debian or Ubuntu with Node 24 (node:24-bookworm-slim, or ATOLL_BASE_IMAGE)"],
    ["--engine docker|podman", "the engine to use, instead of the first that answers"],
    ["--json", "print one JSON object as the last line of standard output"],
  ],
  async run(argv, terminal) {
    const parsed = parseVerb(
      argv,
      {
        nodes: { type: "string" },
        code: { type: "string" },
        credentials: { type: "boolean" },
        "shm-size": { type: "string" },
        gpus: { type: "boolean" },
        port: { type: "string" },
        "base-image": { type: "string" },
      },
      0,
    );
    const options = await optionsOf(parsed, terminal);
    const engine = await engineOf(parsed, terminal);
    if (parsed.values.engine === undefined)
      for (const other of await otherEngines(engine))
        terminal.error(`Using ${engine.name}; ${other} answers, too: --engine ${other} takes it\n`);
    const started = terminal.now();
    const sandbox = await setUpSandbox(engine, options, { signal: terminal.interrupted });
    const seconds = ((terminal.now() - started) / 1000).toFixed(1);
    terminal.error(
      `\nSandbox "${sandbox.name}" on ${engine.name} ${engine.version}, ready after ${seconds} s\n${howToUse(sandbox, options)}`,
    );
    if (parsed.values.json === true)
      terminal.output(
        `${JSON.stringify({ ...sandbox, engine: engine.name, keys: keysDirectory(options.stateDirectory, sandbox.name) })}\n`,
      );
    return 0;
  },
};

async function optionsOf({ values }: ParsedArguments, terminal: Terminal): Promise<SetupOptions> {
  const { environment, workingDirectory } = terminal;
  const nodes = wholeNumber(values.nodes, "--nodes", MOST_NODES) ?? NODES;
  const { ATOLL_DATA: data } = environment;
  const baseImage = values["base-image"] ?? environment.ATOLL_BASE_IMAGE;
  return {
    clone: await cloneDirectory(),
    name: String(values.name ?? DEFAULT_NAME),
    nodes,
    code: choiceOf(values.code, "way to have the code", ["mount", "bake"]) ?? "mount",
    shmSize: sizeOf(String(values["shm-size"] ?? "2g")),
    gpus: values.gpus === true ? "all" : "auto",
    credentialsFrom: values.credentials === true ? (environment.HOME ?? homedir()) : undefined,
    data: data ? resolve(workingDirectory, data) : undefined,
    port: wholeNumber(values.port, "--port", 65_536 - nodes),
    baseImage: baseImage ? String(baseImage) : undefined,
    ...imageUser(),
    stateDirectory: stateDirectory(terminal),
    progress: (text) => terminal.error(`${text} …\n`),
    warn: (sentence) => terminal.error(`${sentence}\n`),
  };
}

/** Who owns the files that are mounted; the image's user is never root. Systems without such numbers hide them anyway. */
function imageUser(): { readonly userId: number; readonly groupId: number } {
  const userId = process.getuid?.() ?? 0;
  return userId === 0 ? { userId: 1000, groupId: 1000 } : { userId, groupId: process.getgid?.() ?? userId };
}

const wholeNumber = (value: string | boolean | undefined, flag: string, most: number): number | undefined =>
  numberOf(flag, value as string | undefined, { least: 1, most, whole: true });

function sizeOf(text: string): string {
  if (/^[1-9]\d*[bkmg]?$/i.test(text)) return text.toLowerCase();
  throw new ConfigError(`Flag "--shm-size": expected a size such as 512m or 2g, got "${text}".`);
}

async function cloneDirectory(): Promise<string> {
  const clone = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "");
  try {
    await access(join(clone, "docker", "Dockerfile"));
  } catch {
    throw new ConfigError(
      `Expected docker/Dockerfile in ${clone}, which is not there: sandboxes are made of a clone of Atoll. Run npx atoll inside one.`,
    );
  }
  return clone;
}

function howToUse({ name, nodes }: Sandbox, options: SetupOptions): string {
  const flag = name === DEFAULT_NAME ? "" : ` --name ${name}`;
  return `
${nodesTable(nodes)}

${table([
  ["on all nodes", `npx atoll launch${flag} train digits nodes=${nodes.length}`],
  ["look inside", `npx atoll sandbox shell master${flag}`],
  ["between nodes", "ssh node2, by any of their names, without a password"],
  ["from here", `ssh -F ${sshConfigPath(keysDirectory(options.stateDirectory, name))} node1`],
  ["logs", `npx atoll sandbox logs --follow${flag}`],
  ["end it", `npx atoll sandbox stop${flag}`],
])}
`;
}
