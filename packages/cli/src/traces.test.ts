// Bandwidth traces from the command line: read, stated in config.json and the report, kept for a resume, refused.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-traces-"));
  await writeFile(join(directory, "up.csv"), "time,bytes/s\n0,2e6\n0.3,0\n0.5,4e6\n1.5,0\n");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const QUICK = "train digits trainSize=200 testSize=20 batchSize=8 valSize=0 nodes=3 network.latency=0.01";
const atoll = (line: string, options = {}) => runCommand(`${QUICK} ${line}`.split(" "), directory, options);
const read = (name: string, file: string): Promise<string> =>
  readFile(join(directory, "runs", name, file), "utf8");

const CHANGING =
  "network.trace=up.csv network.trace.repeat=true network.trace.shift=true network.background.load=0.3";

test("a run on traced links: config.json has points and summary, the report a sentence", async () => {
  expect((await atoll(`maxSteps=4 ${CHANGING} --name traced`)).exitCode).toBe(0);
  const { options, resolved } = JSON.parse(await read("traced", "config.json"));
  const points = [
    [0, 2e6],
    [0.3, 0],
    [0.5, 4e6],
    [1.5, 0],
  ];
  expect(options.network).toMatchObject({
    trace: { name: "up.csv", points, repeat: true, shift: true },
    background: { load: 0.3 },
  });
  expect(resolved.network).toMatchObject({
    trace: { name: "up.csv", rows: 4, length: 1.5, most: 4e6 },
    background: { load: 0.3, interval: 1 },
  });
  const report = await read("traced", "report.html");
  expect(report).toContain("Links follow the bandwidth trace up.csv of 1.50 s in 4 rows");
  expect(report).toContain("Background traffic takes 30 % of each direction of a link");
});

test("a run that is broken off and resumed, its file gone, takes the times of an unbroken one", async () => {
  const run = `maxSteps=12 network.jitter=0.2 network.loss=0.01 ${CHANGING}`;
  expect((await atoll(`${run} --name whole`)).exitCode).toBe(0);
  const stop = new AbortController();
  const watch = (text: string): void => {
    if (/step +5\/12/.test(text)) stop.abort();
  };
  expect((await atoll(`${run} --name broken`, { signal: stop.signal, watch })).exitCode).toBe(130);
  const changed = await atoll(`network.trace.shift=false --name broken --resume`);
  expect(changed.error).toMatch(/Option "network\.trace\.shift" of the run to resume is true, got false\./);
  await rm(join(directory, "up.csv"));
  expect((await atoll("--name broken --resume")).exitCode).toBe(0);
  expect(await read("broken", "train.csv")).toBe(await read("whole", "train.csv"));
});

test("a resume with a file that has changed is refused, in a short message", async () => {
  const stop = AbortSignal.abort();
  const rows = Array.from({ length: 5000 }, (_, i) => `${i},1e6`);
  await writeFile(join(directory, "long.csv"), rows.join("\n"));
  await atoll("maxSteps=4 network.trace=long.csv --name broken", { signal: stop });
  await writeFile(join(directory, "long.csv"), rows.slice(1000).join("\n").replace("1000,", "0,"));
  const { error, exitCode } = await atoll("maxSteps=4 network.trace=long.csv --name broken --resume");
  expect(exitCode).toBe(2);
  expect(error).toMatch(/Option "network\.trace\.points" of the run to resume is \[\[0,1000000\],/);
  expect(error.length).toBeLessThan(600);
});

test("links one by one and the links between islands take files too", async () => {
  const again = '{"from":0,"to":2,"trace":{"file":"up.csv","repeat":true}}';
  const links = `[{"from":0,"to":1,"trace":"up.csv"},{"from":1,"to":2,"bandwidth":1e6},${again}]`;
  const more =
    "network.topology=islands network.islandSize=2 network.between.trace=up.csv network.between.trace.repeat=true";
  expect((await atoll(`maxSteps=1 network.links=${links} ${more} --name both`)).exitCode).toBe(0);
  const { resolved } = JSON.parse(await read("both", "config.json"));
  expect(resolved.network.links[0]).toMatchObject({ trace: { name: "up.csv", repeat: false } });
  expect(resolved.network.links[2]).toMatchObject({ trace: { name: "up.csv", repeat: true } });
  expect(resolved.network.between).toMatchObject({ trace: { name: "up.csv", repeat: true } });
});

test.each<[string, number, RegExp]>([
  [
    "network.trace=bad.csv",
    2,
    /Bandwidth trace "bad\.csv", line 3: expected two numbers, seconds, bytes per second, got "0\.5;2e6"\./,
  ],
  ["network.trace=nope.csv", 2, /Bandwidth trace "nope\.csv" cannot be read: ENOENT/],
  ["network.trace=.", 2, /Bandwidth trace "\." cannot be read: EISDIR/],
  [
    "network.trace=5",
    2,
    /Option "network\.trace": expected a CSV file, as network\.trace=uplink\.csv, got 5\./,
  ],
  [
    "network.trace.repeat=true",
    2,
    /Option "network\.trace": expected a CSV file beside repeat, as network\.trace=uplink\.csv, got \{"repeat":true\}\./,
  ],
  [
    "network.topology=islands network.between.trace.repeat=true network.between.trace.shift=true",
    2,
    /Option "network\.between\.trace": expected a CSV file beside repeat and shift, as network\.trace=uplink\.csv/,
  ],
  [
    'network.links=[{"from":0,"to":1,"trace":{"repeat":true}}]',
    2,
    /Option "network\.links\[0\]\.trace": expected a CSV file beside repeat, as/,
  ],
  ["network.trace=up.csv network.trace.repat=true", 2, /Did you mean "network\.trace\.repeat"\?/],
  [
    "network.trace=up.csv network.trace.shift=true",
    2,
    /"network\.trace\.shift" needs network\.trace\.repeat/,
  ],
  ["network.trace=up.csv network.bandwidth=1e6", 2, /give one of them, not both/],
  [
    "network.trace=up.csv maxSteps=60 strategy=sgp",
    2,
    /trace "up\.csv" of the link from node \d to node \d ends at 1\.50 s, .* The run of 60 steps was timed before any training\./,
  ],
  ["network.background.load=1", 2, /Option "network\.background\.load": expected .*0\.99, got 1\./],
  ["network.background=0.3", 2, /as network\.background\.load=0\.3, got 0\.3/],
  [
    "network.trace=up.csv maxSteps=60",
    2,
    /trace "up\.csv" of the link from node \d to node \d ends at 1\.50 s, but at simulated time .* Give a longer trace/,
  ],
  [
    "network.trace=up.csv maxSteps=60 faults.churn.uptime=1e6 faults.churn.downtime=1",
    1,
    /trace "up\.csv" of the link from node \d to node \d ends at 1\.50 s/,
  ],
])("%s is refused", async (line, exitCode, message) => {
  await writeFile(join(directory, "bad.csv"), "time,bytes/s\n0,1e6\n0.5;2e6\n");
  const result = await atoll(`maxSteps=2 ${line}`.replace(/maxSteps=2 (.*maxSteps)/, "$1"));
  expect(result.error).toMatch(message);
  expect(result).toMatchObject({ exitCode, output: "" });
});

test("a comparison times its runs, trained or repriced, before the first of them, and names the one whose trace is short", async () => {
  const compare = (line: string) =>
    runCommand(
      `compare digits trainSize=200 testSize=20 batchSize=8 valSize=0 nodes=3 network.latency=0.01 ${line}`.split(
        " ",
      ),
      directory,
    );
  await writeFile(join(directory, "long.csv"), "0,2e6\n1e6,0\n");
  const short = "of the link from node \\d to node \\d ends at 1\\.50 s, .* Nothing has been run\\.\n$";
  const refused: readonly (readonly [string, string])[] = [
    ["maxSteps=60 network.trace=up.csv,long.csv", "network\\.trace=up\\.csv"],
    ["maxSteps=60 network.trace=long.csv,up.csv allReduce=ring", "network\\.trace=up\\.csv"],
    ["maxSteps=2,60 network.trace=up.csv", "maxSteps=60"],
  ];
  for (const [line, label] of refused) {
    const { error, exitCode, output } = await compare(line);
    expect(error).toMatch(new RegExp(`^atoll: ${label}: The bandwidth trace "up\\.csv" ${short}`));
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
    expect(existsSync(join(directory, "runs"))).toBe(false);
  }
  const lasting = await compare("maxSteps=2 network.trace=long.csv,up.csv allReduce=ring");
  expect(lasting.error).toContain("2 runs from 1 training");
  expect(lasting.exitCode).toBe(0);
});
