// What each launcher is tested on: the machines that it reaches, and how to break the way to a rank.

import { setTimeout as sleep } from "node:timers/promises";
import { RunError } from "@atoll/core";
import type { TestContext } from "vitest";
import { exec } from "../exec/exec.ts";
import type { Launcher } from "../launcher.ts";
import { dockerLauncher } from "../launchers/docker.ts";
import { parseHosts } from "../launchers/hostsFile.ts";
import { localLauncher } from "../launchers/local.ts";
import { sshLauncher } from "../launchers/ssh.ts";
import { sandboxHost } from "../sandbox/containerHost.ts";
import { setUpSandbox } from "../sandbox/setup.ts";
import { ended, parentOf } from "./processes.ts";
import { engineOrSkip, onNode, testSandboxes } from "./sandboxes.ts";
import { type SshServer, sshServerIsInstalled, startSshServer } from "./sshServer.ts";

export interface Rig extends AsyncDisposable {
  launcher(nodes: number): Launcher;
  /**
   * Breaks the way to a rank, by force.
   *
   * @param keeper the process number of the rank's keeper, on its own machine
   */
  lose(rank: number, keeper: number): Promise<void>;
  /** Resolves when a process of a rank's machine has ended. */
  ended(rank: number, pid: number): Promise<void>;
}

export interface RigEntry {
  readonly name: string;
  /** Undefined where it cannot be made, with the reason in one line. */
  make(): Promise<Rig | string>;
}

export const rigs: readonly RigEntry[] = [
  { name: "local", make: localRig },
  { name: "ssh", make: sshRig },
  { name: "docker", make: dockerRig },
];

const environment = process.env;

async function localRig(): Promise<Rig> {
  return {
    launcher: (nodes) => localLauncher({ exec, nodes, environment, workingDirectory: "/" }),
    lose: async (_, keeper) => void process.kill(keeper, "SIGKILL"),
    ended: (_, pid) => ended(pid),
    async [Symbol.asyncDispose]() {},
  };
}

const MOST_HOSTS = 3;

/** Each host is a server of its own on this machine. */
async function sshRig(): Promise<Rig | string> {
  if (!(await sshServerIsInstalled())) return "no sshd here (apt-get install openssh-server openssh-client)";
  const servers = await Promise.all(Array.from({ length: MOST_HOSTS }, startSshServer));
  return {
    launcher: (nodes) =>
      sshLauncher({
        exec,
        hosts: parseHosts(servers.slice(0, nodes).map(hostsLine).join("\n"), "hosts.txt"),
        hostsDirectory: "/",
        environment,
      }),
    // The server's process for this connection.
    lose: async (_, keeper) => void process.kill(await parentOf(keeper), "SIGKILL"),
    ended: (_, pid) => ended(pid),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

/** The nodes of a sandbox. */
async function dockerRig(): Promise<Rig | string> {
  const engine = await engineOrSkip("the docker launcher");
  if (!engine) return "no container engine answers";
  const sandboxes = await testSandboxes(engine);
  // Other tests make sandboxes at the same time, on the first ports that are free.
  const port = 23_000 + (process.pid % 8_000);
  const options = sandboxes.options("launch", { nodes: MOST_HOSTS, port });
  const made = await setUpSandbox(engine, options).catch(async (error: unknown) => {
    await sandboxes[Symbol.asyncDispose]();
    if (error instanceof RunError && /cannot be pulled/.test(error.message)) return "no base image";
    throw error;
  });
  if (typeof made === "string") return made;
  const { name, nodes } = made;
  const isThere = async (rank: number, pid: number): Promise<boolean> =>
    (await onNode(engine, nodes[rank]!.container, `grep -q '^State:.[^ZX]' /proc/${pid}/status`)).code === 0;
  return {
    launcher: (count) =>
      dockerLauncher({
        exec,
        host: sandboxHost(engine, name),
        environment,
        nodes: count,
        workingDirectory: "/",
      }),
    lose: async (rank) => void (await engine.run("end a node", ["kill", nodes[rank]!.container])),
    async ended(rank, pid) {
      while (await isThere(rank, pid)) await sleep(50);
    },
    [Symbol.asyncDispose]: () => sandboxes[Symbol.asyncDispose](),
  };
}

export const hostsLine = ({ port, identity, knownHosts, user }: SshServer): string =>
  `127.0.0.1:${port} user=${user} identity=${identity} knownHosts=${knownHosts}`;

/** Skips the test, saying why. */
export function rigOrSkip(rig: Rig | string | undefined, context: TestContext): Rig {
  if (typeof rig === "string") context.skip(rig);
  return rig as Rig;
}
