// Where launch starts its ranks: which launcher, from --on or from what runs here.

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  DEFAULT_NAME,
  dockerLauncher,
  type EngineName,
  exec,
  findEngine,
  type Launcher,
  listSandboxes,
  localLauncher,
  parseHosts,
  sandboxHost,
  sshLauncher,
} from "@atoll/cluster";
import { ConfigError, messageOf, unknownName } from "@atoll/core";
import type { Terminal } from "../terminal.ts";
import type { LaunchArguments } from "./launchArguments.ts";
import { type MeetingPort, meetHere, meetInContainer, unchecked } from "./meetingPort.ts";

export interface LaunchTarget {
  readonly launcher: Launcher;
  /** For people: `3 nodes of sandbox "sandbox"`. */
  readonly description: string;
  /** The atoll command on the nodes. */
  readonly atoll: readonly string[];
  /**
   * A port of the first node that is this launch's, as far as that can be known from here.
   * @throws ConfigError; InterruptedError if the signal came first
   */
  meetingPort(signal: AbortSignal): Promise<MeetingPort>;
}

const KNOWN = ["docker", "local", "ssh:hosts.txt"];

/** @throws ConfigError for an unknown target, or one that is not there or has another number of nodes */
export async function targetOf(given: LaunchArguments, terminal: Terminal): Promise<LaunchTarget> {
  const [kind, ...rest] = (given.on ?? "").split(":");
  const file = rest.join(":");
  switch (kind) {
    case "":
      return (await runningSandbox(given, terminal)) ?? localTarget(given, terminal);
    case "local":
      refuseDetail(given.on!, file, "local");
      return localTarget(given, terminal);
    case "docker":
      refuseDetail(given.on!, file, "docker");
      return sandboxTarget(given, terminal);
    case "ssh":
      return sshTarget(file, given, terminal);
    default:
      throw unknownName("place to launch on", given.on!, KNOWN);
  }
}

function refuseDetail(on: string, detail: string, expected: string): void {
  if (detail !== "")
    throw new ConfigError(
      `--on: expected ${expected} alone, got "${on}"; a sandbox is chosen with --name, the number of nodes with --nodes.`,
    );
}

/** The clone's own Node and command; hosts by ssh are expected to have the clone in the same place. */
const hereAtoll: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("../../bin/atoll.mjs", import.meta.url)),
];

async function localTarget(
  { nodes, name, port, directory }: LaunchArguments,
  terminal: Terminal,
): Promise<LaunchTarget> {
  if (name !== undefined)
    throw new ConfigError(`--name is a sandbox's, and the target is this machine. Leave one of them away.`);
  if (nodes === undefined)
    throw new ConfigError(
      "Expected a number of nodes, since no sandbox runs here: add --nodes 2 for processes of this machine, make a sandbox with npx atoll sandbox setup, or name hosts with --on ssh:hosts.txt.",
    );
  const { environment, workingDirectory } = terminal;
  return {
    launcher: localLauncher({
      exec,
      nodes,
      environment,
      workingDirectory: resolve(workingDirectory, directory ?? "."),
    }),
    description: `${counted(nodes, "process", "processes")} of this machine`,
    atoll: hereAtoll,
    meetingPort: () => meetHere(port),
  };
}

async function sshTarget(
  file: string,
  { nodes, port, directory }: LaunchArguments,
  { environment, workingDirectory }: Terminal,
): Promise<LaunchTarget> {
  if (file === "")
    throw new ConfigError(
      `--on: expected ssh:FILE with the hosts, one a line, got "ssh". Example: --on ssh:hosts.txt.`,
    );
  const path = resolve(workingDirectory, file);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError(
      `Cannot read the hosts file ${file}: ${messageOf(cause)}. Write one host a line.`,
      cause,
    );
  }
  const hosts = parseHosts(text, file);
  const ranks = hosts.reduce((sum, { slots }) => sum + slots, 0);
  if (nodes !== undefined && nodes !== hosts.length && nodes !== ranks)
    throw new ConfigError(
      `Expected as many nodes as ${file} has hosts, ${hosts.length}${ranks === hosts.length ? "" : `, or slots, ${ranks}`}, got ${nodes}. Change the file, or leave the number away.`,
    );
  return {
    launcher: sshLauncher({
      exec,
      hosts,
      hostsDirectory: dirname(path),
      environment,
      workingDirectory: directory ?? workingDirectory,
    }),
    description: counted(hosts.length, `host of ${file}`, `hosts of ${file}`),
    atoll: hereAtoll,
    meetingPort: async () => unchecked(port),
  };
}

async function sandboxTarget(given: LaunchArguments, { environment }: Terminal): Promise<LaunchTarget> {
  const engine = await findEngine({ exec, environment }, engineOf(given.engine));
  const name = given.name ?? DEFAULT_NAME;
  const host = sandboxHost(engine, name);
  const [master, ...others] = await host.containers(given.nodes);
  return {
    launcher: dockerLauncher({
      exec,
      host,
      environment,
      nodes: given.nodes,
      workingDirectory: given.directory,
    }),
    description: counted(
      given.nodes ?? 1 + others.length,
      `node of ${host.description}`,
      `nodes of ${host.description}`,
    ),
    atoll: host.atoll,
    meetingPort: (signal) => meetInContainer(engine, master!.id, { asked: given.port, signal }),
  };
}

/** Whoever names a sandbox means one; otherwise the default one if it is there. */
async function runningSandbox(given: LaunchArguments, terminal: Terminal): Promise<LaunchTarget | undefined> {
  if (given.name !== undefined || given.engine !== undefined) return sandboxTarget(given, terminal);
  const { environment } = terminal;
  const engine = await findEngine({ exec, environment }).catch((error: unknown) => {
    if (error instanceof ConfigError) return undefined;
    throw error;
  });
  if (!engine || (await listSandboxes(engine, DEFAULT_NAME)).length === 0) return undefined;
  return sandboxTarget({ ...given, engine: engine.name }, terminal);
}

function engineOf(text: string | undefined): EngineName | undefined {
  if (text === undefined || text === "docker" || text === "podman") return text;
  throw unknownName("engine", text, ["docker", "podman"]);
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
