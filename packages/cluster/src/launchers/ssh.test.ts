// What ssh's troubles are called, by a real client and a real server; and slots.

import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { exec } from "../exec/exec.ts";
import type { ExitReason } from "../exitReason.ts";
import { hostsLine } from "../test/rigs.ts";
import {
  freePort,
  makeKey,
  type SshServer,
  sshServerIsInstalled,
  startSshServer,
} from "../test/sshServer.ts";
import { parseHosts } from "./hostsFile.ts";
import { sshLauncher } from "./ssh.ts";

let server: SshServer | undefined;
beforeAll(async () => {
  if (await sshServerIsInstalled()) server = await startSshServer();
});
afterAll(() => server?.[Symbol.asyncDispose]());

function serverOrSkip(context: TestContext): SshServer {
  if (!server) context.skip("no sshd here (apt-get install openssh-server openssh-client)");
  return server!;
}

interface Ended {
  readonly reason: ExitReason;
  readonly output: readonly string[];
}

async function run(hosts: string, script: string, environment = process.env): Promise<Ended> {
  const launcher = sshLauncher({
    exec,
    hosts: parseHosts(hosts, "hosts.txt"),
    hostsDirectory: "/",
    environment,
  });
  const job = await launcher.launch({
    command: ["sh", "-c", script],
    runId: "run",
    token: "token",
    masterPort: 29_500,
    graceMs: 300,
  });
  const output: string[] = [];
  for await (const batch of job.logs()) output.push(...batch.map(({ rank, text }) => `[${rank}] ${text}`));
  return { reason: await job.wait(), output };
}

async function causeOf(hosts: string, environment = process.env): Promise<string> {
  const { reason, output } = await run(hosts, "true", environment);
  expect(output).toEqual([]);
  return reason.kind === "lost" ? reason.cause : `no loss, but ${JSON.stringify(reason)}`;
}

test("slots are ranks of one host, more of them than its sshd takes logins at a time", async (context) => {
  const line = hostsLine(serverOrSkip(context));
  const { reason, output } = await run(
    `${line} slots=12`,
    'echo "$LOCAL_RANK $NODE_INDEX $NUM_NODES $WORLD_SIZE"',
  );
  expect(reason).toEqual({ kind: "exited", code: 0 });
  expect([...output].sort()).toEqual(Array.from({ length: 12 }, (_, i) => `[${i}] ${i} 0 1 12`).sort());
});

test("nothing listens there", async (context) => {
  const { identity, knownHosts } = serverOrSkip(context);
  const port = await freePort();
  expect(await causeOf(`127.0.0.1:${port} identity=${identity} knownHosts=${knownHosts}`)).toMatch(
    new RegExp(`^hosts\\.txt:1: nothing listens on port ${port}; start sshd there`),
  );
});

test("a name that does not resolve", async (context) => {
  serverOrSkip(context);
  expect(await causeOf("no-such-host.invalid")).toMatch(
    /^hosts\.txt:1: the name no-such-host\.invalid does not resolve; check the spelling/,
  );
});

test("a key that is refused", async (context) => {
  const { directory, port, user, knownHosts } = serverOrSkip(context);
  const stranger = join(directory, "stranger");
  await makeKey(stranger);
  expect(
    await causeOf(`127.0.0.1:${port} user=${user} identity=${stranger} knownHosts=${knownHosts}`),
  ).toMatch(
    /^hosts\.txt:1: it refused the key \(it accepts: publickey\); put the public key into ~\/\.ssh\/authorized_keys/,
  );
});

test("a key that others may read", async (context) => {
  const { directory, port, user, knownHosts, identity } = serverOrSkip(context);
  const open = join(directory, "open");
  await copyFile(identity, open);
  await chmod(open, 0o644);
  expect(await causeOf(`127.0.0.1:${port} user=${user} identity=${open} knownHosts=${knownHosts}`)).toMatch(
    /^hosts\.txt:1: others may read the private key, so ssh does not use it; chmod 600 /,
  );
});

test("a host key that is not known, and one that is not the pinned one", async (context) => {
  const { directory, port, user, identity } = serverOrSkip(context);
  const other = join(directory, "other_hosts");
  const line = `127.0.0.1:${port} user=${user} identity=${identity} knownHosts=${other}`;
  expect(await causeOf(line)).toMatch(/^hosts\.txt:1: its host key is not known here; run ssh -p \d+ /);
  await makeKey(join(directory, "other_key"));
  await writeFile(other, `[127.0.0.1]:${port} ${await readFile(join(directory, "other_key.pub"), "utf8")}`);
  expect(await causeOf(line)).toMatch(
    /^hosts\.txt:1: its host key is not the pinned one: .* run ssh-keygen -R "\[127\.0\.0\.1\]:\d+" -f /,
  );
});

test("no ssh", async () => {
  expect(await causeOf("somewhere", { PATH: "/nowhere" })).toMatch(
    /^ssh \(not installed\): on Debian and Ubuntu: apt-get install openssh-client$/,
  );
});
