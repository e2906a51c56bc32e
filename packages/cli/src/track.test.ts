// Trackers from the command line: what is asked for is made, nothing else is, and no tracker can harm a run.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunEvent } from "@atoll/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CommandResult, runCommand } from "./test/command.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-track-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const RUN = "train digits trainSize=200 testSize=20 batchSize=8 maxSteps=6 valSize=20 valInterval=3 nodes=2";
const train = (options: string): Promise<CommandResult> =>
  runCommand(`${RUN} ${options}`.split(" "), directory);
const read = (...path: string[]): Promise<string> => readFile(join(directory, "runs", ...path), "utf8");

test("trackers that work are made, one that is down is said once, and the run is the same", async () => {
  expect(await train("--name plain")).toMatchObject({ exitCode: 0 });
  const { exitCode, output, error } = await train(
    "track=tensorboard,mlflow track.wandb.project=scaling --name tracked",
  );
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: "" });
  for (const file of ["train.csv", "validation.csv"])
    expect(await read("tracked", file)).toBe(await read("plain", file));
  const own = join(directory, "runs", "tracked");
  expect(error).toContain(`\nTrack   tensorboard --logdir ${own}\n`);
  expect(error).toMatch(/\nTrack {3}wandb sync .*tracked\/wandb\/offline-run-\d{8}_\d{6}-[0-9a-z]{8}\n/);
  const warning =
    'Tracker "mlflow" failed and is left out from here on: MLflow at http://127.0.0.1:5000 cannot be reached: getaddrinfo ENOTFOUND. The run goes on; events.jsonl has all of its metrics.';
  expect(error.split(`warning: ${warning}`)).toHaveLength(2);
  const events = (await read("tracked", "events.jsonl"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RunEvent);
  expect(events.filter(({ type }) => type === "warning")).toEqual([{ type: "warning", message: warning }]);
  const { options } = JSON.parse(await read("tracked", "config.json"));
  expect(options.track).toEqual({
    tensorboard: {},
    mlflow: { uri: "http://127.0.0.1:5000", experiment: "atoll" },
    wandb: { project: "scaling", tags: [] },
  });
  expect(JSON.parse(await read("plain", "config.json")).options).not.toHaveProperty("track");
});

test("directories are relative to where the command runs, and a resumed run may have other trackers", async () => {
  const stop = new AbortController();
  const argv = `${RUN} --name run track=tensorboard track.tensorboard.directory=logs`.split(" ");
  const { exitCode } = await runCommand(argv, directory, {
    signal: stop.signal,
    watch: (text) => {
      if (text.includes("step 3/6")) stop.abort();
    },
  });
  expect(exitCode).toBe(130);
  const resumed = await runCommand(
    ["train", "digits", "--name", "run", "--resume", "track=wandb"],
    directory,
  );
  expect(resumed).toMatchObject({ exitCode: 0 });
  expect(resumed.error).toContain("Track   wandb sync");
  expect(await readdir(join(directory, "logs", "run"))).toEqual([expect.stringMatching(/^events\.out/)]);
  expect(await readdir(join(directory, "runs", "run", "wandb"))).toHaveLength(2);
});

test("compare tracks what it trains; its list of trackers is no list of runs", async () => {
  const small = RUN.replace("train", "compare").replace("maxSteps=6", "maxSteps=3");
  const argv = `${small} strategy=ddp,fedavg network.profile=wan,mobile track=tensorboard,wandb --name both`;
  const { exitCode } = await runCommand(argv.split(" "), directory);
  expect(exitCode).toBe(0);
  const tracked = (await readdir(directory, { recursive: true }))
    .map((path) => path.split("/"))
    .filter((path) => !path.includes("latest-run")) // The link to the run beside it.
    .filter((path) => path.at(-1)!.startsWith("events.out.tfevents.") || path.at(-1)!.endsWith(".wandb"))
    .map((path) => `${path[2]} ${path.at(-1)!.split(".").at(-1)}`);
  expect(tracked.sort()).toEqual(["ddp-wan atoll", "ddp-wan wandb", "fedavg-wan atoll", "fedavg-wan wandb"]);
});

test.each([
  ["track=tensorbord", /Unknown option "track\.tensorbord"\. Did you mean "track\.tensorboard"\?/],
  ["track=3", /Option "track": expected names, as track=tensorboard,wandb, got 3/],
  ["track=wandb track.wandb.projct=a", /Unknown option "track\.wandb\.projct"\. Did you mean/],
  ["track.mlflow.uri=ftp://a", /Option "track\.mlflow\.uri": expected an address such as http.*got "ftp/],
])("%s is refused before any work", async (options, message) => {
  const { exitCode, output, error } = await train(options);
  expect({ exitCode, output }).toEqual({ exitCode: 2, output: "" });
  expect(error).toMatch(message);
  expect(error).toMatch(/^atoll: [^\n]+\n$/);
});
