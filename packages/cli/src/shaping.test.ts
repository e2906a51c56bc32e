// Links that the kernel shapes: ranks in network namespaces of their own, joined by a bridge as containers are. Takes root and
// a kernel with htb; the machine's own network is not touched.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";

const run = promisify(execFile);
const bin = fileURLToPath(new URL("../bin/atoll.mjs", import.meta.url));
const RANKS = [0, 1, 2];
const addressOf = (rank: number): string => `10.213.255.${rank + 1}`;
/** Names of network namespaces: each rank's, and one with the bridge between them. */
const spaceOf = (what: number | "bridge"): string => `atoll-shaping-${process.pid}-${what}`;
const inSpace = (what: number | "bridge", argv: readonly string[]) =>
  run("ip", ["netns", "exec", spaceOf(what), ...argv]);

async function makeSpaces(): Promise<void> {
  await run("ip", ["netns", "add", spaceOf("bridge")]);
  await inSpace("bridge", ["ip", "link", "add", "bridge", "type", "bridge"]);
  await inSpace("bridge", ["ip", "link", "set", "bridge", "up"]);
  for (const rank of RANKS) {
    await run("ip", ["netns", "add", spaceOf(rank)]);
    const pair = `link add port${rank} type veth peer name eth0 netns ${spaceOf(rank)}`;
    await inSpace("bridge", ["ip", ...pair.split(" ")]);
    await inSpace("bridge", ["ip", "link", "set", `port${rank}`, "master", "bridge", "up"]);
    await inSpace(rank, ["ip", "address", "add", `${addressOf(rank)}/24`, "dev", "eth0"]);
    await inSpace(rank, ["ip", "link", "set", "eth0", "up"]);
    await inSpace(rank, ["tc", "qdisc", "replace", "dev", "eth0", "root", "handle", "1:", "htb"]);
  }
}

const removeSpaces = (): Promise<unknown> =>
  Promise.all(
    (["bridge", ...RANKS] as const).map((what) =>
      run("ip", ["netns", "delete", spaceOf(what)]).catch(() => undefined),
    ),
  );

/** Why links cannot be shaped here; undefined if they can. The queues that it makes stand for those of a killed run. */
async function obstacle(): Promise<string | undefined> {
  try {
    await makeSpaces();
    return undefined;
  } catch (error) {
    await removeSpaces();
    return `takes root, iproute2 and htb: ${(error as Error).message.trim().split("\n").at(-1)}`;
  }
}

const without = await obstacle();
afterAll(removeSpaces);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-shaping-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const SMALL = "digits trainSize=400 testSize=50 batchSize=8 valSize=0 maxSteps=3".split(" ");

interface Ended {
  readonly code: number | null;
  readonly error: string;
}

async function rank(number: number, options: readonly string[], prefix: readonly string[]): Promise<Ended> {
  const flags = ["--nnodes=3", `--node_rank=${number}`, `--master_addr=${addressOf(0)}`];
  const node = [...prefix, process.execPath, bin, "node", ...SMALL, ...options, ...flags];
  const child = spawn("ip", ["netns", "exec", spaceOf(number), ...node], {
    cwd: directory,
    env: { ...process.env, ATOLL_TOKEN: "secret" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let error = "";
  child.stderr.on("data", (chunk: Buffer) => {
    error += chunk;
  });
  const [code] = await once(child, "close");
  return { code, error };
}

/** @param prefix of a rank's command */
const ranks = (
  name: string,
  options: readonly string[],
  prefix: (rank: number) => readonly string[] = () => [],
): Promise<readonly Ended[]> =>
  Promise.all(
    RANKS.map((number) =>
      rank(number, [...options, ...(number === 0 ? ["--name", name] : [])], prefix(number)),
    ),
  );

const readRun = (name: string, file: string): Promise<string> =>
  readFile(join(directory, "runs", name, file), "utf8");

async function eventsOf(name: string): Promise<readonly Record<string, never>[]> {
  return (await readRun(name, "events.jsonl"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** The queues that ranks have, but for what the kernel puts there by itself. */
async function queues(): Promise<readonly string[]> {
  const shown = await Promise.all(
    RANKS.map((number) => inSpace(number, ["tc", "-json", "qdisc", "show", "dev", "eth0"])),
  );
  const all = shown.flatMap(({ stdout }) => JSON.parse(stdout) as { kind: string; handle: string }[]);
  return all.filter(({ handle }) => handle !== "0:").map(({ kind }) => kind);
}

/** May not change network devices, root or not. */
const POWERLESS = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];

describe.skipIf(without !== undefined)("ranks in network namespaces", () => {
  test("auto has the kernel shape them, from what a killed run left to nothing left", async () => {
    const bandwidth = 4e6;
    const network = [`network.bandwidth=${bandwidth}`, "network.latency=0.002", "network.topology=ring"];
    expect(await queues()).toEqual(["htb", "htb", "htb"]);
    const ended = await ranks("real", network);
    expect(ended.map(({ code, error }) => [code, code === 0 ? "" : error])).toEqual(RANKS.map(() => [0, ""]));
    expect(await queues()).toEqual([]);
    const events = await eventsOf("real");
    const shaping = expect.stringMatching(/^tc \(htb(, netem\)|\), delays in user space)$/);
    expect(events[0]).toMatchObject({ config: { shaping } });
    expect(JSON.parse(await readRun("real", "config.json"))).toMatchObject({ resolved: { shaping } });
    expect(await readRun("real", "report.html")).toContain("by tc (htb");
    expect(ended[0]!.error).toContain("links shaped by tc (htb");
    expect(
      (await runCommand(["train", ...SMALL, "nodes=3", ...network, "--name", "rehearsed"], directory))
        .exitCode,
    ).toBe(0);
    expect(await readRun("real", "train.csv")).toBe(await readRun("rehearsed", "train.csv"));
    const collectives = events.filter(({ type }) => type === "collective") as unknown as readonly {
      readonly ready: readonly number[];
      readonly end: readonly number[];
      readonly bytes: readonly number[];
    }[];
    expect(collectives.length).toBeGreaterThan(0);
    for (const { ready, end, bytes } of collectives) {
      // A last packet, as large as offloading makes them, goes on credit.
      const least = (Math.max(...bytes) - 2 * 65_536) / bandwidth;
      expect(Math.max(...end) - Math.min(...ready)).toBeGreaterThan(least);
    }
  });

  test("where one may not, auto does without on all, and says so; tc is refused on all", async () => {
    const network = ["network.profile=datacenter"];
    const powerless = (number: number): readonly string[] => (number === 1 ? POWERLESS : []);
    const [first] = await ranks("mixed", network, powerless);
    expect(first).toMatchObject({
      code: 0,
      error: expect.stringMatching(/links shaped in user space\. Not tc: Rank 1: tc /),
    });
    expect((await eventsOf("mixed"))[0]).toMatchObject({ config: { shaping: "userSpace" } });
    expect(await queues()).toEqual([]);
    for (const { code, error } of await ranks("refused", [...network, "shaping=tc"], powerless)) {
      expect(error).toMatch(
        /tc cannot shape the links\. Rank 1: tc .*\(it takes CAP_NET_ADMIN\)\. Use shaping=user/,
      );
      expect(code).toBe(2);
    }
    expect(await queues()).toEqual([]);
  });
});

test.runIf(without !== undefined)("ranks in network namespaces", ({ skip }) => skip(without));

test("processes of one machine are not shaped by its kernel", async () => {
  const argv = ["train", ...SMALL, "mode=processes", "nodes=2", "network.profile=wan", "shaping=tc"];
  expect(await runCommand(argv, directory)).toMatchObject({
    exitCode: 2,
    error: expect.stringContaining('Option "shaping": tc shapes what leaves a container'),
  });
});
