// An OpenSSH server of the test's own: on a high port of loopback, with its own configuration, keys and pinned host key in
// a directory that goes away with it.

import { access, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { capture } from "../exec/capture.ts";
import { type ExecOutcome, exec } from "../exec/exec.ts";

const SSHD = "/usr/sbin/sshd";
const environment = process.env;

export interface SshServer extends AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  /** The private key that it accepts. */
  readonly identity: string;
  /** Pins its host key. */
  readonly knownHosts: string;
  readonly user: string;
}

/** Whether the tests with a real server can run here. */
export const sshServerIsInstalled = (): Promise<boolean> =>
  Promise.all([SSHD, "/usr/bin/ssh", "/usr/bin/ssh-keygen"].map((path) => access(path))).then(
    () => true,
    () => false,
  );

export async function startSshServer(): Promise<SshServer> {
  const directory = await mkdtemp(join(tmpdir(), "atoll-sshd-"));
  const path = (name: string): string => join(directory, name);
  await Promise.all(["host_key", "user_key"].map((name) => makeKey(path(name))));
  const port = await freePort();
  await writeFile(path("authorized_keys"), await readFile(path("user_key.pub")));
  await chmod(path("authorized_keys"), 0o600);
  const hostKey = await readFile(path("host_key.pub"), "utf8");
  await writeFile(path("known_hosts"), `[127.0.0.1]:${port} ${hostKey}`);
  await writeFile(path("sshd_config"), configuration(directory, port));
  // Where privileges are separated; a service's script would make it.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const stop = new AbortController();
  const log: string[] = [];
  const { outcome } = exec(SSHD, ["-D", "-e", "-f", path("sshd_config")], {
    environment,
    signal: stop.signal,
    onLines: (lines) => void log.push(...lines),
  });
  await answers(port, outcome, log);
  return {
    directory,
    port,
    identity: path("user_key"),
    knownHosts: path("known_hosts"),
    user: userInfo().username,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await outcome;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const configuration = (directory: string, port: number): string => `
ListenAddress 127.0.0.1:${port}
HostKey ${directory}/host_key
AuthorizedKeysFile ${directory}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
`;

export async function makeKey(path: string): Promise<void> {
  const { outcome, stderr } = await capture(
    exec,
    "ssh-keygen",
    ["-q", "-t", "ed25519", "-N", "", "-f", path],
    {
      environment,
    },
  );
  if (outcome.kind !== "exited" || outcome.code !== 0) throw new Error(`ssh-keygen: ${stderr}`);
}

/** A port of loopback on which nothing listens. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address ? address.port : 0;
}

async function answers(port: number, outcome: Promise<ExecOutcome>, log: readonly string[]): Promise<void> {
  let ended: ExecOutcome | undefined;
  void outcome.then((end) => {
    ended = end;
  });
  for (;;) {
    const reached = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (reached) return;
    if (ended) throw new Error(`sshd ${JSON.stringify(ended)}: ${log.join("\n")}`);
    await sleep(20);
  }
}
