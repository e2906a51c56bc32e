// Ranks on machines that are reached by ssh: OpenSSH's client, so that keys, agents, jump hosts and ~/.ssh/config are the
// user's own. It never asks anything, and never accepts a host key that is not pinned.
//
// A rank whose connection breaks is stopped by its keeper, whose standard input ends with the connection: at once when
// the client is killed, when the server's TCP notices if the network itself is cut.

import { isAbsolute, join } from "node:path";
import type { Exec } from "../exec/exec.ts";
import { quote } from "../keeper/quote.ts";
import type { Launcher } from "../launcher.ts";
import { destination, type HostLine } from "./hostsFile.ts";
import { placeRanks } from "./placeRanks.ts";
import { runJob } from "./runJob.ts";
import type { Route } from "./runRank.ts";
import { explainSsh } from "./sshProblem.ts";

export interface SshOptions {
  readonly exec: Exec;
  readonly hosts: readonly HostLine[];
  /** Where relative paths of the hosts file start. */
  readonly hostsDirectory: string;
  /** The client's: PATH, HOME, SSH_AUTH_SOCK. The hosts have their own. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** On the hosts, unless the job says otherwise. Absent: the login's home directory. */
  readonly workingDirectory?: string | undefined;
}

export function sshLauncher({
  exec,
  hosts,
  hostsDirectory,
  environment,
  workingDirectory,
}: SshOptions): Launcher {
  const nodes = hosts.map((line) => ({
    ...line,
    gpus: 0,
    route: routeTo(line, hostsDirectory, environment),
  }));
  return {
    name: "ssh",
    async launch(job, { signal } = {}) {
      const placements = placeRanks(nodes, job).map((placed) => ({ ...placed, route: placed.node.route }));
      const directory = workingDirectory === undefined ? {} : { workingDirectory };
      return runJob(exec, { ...directory, ...job }, placements, signal);
    },
  };
}

function routeTo(line: HostLine, hostsDirectory: string, environment: SshOptions["environment"]): Route {
  const options = sshOptions(line, (path) =>
    isAbsolute(path) || path.startsWith("~") ? path : join(hostsDirectory, path),
  );
  return {
    host: destination(line),
    // A login shell reads the last argument; the keeper's script has nothing in it that differs between shells.
    call: (argv) => ({
      program: "ssh",
      argv: [...options, line.host, `exec ${argv.map((word, i) => (i < 2 ? word : quote(word))).join(" ")}`],
    }),
    environment,
    explain: (outcome, words) => explainSsh(line, outcome, words),
  };
}

/** Everything else is as in the user's ~/.ssh/config. Source: ssh_config(5). */
function sshOptions(line: HostLine, pathOf: (path: string) => string): readonly string[] {
  const set: Readonly<Record<string, string | undefined>> = {
    BatchMode: "yes",
    StrictHostKeyChecking: "yes",
    ConnectTimeout: "10",
    // A connection over which nothing comes for 30 s is lost.
    ServerAliveInterval: "10",
    ServerAliveCountMax: "3",
    // One connection a rank, so that each ends by itself.
    ControlMaster: "no",
    ControlPath: "none",
    ClearAllForwardings: "yes",
    ForwardAgent: "no",
    ForwardX11: "no",
    RequestTTY: "no",
    RemoteCommand: "none",
    PermitLocalCommand: "no",
    LogLevel: "ERROR",
    Port: line.port?.toString(),
    User: line.user,
    IdentityFile: line.identity && quoted(pathOf(line.identity)),
    IdentitiesOnly: line.identity && "yes",
    UserKnownHostsFile: line.knownHosts && quoted(pathOf(line.knownHosts)),
    GlobalKnownHostsFile: line.knownHosts && "/dev/null",
  };
  return Object.entries(set).flatMap(([name, value]) =>
    value === undefined ? [] : ["-o", `${name}=${value}`],
  );
}

/** For a path in an option, which may have spaces. */
const quoted = (path: string): string => `"${path}"`;
