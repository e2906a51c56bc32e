// Training across hosts that are reached by ssh: servers of the test's own, with the simulator's numbers.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostsLine } from "@atoll/cluster/test/rigs";
import { type SshServer, sshServerIsInstalled, startSshServer } from "@atoll/cluster/test/sshServer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";

let directory: string;
let servers: readonly SshServer[] = [];
const isInstalled = await sshServerIsInstalled();
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-launch-ssh-"));
  if (!isInstalled) return;
  servers = await Promise.all([startSshServer(), startSshServer()]);
  await writeFile(join(directory, "hosts.txt"), `# two here\n${servers.map(hostsLine).join("\n")}\n`);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  await rm(directory, { recursive: true, force: true });
});

const RUN = ["digits", "maxSteps=4", "trainSize=400", "testSize=100", "nodes=2", "--json"];

/** The last line of standard output, without the rank before it. */
const summaryOf = (output: string): Readonly<Record<string, unknown>> =>
  JSON.parse(
    output
      .trimEnd()
      .split("\n")
      .at(-1)!
      .replace(/^\[0\] /, ""),
  ) as Record<string, unknown>;

test.skipIf(!isInstalled)("two hosts train with the numbers of the simulated run", async () => {
  const environment = { ...process.env, ATOLL_DATA: "data" } as Readonly<Record<string, string>>;
  const launched = await runCommand(["launch", "--on", "ssh:hosts.txt", "train", ...RUN], directory, {
    environment,
  });
  expect(launched.error).toMatch(/^Launching on 2 hosts of hosts\.txt\.$/m);
  expect(launched.exitCode).toBe(0);
  const simulated = await runCommand(["train", ...RUN, "--name", "simulated"], directory);
  expect(simulated.exitCode).toBe(0);
  const { steps, loss, accuracy, bytesSent } = summaryOf(simulated.output);
  expect(summaryOf(launched.output)).toMatchObject({ steps, loss, accuracy, bytesSent });
});

test.skipIf(!isInstalled)("a host that cannot be reached is said, with its line", async () => {
  const { port, identity, knownHosts } = servers[0]!;
  await writeFile(
    join(directory, "strange.txt"),
    `# a login that is not there\n127.0.0.1:${port} user=nobody-here identity=${identity} knownHosts=${knownHosts}\n`,
  );
  const { exitCode, error } = await runCommand(
    ["launch", "--on", "ssh:strange.txt", "--", "true"],
    directory,
    { environment: { ...process.env } as Readonly<Record<string, string>> },
  );
  expect(exitCode).toBe(1);
  expect(error).toMatch(
    /^atoll: rank 0 on nobody-here@127\.0\.0\.1:\d+ was lost: strange\.txt:2: it refused the key \(it accepts: publickey\)/m,
  );
});
