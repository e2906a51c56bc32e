// From options as text to what the trainer takes.

import { ConfigError, type ConfigTree } from "@atoll/core";
import { parseAssignments } from "@atoll/core/config";
import type { Optimizer } from "@atoll/tensor";
import { defaultOptimizer, strategyEntries } from "@atoll/train";
import { expect, test } from "vitest";
import { builtIns } from "./experiments/index.ts";
import {
  fitOptionsOf,
  type ResolvedConfig,
  refuseChanges,
  resolveConfig,
  withDefaults,
} from "./runConfig.ts";

const digits = builtIns.find(({ name }) => name === "digits")!;
const nanogpt = builtIns.find(({ name }) => name === "nanogpt")!;
const resolve = (line: string, experiment = digits): ResolvedConfig =>
  resolveConfig(experiment, withDefaults(experiment, parseAssignments(line.split(" ").filter(Boolean))));

test("the benchmark's defaults: AdamW at 1e-3, DDP, batches of 64", () => {
  const { run, own } = resolve("");
  expect(run).toMatchObject({
    nodes: 1,
    maxSteps: 300,
    batchSize: 64,
    strategy: { kind: "ddp" },
    optimizer: { kind: "adamw", learningRate: 1e-3 },
  });
  expect(own.model).toBe("mlp");
});

test("epochs that are given replace the experiment's own number of steps", () => {
  expect(fitOptionsOf(resolve("numEpochs=2").run)).not.toHaveProperty("maxSteps");
  expect(resolve("maxSteps=7").run.maxSteps).toBe(7);
});

test("a batch of all nodes is divided among them, and goes before an experiment's own batch size", () => {
  const { run, options } = resolve("globalBatchSize=32 nodes=4", nanogpt);
  expect(run.batchSize).toBe(8);
  expect(fitOptionsOf(run)).toMatchObject({ batchSize: 8, nodes: 4 });
  expect(fitOptionsOf(run)).not.toHaveProperty("globalBatchSize");
  // As a resumed run says it: both, and they agree.
  expect(resolveConfig(nanogpt, options).run.batchSize).toBe(8);
  const scaled = { ...nanogpt, defaults: { globalBatchSize: 64 } };
  expect(resolve("nodes=2", scaled).run.batchSize).toBe(32);
  const { batchSize, globalBatchSize } = resolve("nodes=2 batchSize=5", scaled).run;
  expect({ batchSize, globalBatchSize }).toEqual({ batchSize: 5, globalBatchSize: undefined });
});

test("a choice: its name, its options, or options of the usual one", () => {
  expect(resolve("strategy=fedavg strategy.H=20").run.strategy).toMatchObject({ kind: "fedavg", H: 20 });
  expect(resolve("strategy.H=20 strategy=fedavg").run.strategy).toMatchObject({ kind: "fedavg", H: 20 });
  expect(resolve("optimizer.learningRate=0.5").run.optimizer).toMatchObject({
    kind: "adamw",
    learningRate: 0.5,
  });
  // A given optimizer replaces the experiment's own, options and all.
  expect(resolve("optimizer=sgd", nanogpt).run.optimizer).toMatchObject({ kind: "sgd", weightDecay: 0 });
  expect(resolve("optimizer.b2=0.95", nanogpt).run.optimizer).toMatchObject({ weightDecay: 0.1, b2: 0.95 });
});

test("a strategy's own optimizer holds where none is named, with the options that are given", () => {
  const optimizer = (line: string, experiment = digits) => resolve(line, experiment).run.optimizer;
  expect(optimizer("strategy=demo")).toMatchObject({ kind: "sgd", learningRate: 1e-3 });
  expect(optimizer("strategy=powersgd optimizer.learningRate=0.05")).toMatchObject({
    kind: "sgd",
    learningRate: 0.05,
    momentum: 0.9,
  });
  expect(optimizer("strategy=muloco strategy.H=5", nanogpt)).toMatchObject({
    kind: "muon",
    weightDecay: 0.01,
  });
  // Who names one takes it as it is.
  expect(optimizer("strategy=powersgd optimizer=sgd")).toMatchObject({ kind: "sgd", momentum: 0 });
  expect(optimizer("strategy=dgc optimizer=adamw", nanogpt)).toMatchObject({ kind: "adamw", b2: 0.99 });
  expect(optimizer("strategy=fedavg", nanogpt)).toMatchObject({ kind: "adamw", b2: 0.99 });
});

test.each(strategyEntries)(
  "the default optimizer of $name is what a config gets that names none",
  (entry) => {
    const { optimizer } = fitOptionsOf(resolve(`strategy=${entry.name}`).run).strategy;
    const configs = ({ parts }: Optimizer): unknown =>
      parts.map(({ transformation }) => transformation.config);
    const values = entry.options.parse({});
    expect(configs(optimizer)).toEqual(configs(entry.create(values, defaultOptimizer(entry)).optimizer));
  },
);

test("resolving a resolved config changes nothing, through JSON too", () => {
  for (const line of [
    "",
    "strategy=diloco network.latency=[0.1,0.2]",
    "partition=dirichlet compute=measured",
  ]) {
    const { options } = resolve(line);
    expect(resolveConfig(digits, JSON.parse(JSON.stringify(options)) as ConfigTree).options).toEqual(options);
  }
});

test("a resumed run refuses every change but that of the workers", () => {
  const saved = resolve("strategy=fedavg strategy.H=5").options;
  const changed = (line: string): (() => void) => {
    const given = resolve(`strategy=fedavg strategy.H=5 ${line}`).options;
    return () => refuseChanges(saved, given);
  };
  expect(changed("workers=2")).not.toThrow();
  expect(changed("nodes=1")).not.toThrow();
  for (const line of ["seed=1", "strategy.H=6", "network.topology=ring", "network.nic=1e6"]) {
    expect(changed(line)).toThrow(ConfigError);
    expect(changed(line)).toThrow(`Option "${line.split("=")[0]}" of the run to resume is`);
  }
});

test("topologies and TCP models take their options from the command line", () => {
  const islands = resolve(
    "network.topology=islands network.islandSize=2 network.profile=datacenter network.between.profile=mobile",
  ).run.network;
  expect(islands).toMatchObject({ topology: "islands", islandSize: 2, between: { profile: "mobile" } });
  expect(resolve("network.topology=torus network.dimensions=[2,4]").run.network.dimensions).toEqual([2, 4]);
  expect(resolve("network.topology=custom network.edges=[[0,1],[1,2]]").run.network.edges).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect(resolve("network.nic.up=1e6 network.nic.down=1e7").run.network.nic).toEqual({ up: 1e6, down: 1e7 });
  expect(
    resolve("network.congestion=cubic network.slowStart=true network.flows=4").run.network,
  ).toMatchObject({
    congestion: "cubic",
    slowStart: true,
    flows: 4,
  });
  expect(resolve("network.tcp=rounds").run.network).toMatchObject({ tcp: "rounds" });
});
