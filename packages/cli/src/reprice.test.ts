// atoll reprice: the times of a real run elsewhere, and what it refuses.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
const TRAIN = "train digits trainSize=200 testSize=20 batchSize=4 valSize=10 nodes=3 maxSteps=6".split(" ");
const atoll = (...argv: readonly string[]): Promise<CommandResult> => runCommand(argv, directory);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-reprice-"));
  const diLoCo = ["strategy=diloco", "strategy.H=3", "network.profile=wan"];
  expect((await atoll(...TRAIN, ...diLoCo, "--name", "recorded")).exitCode).toBe(0);
  const contenders = ["strategy=ddp,fedavg", "strategy.H=3", "--name", "choice"];
  expect((await atoll("compare", ...TRAIN.slice(1), ...contenders)).exitCode).toBe(0);
  await mkdir(join(directory, "runs", "bare"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test("gives the times that training there takes, and trains nothing", async () => {
  const { exitCode, output, error } = await atoll(
    ..."reprice recorded network.profile=datacenter,mobile network.topology=ring --json".split(" "),
  );
  expect(exitCode).toBe(0);
  const { networks, recorded } = JSON.parse(output);
  expect(error).toContain("network.profile=mobile");
  const there = "strategy=diloco strategy.H=3 network.profile=mobile network.topology=ring --json";
  const real = JSON.parse((await atoll(...TRAIN, ...there.split(" "))).output);
  expect(networks[1]).toMatchObject({
    network: "network.profile=mobile",
    simulatedSeconds: real.simulatedSeconds,
    computeSeconds: real.computeSeconds,
    communicationSeconds: real.communicationSeconds,
    waitingSeconds: real.waitingSeconds,
  });
  expect(networks[0].simulatedSeconds).toBeLessThan(recorded.simulatedSeconds);
});

test.each([
  ["", /Expected a run first, got nothing/],
  ["network.profile=wan", /Expected a run first, got "network\.profile=wan"/],
  ["recordd network.profile=wan", /There is no run "recordd".*Did you mean "recorded"\?/],
  [
    "choice network.profile=wan",
    /^atoll: Expected one run, got choice, which is a comparison\. Name one of its runs, such as choice\/ddp\.\n$/,
  ],
  ["runs network.profile=wan", /got runs, which is the directory of all runs\. .* such as runs\/[a-z]/],
  ["bare network.profile=wan", /^atoll: Expected a run, got .*bare, which has no events\.jsonl\. [^?]*$/],
  ["recorded", /Expected a network to time the run on, got none/],
  ["recorded nodes=3,4", /Option "nodes": expected options of the network/],
  ["recorded network.profile=wan,moblie", /Option "network\.profile": .*Did you mean "mobile"\?/],
  ["recorded --jsn network.profile=wan", /Unknown flag "--jsn".*"--json"/],
])("refused: reprice %s", async (line, message) => {
  const { exitCode, error } = await atoll("reprice", ...line.split(" ").filter(Boolean));
  expect(error).toMatch(message);
  expect(exitCode).toBe(2);
});

test("an asynchronous run is refused, with what to do instead", async () => {
  await atoll(...TRAIN, "strategy=adpsgd", "--name", "asynchronous");
  const { exitCode, error } = await atoll("reprice", "asynchronous", "network.profile=wan");
  expect(error).toMatch(/asynchronous strategy adpsgd .*Train it there/);
  expect(exitCode).toBe(2);
});
