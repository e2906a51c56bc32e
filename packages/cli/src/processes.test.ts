// Runs on processes from the command line: real ones, killed and stopped by their numbers, and what is left of them.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeSafetensors } from "@atoll/checkpoint";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { RankOrder } from "./ranks/parentProcess.ts";
import { runCommand } from "./test/command.ts";
import { childrenOf, ended } from "./test/processTree.ts";
import { onSmallDisk } from "./test/smallDisk.ts";
import { PROCESSES, SMALL } from "./test/smallRuns.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-processes-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly error: () => string;
  /** Ends when standard error says it. */
  says(text: string): Promise<void>;
  readonly exit: Promise<unknown[]>;
}

/** @param order what a rank's parent says to it; without one it has no parent */
function start(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  order?: RankOrder,
): Started {
  const bin = fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url));
  const child = spawn(process.execPath, [bin, ...argv], {
    cwd: directory,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe", ...(order === undefined ? [] : ["ipc" as const])],
  });
  if (order !== undefined) child.send(order);
  onTestFinished(() => void child.kill("SIGKILL"));
  let error = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    error += chunk;
  });
  return {
    child,
    error: () => error,
    says: async (text) => {
      while (!error.includes(text)) await once(child.stderr!, "data");
    },
    exit: once(child, "close"),
  };
}

const readRun = (name: string, file: string): Promise<string> =>
  readFile(join(directory, "runs", name, file), "utf8");
const summaryOf = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readRun(name, "summary.json"));

/** What a run comes to but for its times. */
async function learned(name: string): Promise<unknown> {
  const { loss, accuracy, bytesSent, steps } = await summaryOf(name);
  return { loss, accuracy, bytesSent, steps, losses: await readRun(name, "train.csv") };
}

test("three processes leave what three simulated machines leave, and say what they are", async () => {
  const options = ["maxSteps=8", "valInterval=4", "strategy=fedavg", "strategy.H=4", "network.topology=ring"];
  const run = start([...PROCESSES, ...options, "--name", "real"]);
  await run.says("step 1/8");
  const ranks = childrenOf(run.child.pid!);
  expect(ranks).toHaveLength(2);
  expect(await run.exit).toEqual([0, null]);
  await ended(ranks);
  expect(
    (await runCommand(["train", ...SMALL, "nodes=3", ...options, "--name", "rehearsed"], directory)).exitCode,
  ).toBe(0);
  expect(await learned("real")).toEqual(await learned("rehearsed"));
  expect((await readdir(join(directory, "runs", "real"))).sort()).toEqual(
    (await readdir(join(directory, "runs", "rehearsed"))).sort(),
  );
  expect(JSON.parse(await readRun("real", "config.json"))).toMatchObject({
    options: { mode: "processes", compute: { kind: "real" } },
    resolved: { mode: "processes", compute: { kind: "real" } },
  });
  expect(run.error()).toMatch(/step 8\/8 .* trained /);
});

test.each<readonly [readonly string[], string]>([
  [["network.topology=ring"], "links not shaped: as fast as they are"],
  [["network.profile=datacenter"], "links shaped in user space"],
  [["network.profile=datacenter", "shaping=off"], "links not shaped: as fast as they are"],
  [["network.profile=local", "shaping=user"], "links shaped in user space"],
])("who shapes the links is said once, by rank 0: %j", async (options, line) => {
  const run = start([...PROCESSES, "maxSteps=2", ...options, "--json"]);
  expect(await run.exit).toEqual([0, null]);
  expect(
    run
      .error()
      .split("\n")
      .filter((each) => each.includes("links ")),
  ).toEqual([line]);
});

describe("a run that ends early", () => {
  const LONG = [
    ...PROCESSES,
    "nodes=2",
    "maxSteps=100000",
    "valSize=0",
    "checkpointInterval=10",
    "timeout=2",
  ];

  async function disturb(
    name: string,
    how: (ranks: readonly number[], run: Started) => void,
  ): Promise<Started> {
    const run = start([...LONG, "--name", name]);
    await run.says("step 10: checkpoint");
    const ranks = childrenOf(run.child.pid!);
    how(ranks, run);
    await run.exit;
    await ended(ranks);
    return run;
  }

  test("a killed rank ends it with exit code 1 and says who; from its checkpoint the numbers are the same", async () => {
    const run = await disturb("killed", ([first]) => process.kill(first!, "SIGKILL"));
    expect(run.child.exitCode).toBe(1);
    expect(run.error()).toMatch(
      /The run cannot go on after step \d+: rank 1 is lost: its process \d+ was ended by SIGKILL\./,
    );
    expect(run.error()).toMatch(/Go on {3}npx atoll train digits --name killed --resume/);
    // The rest of the run would take too long: a shorter run's configuration goes on from the checkpoint of step 10.
    await shorten("killed", 16);
    const resumed = await runCommand(["train", "digits", "--name", "killed", "--resume"], directory);
    expect(resumed.error).toContain("16 of 16 steps, completed");
    const unbroken = ["train", ...SMALL, "nodes=2", "maxSteps=16", "valSize=0", "--name", "unbroken"];
    expect((await runCommand(unbroken, directory)).exitCode).toBe(0);
    expect(await learned("killed")).toEqual(await learned("unbroken"));
  });

  test("a hung rank is lost when nothing is heard of it, and does not outlive the run", async () => {
    const run = await disturb("hung", ([first]) => process.kill(first!, "SIGSTOP"));
    expect(run.child.exitCode).toBe(1);
    expect(run.error()).toMatch(/rank 1 is lost: its process \d+ runs, and does not answer\./);
  });

  test("Ctrl-C stops all ranks with a checkpoint and code 130", async () => {
    // A terminal sends it to all processes at once.
    const run = await disturb("interrupted", (ranks, { child }) => {
      for (const pid of [...ranks, child.pid!]) process.kill(pid, "SIGINT");
    });
    expect(run.child.exitCode).toBe(130);
    expect(run.error()).toMatch(/atoll: Interrupted after step \d+ of 100000\. Checkpoint: /);
    expect(run.error()).not.toContain("[1]");
  });

  test("ranks whose parent is killed end by themselves", async () => {
    const run = await disturb("orphaned", (_, { child }) => void child.kill("SIGKILL"));
    expect(run.child.signalCode).toBe("SIGKILL");
  });

  test("a full disk ends all ranks with exit code 1", async ({ skip }) => {
    await onSmallDisk(directory, skip, async (disk) => {
      const run = start([...LONG, "--name", "full", "--runs-dir", disk]);
      await run.says("\natoll: ");
      expect(await run.exit).toEqual([1, null]);
      expect(run.error()).toMatch(/atoll: Cannot write .*: the disk is full/);
    });
  });

  /** Makes a saved run end earlier, on simulated machines: its options are its config.json's. */
  async function shorten(name: string, maxSteps: number): Promise<void> {
    const path = join(directory, "runs", name, "config.json");
    const config = JSON.parse(await readFile(path, "utf8"));
    config.options.maxSteps = maxSteps;
    await writeFile(path, JSON.stringify(config));
    const checkpoints = join(directory, "runs", name, "checkpoints");
    for (const step of await readdir(checkpoints))
      if (Number(step) !== 10) await rm(join(checkpoints, step), { recursive: true });
  }
});

describe("a run that survives", () => {
  interface Happening {
    readonly type: string;
    /** Of a fault. */
    readonly kind?: string;
    readonly ranks: readonly number[];
  }

  /**
   * Kills rank 1, or as many, once there is a checkpoint.
   * @returns the faults that the run tells of, and its collectives
   */
  async function survive(
    name: string,
    options: readonly string[],
    { interval = 10, kills = 1 } = {},
  ): Promise<{ readonly faults: readonly Happening[]; readonly collectives: readonly Happening[] }> {
    const run = start([
      ...PROCESSES,
      "valSize=0",
      `checkpointInterval=${interval}`,
      "timeout=2",
      ...options,
      "--name",
      name,
    ]);
    await run.says(`step ${interval}: checkpoint`);
    for (const pid of childrenOf(run.child.pid!).slice(0, kills)) process.kill(pid, "SIGKILL");
    expect(await run.exit).toEqual([0, null]);
    const events = (await readRun(name, "events.jsonl"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const steps = events.flatMap((event) => (event.type === "step" ? [event.step] : []));
    expect(steps).toEqual(Array.from({ length: steps.length }, (_, i) => i + 1));
    const of = (kind: string): readonly Happening[] => events.filter(({ type }) => type === kind);
    return { faults: of("fault"), collectives: of("collective") };
  }

  const told = (faults: readonly Happening[], kind: string): readonly (readonly number[])[] =>
    faults.flatMap((fault) => (fault.kind === kind ? [fault.ranks] : []));

  test("federated averaging goes on without a killed rank", async () => {
    const { faults } = await survive("fewer", ["strategy=fedavg", "strategy.H=5", "maxSteps=400"]);
    expect(faults.map(({ kind, ranks }) => [kind, ranks])).toEqual([
      ["crash", [1]],
      ["goneOn", [1]],
    ]);
    expect(await summaryOf("fewer")).toMatchObject({ steps: 400 });
  });

  test("nodes that wait for a killed rank take it back, with another's state", async () => {
    const waiting = ["faults.whenMissing=wait", "restarts=1", "maxSteps=120"];
    const { faults, collectives } = await survive("back", waiting);
    expect(told(faults, "crash")).toEqual([[1]]);
    expect(told(faults, "recovered")).toEqual([[1]]);
    // It does the step that the others wait with, too.
    expect(told(faults, "goneOn")).toEqual([]);
    expect(Math.min(...collectives.map(({ ranks }) => ranks.length))).toBe(3);
    await expectAgreement("back", 120);
  });

  test("a rank that is lost once more than it is started again is not waited for, and each end is told of as its own", async () => {
    const waiting = [
      "faults.whenMissing=wait",
      "restarts=1",
      "maxSteps=100000",
      "valSize=0",
      "checkpointInterval=10",
      "--name",
      "twice",
    ];
    const run = start([...PROCESSES, ...waiting]);
    await run.says("step 10: checkpoint");
    const [first, other] = childrenOf(run.child.pid!);
    process.kill(first!, "SIGKILL");
    await run.says("Node 1 goes on from step ");
    const again = childrenOf(run.child.pid!).find((pid) => pid !== first && pid !== other);
    process.kill(again!, "SIGKILL");
    expect(await run.exit).toEqual([1, null]);
    expect(run.error()).toContain(`Rank 1 is lost: its process ${first} was ended by SIGKILL.`);
    expect(run.error()).toContain(`Rank 1 is lost: its process ${again} was ended by SIGKILL.`);
    const end = /atoll: The run cannot go on after step (\d+): rank 1 is lost: its process (\d+) /.exec(
      run.error(),
    );
    expect(Number(end?.[1])).toBeGreaterThan(0);
    expect(Number(end?.[2])).toBe(again);
    // Those that wait do it for two minutes at most, which is longer than this test may take.
  });

  test.each([["ddp"], ["fedavg", "strategy.H=5"]])(
    "one of two killed ranks comes back, and does the round that waits for a quorum: %s",
    async (name, ...options) => {
      const quorum = ["=quorum", ".fraction=0.6", ".seconds=0"].map((of) => `faults.whenMissing${of}`);
      const run = [`strategy=${name}`, ...options, ...quorum, "restarts=1", "maxSteps=400"];
      const { faults, collectives } = await survive(name, run, { interval: 40, kills: 2 });
      expect(told(faults, "crash")).toHaveLength(2);
      const [back, ...more] = told(faults, "recovered");
      expect(more).toEqual([]);
      expect(told(faults, "goneOn").at(-1)).toEqual(back![0] === 1 ? [2] : [1]);
      // Two of three are a quorum of 0.6; rank 0 alone is none.
      for (const missing of told(faults, "goneOn")) expect(missing).toHaveLength(1);
      expect(Math.min(...collectives.map(({ ranks }) => ranks.length))).toBe(2);
      await expectAgreement(name, 400);
    },
  );

  test("what overlaps with computing is begun again without a killed rank: the others have the same means", async () => {
    const eager = ["strategy=eagerdiloco", "strategy.H=5", "maxSteps=400"];
    const { faults, collectives } = await survive("eager", eager);
    expect(faults.map(({ kind, ranks }) => [kind, ranks])).toEqual([
      ["crash", [1]],
      ["goneOn", [1]],
    ]);
    expect(collectives.at(-1)!.ranks).toEqual([0, 2]);
    await expectAgreement("eager", 400, "strategy.inFlight");
  });

  test("a rank that comes back is given the results of what overlaps with computing", async () => {
    const streaming = ["strategy=streamingdiloco", "strategy.H=6", "strategy.delay=2", "restarts=1"];
    const { faults, collectives } = await survive("streaming", [...streaming, "maxSteps=120"]);
    expect(told(faults, "crash")).toEqual([[1]]);
    expect(told(faults, "recovered")).toEqual([[1]]);
    expect(collectives.at(-1)!.ranks).toEqual([0, 1, 2]);
    // What outer steps start from is the same on all nodes, whatever was in the air.
    await expectAgreement("streaming", 120, "strategy.anchor");
  });

  /** After a step that ends with an exchange all nodes have the same parameters, or whatever the strategy shares. */
  async function expectAgreement(name: string, step: number, shared = "parameters."): Promise<void> {
    const last = join(directory, "runs", name, "checkpoints", String(step).padStart(8, "0"));
    const [first, ...others] = await Promise.all(
      [0, 1, 2].map(async (rank) => {
        const file = join(last, `node-000${rank}.safetensors`);
        const { tensors } = decodeSafetensors(await readFile(file), file);
        return Object.entries(tensors).filter(([path]) => path.startsWith(shared));
      }),
    );
    expect(first!.length).toBeGreaterThan(0);
    for (const other of others) expect(other).toEqual(first);
  }
});

describe("ranks that are started one by one", () => {
  async function freePort(): Promise<number> {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  test("by flags and by the rank environment, in any order", async () => {
    const port = await freePort();
    const options = [...SMALL, "maxSteps=4"];
    const environment = {
      WORLD_SIZE: "3",
      MASTER_ADDR: "127.0.0.1",
      MASTER_PORT: String(port),
      ATOLL_TOKEN: "s",
    };
    const ranks = [
      start(
        [
          "node",
          ...options,
          "--nnodes",
          "3",
          "--node-rank=2",
          "--master_addr",
          "127.0.0.1",
          `--master_port=${port}`,
        ],
        { ATOLL_TOKEN: "s" },
      ),
      start(["train", ...options], { RANK: "1", ...environment }),
      start(["node", ...options, "--name", "engine"], { RANK: "0", ...environment }),
    ];
    expect(await Promise.all(ranks.map(({ exit }) => exit))).toEqual([
      [0, null],
      [0, null],
      [0, null],
    ]);
    expect(await summaryOf("engine")).toMatchObject({ nodes: 3, steps: 4 });
    expect(await readdir(join(directory, "runs"))).toEqual(["engine"]);
  });

  test("one that another process has started ends when it has done its part, though that one lives", async () => {
    const port = await freePort();
    const flags = (rank: number): readonly string[] => [
      ...["--nnodes=2", `--node_rank=${rank}`, "--master_addr=127.0.0.1", `--master_port=${port}`],
    ];
    const options = { trainSize: 400, testSize: 50, batchSize: 8, valSize: 20, maxSteps: 2, nodes: 2 };
    const first = start(["node", ...SMALL, "maxSteps=2", ...flags(0)], {
      ATOLL_RUN_ID: "family",
      ATOLL_TOKEN: "s",
    });
    const second = start(["node", "digits", ...flags(1)], {}, { options, runId: "family", token: "s" });
    expect([await first.exit, await second.exit]).toEqual([
      [0, null],
      [0, null],
    ]);
  });

  test("with other options, all end with exit code 2 and are told which", async () => {
    const port = await freePort();
    const rank = (number: number, seed: number): Started =>
      start([
        "node",
        ...SMALL,
        "maxSteps=4",
        `seed=${seed}`,
        "--nnodes=2",
        `--node_rank=${number}`,
        "--master_addr=127.0.0.1",
        `--master_port=${port}`,
      ]);
    const ranks = [rank(0, 1), rank(1, 2)];
    for (const { exit, error } of ranks) {
      expect(await exit).toEqual([2, null]);
      expect(error()).toContain('Rank 1 has other options than rank 0: "seed" is 2 there and 1 on rank 0.');
    }
    expect(await readdir(join(directory, "runs"))).toEqual([]);
  });

  test("at a port that is taken, rank 0 says so", async () => {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as net.AddressInfo;
    const flags = ["--nnodes=2", "--node_rank=0", "--master_addr=127.0.0.1", `--master_port=${port}`];
    const { exitCode, error } = await runCommand(["node", ...SMALL, ...flags], directory);
    expect({ exitCode, error }).toMatchObject({ exitCode: 2, error: expect.stringContaining(String(port)) });
  });
});
