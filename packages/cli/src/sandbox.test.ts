// atoll sandbox and training on its nodes, in real containers: every topology with the simulator's numbers, a worker that
// is killed and a network that is cut in mid-run, and what is said to bad input. What a sandbox itself promises is in
// packages/cluster/src/sandbox/sandbox.test.ts.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Engine, exec, findEngine } from "@atoll/cluster";
import { messageOf } from "@atoll/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CommandOptions, type CommandResult, runCommand } from "./test/command.ts";

const LONG = 600_000;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-sandbox-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const found = await engineOrSkip();

async function engineOrSkip(): Promise<Engine | undefined> {
  try {
    const engine = await findEngine({ exec, environment: process.env });
    const image = process.env.ATOLL_BASE_IMAGE ?? "node:24-bookworm-slim";
    const { outcome } = await engine.try(["image", "inspect", image]);
    if (outcome.kind !== "exited" || outcome.code !== 0)
      await engine.run("pull the base image", ["pull", image]);
    return engine;
  } catch (error) {
    process.stderr.write(`Skipped: training across containers. ${messageOf(error)}\n`);
    return undefined;
  }
}

describe.skipIf(!found)("on a real engine", { timeout: LONG }, () => {
  const engine = found as Engine;
  const name = `c${process.pid}`;
  const atoll = (argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> => {
    const inherited = Object.entries(process.env).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value]],
    );
    const environment = { ...Object.fromEntries(inherited), ATOLL_STATE: directory, ATOLL_DATA: "" };
    return runCommand(argv, directory, { environment, ...options });
  };
  const node = (rank: number): string => `atoll-${name}-${rank}`;
  const launch = (argv: readonly string[], options?: CommandOptions): Promise<CommandResult> =>
    atoll(["launch", "--on", "docker", "--name", name, ...argv], options);

  beforeAll(async () => {
    const { exitCode, output, error } = await atoll([
      "sandbox",
      "setup",
      "--nodes",
      "4",
      ...["--name", name, "--json"],
      // Other tests make sandboxes at the same time, on the first ports that are free.
      ...["--port", String(31_100 + (process.pid % 1_500))],
    ]);
    expect({ exitCode, error }).toEqual({
      exitCode: 0,
      error: expect.stringContaining(`sandbox shell master --name ${name}`),
    });
    expect(JSON.parse(output)).toMatchObject({ name, nodes: Array(4).fill({ health: "healthy" }) });
  }, LONG);
  afterAll(async () => {
    const { exitCode, error } = await atoll(["sandbox", "stop", "--name", name, "--volumes"]);
    expect({ exitCode, error }).toEqual({
      exitCode: 0,
      error: `Ended sandbox "${name}": 4 containers, 1 network, 2 volumes removed.\n`,
    });
    const again = await atoll(["sandbox", "stop", "--name", name]);
    expect(again).toMatchObject({
      exitCode: 2,
      error: expect.stringMatching(/There is no sandbox|Unknown sandbox/),
    });
  }, LONG);

  /** Small enough for seconds, of every part of a run. */
  const RUN = "digits trainSize=400 testSize=40 batchSize=16 maxSteps=6 valSize=0".split(" ");

  test.each([
    ["nodes=3", "network.topology=fully_connected"],
    ["nodes=3", "network.topology=ring", "strategy=fedavg", "strategy.H=3"],
    ["nodes=3", "network.topology=star"],
    ["nodes=3", "network.topology=tree"],
    ["nodes=4", "network.topology=torus", "network.dimensions=[2,2]"],
    ["nodes=4", "network.topology=islands", "network.islandSize=2"],
  ])("training across %s %s has the simulator's numbers", async (...options) => {
    const simulated = await atoll(["train", ...RUN, ...options, "--json"]);
    expect(simulated.exitCode).toBe(0);
    const { exitCode, output, error } = await launch(["train", ...RUN, ...options, "--json"]);
    expect({ exitCode, error: exitCode === 0 ? "" : error }).toEqual({ exitCode: 0, error: "" });
    const real = JSON.parse(
      output
        .trim()
        .split("\n")
        .at(-1)!
        .replace(/^\[0\] /, ""),
    );
    const { loss, accuracy, bytesSent, steps } = JSON.parse(simulated.output);
    expect(real).toMatchObject({ loss, accuracy, bytesSent, steps });
  });

  /** A run that goes on until something ends it. */
  const endless = async (nodes: number, onStep: () => Promise<void>): Promise<CommandResult> => {
    let happening: Promise<void> | undefined;
    const watch = (text: string): void => {
      if (/^\[0\] step +[1-9]/m.test(text)) happening ??= onStep();
    };
    const options = ["maxSteps=2000", `nodes=${nodes}`, "timeout=5"];
    const result = await launch(
      ["train", ...RUN.filter((each) => !each.startsWith("maxSteps")), ...options],
      { watch },
    );
    await happening;
    return result;
  };
  const expectNothingRunning = async (ranks: readonly number[]): Promise<void> => {
    for (const rank of ranks) {
      const { stdout } = await engine.try([
        "exec",
        node(rank),
        "pgrep",
        "--full",
        "--list-full",
        "atoll.mjs train|atoll.mjs node",
      ]);
      expect(stdout).toBe("");
    }
  };

  test("two launches at once meet at ports of their own; one that is asked for and taken is refused", async () => {
    const interrupt = new AbortController();
    const beside: CommandResult[] = [];
    let happening: Promise<void> | undefined;
    const first = await launch(["train", ...RUN.filter((each) => !each.startsWith("maxSteps")), "nodes=3"], {
      signal: interrupt.signal,
      watch: (text) => {
        if (!/^\[0\] step +[1-9]/m.test(text)) return;
        happening ??= (async () => {
          beside.push(await launch(["train", ...RUN, "nodes=3"]));
          beside.push(await launch(["--port", "29500", "--", "true"]));
          interrupt.abort();
        })();
      },
    });
    await happening;
    expect(first.exitCode).toBe(130);
    const [second, asked] = beside;
    expect({ exitCode: second!.exitCode, error: second!.error }).toEqual({
      exitCode: 0,
      error: expect.stringContaining("; port 29500 is taken, ranks meet at 29501.\n"),
    });
    expect(asked).toEqual({
      exitCode: 2,
      output: "",
      error: `atoll: Port 29500 of ${node(0)} is taken: another launch may have it. Choose another one with --port, or leave it away for a free one.\n`,
    });
    expect((await launch(["--nodes", "1", "--", "sh", "-c", "echo $MASTER_PORT"])).output).toBe(
      "[0] 29500\n",
    );
  });

  test("a worker that is killed in mid-run ends the run, and nothing goes on elsewhere", async () => {
    const { exitCode, error } = await endless(3, () => engine.run("kill", ["kill", node(2)]).then(() => {}));
    expect(exitCode).not.toBe(0);
    expect(error).toMatch(new RegExp(`rank 2 on ${node(2)} was lost: .*the container may have stopped`));
    await expectNothingRunning([0, 1]);
    const status = await atoll(["sandbox", "status", "--name", name]);
    expect(status.exitCode).toBe(1);
    expect(status.output).toMatch(new RegExp(`2 +node3 +${node(2)} +none +127\\.0\\.0\\.1:\\d+ +exited`));
    expect((await launch(["--nodes", "2", "--", "true"])).exitCode).toBe(0);
    expect(await launch(["--", "true"])).toMatchObject({
      exitCode: 2,
      error: `atoll: ${node(2)} is exited, expected running: npx atoll sandbox restart --name ${name} starts all nodes anew.\n`,
    });
    const restarted = await atoll(["sandbox", "restart", "--name", name, "--json"]);
    expect(JSON.parse(restarted.output)).toMatchObject({ nodes: Array(4).fill({ health: "healthy" }) });
    expect((await atoll(["sandbox", "status", "--name", name])).exitCode).toBe(0);
  });

  test("a network that is cut in mid-run ends the run within its timeout", async () => {
    const network = `atoll-${name}`;
    const { exitCode, error } = await endless(3, () =>
      engine.run("cut", ["network", "disconnect", network, node(2)]).then(() => {}),
    );
    expect(exitCode).not.toBe(0);
    expect(error).toMatch(/rank 2 is lost|rank 0 is lost|is lost/);
    await expectNothingRunning([0, 1, 2]);
    const status = await atoll(["sandbox", "status", "--name", name]);
    expect(status).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(new RegExp(`${node(2)} +none +127\\.0\\.0\\.1:\\d+ +disconnected`)),
    });
    expect(await launch(["--", "true"])).toMatchObject({
      exitCode: 2,
      error: `atoll: ${node(2)} is disconnected, expected running: npx atoll sandbox restart --name ${name} starts all nodes anew.\n`,
    });
    expect((await atoll(["sandbox", "restart", "--name", name])).exitCode).toBe(0);
    expect((await launch(["--", "sh", "-c", "[ $RANK != 2 ] || ssh node1 ssh node3 true"])).exitCode).toBe(0);
  });

  /** The real command, as a process that gets a signal when it has printed something that matches. */
  const interrupted = async (argv: readonly string[], when: RegExp, signal: NodeJS.Signals = "SIGINT") => {
    const bin = fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url));
    let printed = "";
    const child = spawn(process.execPath, [bin, ...argv], {
      // The client's own settings are in the real home directory.
      env: {
        DOCKER_CONFIG: join(homedir(), ".docker"),
        ...process.env,
        ATOLL_STATE: directory,
        HOME: join(directory, "home"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = once(child, "close");
    const take = (chunk: Buffer): void => {
      const before = when.test(printed);
      printed += chunk;
      if (!before && when.test(printed)) child.kill(signal);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const [code] = await ended;
    return { code, printed };
  };
  const listed = async (what: string): Promise<string> =>
    (await engine.run("list", [...what.split(" "), "--format", "{{.Name}}"])).trim();

  test("each command says what it does when it is interrupted, or nothing", async () => {
    await launch(["--nodes", "1", "--", "echo", "to be read"]);
    const logs = await interrupted(
      ["sandbox", "logs", "master", "-f", "--tail", "1", "--name", name],
      /to be read/,
    );
    expect(logs).toEqual({ code: 130, printed: "[0] to be read\n" });
    const other = `${name}x`;
    const setup = await interrupted(["sandbox", "setup", "--nodes", "1", "--name", other], /Waiting until/);
    expect(setup.code).toBe(130);
    expect(setup.printed).toMatch(
      /\nTaking away what has been made; once more to quit at once\.\natoll: Interrupted: wait until the nodes are healthy\.\n$/,
    );
    for (const what of ["network ls", "volume ls"]) expect(await listed(what)).not.toContain(other);
    expect(await readdir(join(directory, "sandboxes"))).toEqual([name]);
  });

  test("what a killed setup leaves, stop takes away", async () => {
    const other = `${name}k`;
    const home = join(directory, "home");
    await mkdir(home);
    await writeFile(join(home, ".netrc"), "machine\n", { mode: 0o600 });
    const setup = ["sandbox", "setup", "--nodes", "1", "--name", other, "--credentials"];
    expect((await interrupted(setup, /Waiting until/, "SIGKILL")).code).toBe(null);
    expect(await listed("network ls")).toContain(other);
    expect((await atoll(["sandbox", "stop", "--name", other, "--volumes"])).exitCode).toBe(0);
    for (const what of ["network ls", "volume ls"]) expect(await listed(what)).not.toContain(other);
    expect(await readdir(join(directory, "sandboxes"))).toEqual([name]);
    expect(await readdir(join(directory, "credentials")).catch(() => [])).toEqual([]);
  });

  test("a shell takes commands from standard input; logs show what was launched, with ranks", async () => {
    const bin = fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url));
    const lines: string[] = [];
    const shell = exec(process.execPath, [bin, "sandbox", "shell", "worker1", "--name", name], {
      environment: process.env,
      input: "held",
      onLines: (batch) => void lines.push(...batch),
    });
    shell.input!.end("hostname; ssh node1 hostname; exit 9\n");
    expect(await shell.outcome).toEqual({ kind: "exited", code: 9 });
    expect(lines).toEqual([node(1), node(0)]);

    await launch(["--nodes", "2", "--", "sh", "-c", "echo rank $RANK says so"]);
    const logs = await atoll(["sandbox", "logs", "node2", "--name", name, "--tail", "1"]);
    expect(logs).toMatchObject({ exitCode: 0, output: "[1] rank 1 says so\n" });
    const wrong = await atoll(["sandbox", "logs", "node9", "--name", name]);
    expect(wrong).toMatchObject({
      exitCode: 2,
      error: expect.stringMatching(/^atoll: Node "node9": expected a rank \(0 to 3\)/),
    });
  });
});

describe("bad input", () => {
  const refusal = async (line: string): Promise<string> => {
    const environment = { PATH: "/nowhere" };
    const { exitCode, output, error } = await runCommand(line.split(" "), directory, { environment });
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
    expect(error).toMatch(/^atoll: [^\n]+\n$/);
    return error;
  };

  test.each([
    ["sandbox", /Expected what to do after sandbox, got nothing: setup, status/],
    ["sandbox stat", /Unknown sandbox command "stat"\. Did you mean "status"\?/],
    ["sandbox setup 3", /Unexpected argument "3"\. Options of sandboxes are flags, such as --nodes 3/],
    ["sandbox setup --nodes 0", /"--nodes": expected a whole number from 1 to 1000, got "0"/],
    ["sandbox setup --nodes many", /"--nodes": expected a whole number from 1 to 1000, got "many"/],
    ["sandbox setup --port 65535", /"--port": expected a whole number from 1 to 65534, got "65535"/],
    ["sandbox setup --code bakd", /Unknown way to have the code "bakd"\. Did you mean "bake"\?/],
    ["sandbox setup --shm-size big", /"--shm-size": expected a size such as 512m or 2g, got "big"/],
    ["sandbox setup --engine dockr", /Unknown engine "dockr"\. Did you mean "docker"\?/],
    ["sandbox logs --tail x", /"--tail": expected a whole number of at least 0, got "x"/],
    ["sandbox stop --volume", /Unknown flag "--volume"\. Did you mean "--volumes"\?/],
  ])("%s", async (line, message) => {
    expect(await refusal(line)).toMatch(message);
  });

  test.each(["setup", "status", "shell", "logs", "restart", "stop"])(
    "without an engine, %s says what doctor says",
    async (verb) => {
      const error = await refusal(`sandbox ${verb}`);
      expect(error).toMatch(
        /^atoll: No container engine answers: docker \(not installed\): .*podman instead\.$/m,
      );
      const { output } = await runCommand(["doctor", "--json"], directory, {
        environment: { PATH: "/nowhere" },
      });
      const { uses } = JSON.parse(output) as { uses: { name: string; remedies: string[] }[] };
      expect(error).toContain(uses.find(({ name }) => name === "containers")!.remedies[0]);
    },
  );

  test.each([
    ["", ["Using docker; podman answers, too: --engine podman takes it"]],
    [" --engine podman", []],
  ])("setup%s says which of two engines it uses, once", async (flags, said) => {
    // Engines that answer, and do nothing else.
    for (const name of ["docker", "podman"]) {
      const answers = '[ "$3" = "{{.Server.Version}}" ] || [ "$3" = "{{.Version.Version}}" ]';
      await writeFile(join(directory, name), `#!/bin/sh\n{ ${answers}; } && echo 9.9 || exit 1\n`, {
        mode: 0o755,
      });
    }
    const { exitCode, error } = await runCommand(`sandbox setup${flags}`.split(" "), directory, {
      environment: { PATH: `${directory}:/usr/bin:/bin` },
    });
    expect(exitCode).toBe(1);
    expect(error.split("\n").slice(0, -2)).toEqual(said);
  });

  test("a name that no host can have", async () => {
    if (!found) return;
    const { exitCode, error } = await runCommand(["sandbox", "setup", "--name", "My_Box"], directory, {
      environment: { PATH: String(process.env.PATH), DOCKER_HOST: String(process.env.DOCKER_HOST ?? "") },
    });
    expect({ exitCode, error }).toEqual({
      exitCode: 2,
      error: expect.stringMatching(/^atoll: Sandbox name "My_Box": expected at most 32 lower-case letters/),
    });
  });
});
