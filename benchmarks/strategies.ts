// What each strategy costs in wall-clock time beside the training itself: mlp on 8 nodes, batch 64, every strategy that a
// config can name, with its default options. The share is (a − b) / b, where a is the time per step with the strategy and
// b that of the same run whose nodes exchange nothing: the same optimizer, the same runs of local steps. So a strategy's own
// work is all that its exchange adds: compressing, the arithmetic of collectives, simulating the network, and workers that
// stand idle meanwhile; the optimizer that a strategy needs (Muon) is training. Both are medians over repeats that
// alternate, over whole rounds and after a first one. 1-bit Adam's warm-up is cut to 5 steps: what is measured is the rest.
// On real MNIST where ATOLL_DATA has it, on generated digits elsewhere.
//
//   npx node benchmarks/strategies.ts [repeats] [names …]

import { existsSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "@atoll/core";
import { adamW, muon, type Optimizer, sgd } from "@atoll/tensor";
import { type Dataset, digits, mlp, type Strategy, strategyEntries } from "@atoll/train";
import { LocalTrainer, loadMnist, startWorkers } from "@atoll/train/node";
import { median, printTable, type Row } from "./table.ts";

const NODES = 8;
const LEAST_STEPS = 40;
const GOAL_PERCENT = 30;

/** Optimizers of the strategies whose own default is not AdamW. */
const optimizers: Readonly<Record<string, () => Optimizer>> = {
  demo: () => sgd({ learningRate: 1e-3 }),
  onebitadam: () => sgd({ learningRate: 1e-3 }),
  dgc: () => sgd({ learningRate: 0.1 }),
  powersgd: () => sgd({ learningRate: 0.1, momentum: 0.9 }),
  muloco: () => muon(),
};
const overrides: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  onebitadam: { warmupSteps: 5 },
};

const [repeatsGiven, ...wanted] = process.argv.slice(2);
const repeats = Number(repeatsGiven ?? 3);
const directory = process.env.ATOLL_DATA;
const hasMnist = directory !== undefined && existsSync(join(directory, "mnist"));

const loadTrain = async (): Promise<Dataset> =>
  hasMnist
    ? (await loadMnist({ directory, fetch })).train
    : digits({ trainSize: 20_000, testSize: 10, random: createRandom(1) }).train;

await using workers = startWorkers();
const trainer = new LocalTrainer({ model: mlp(), train: await loadTrain(), workers });

/** The same run of steps, in which nothing is exchanged. */
function silent(strategy: Strategy): Strategy {
  if (strategy.kind === "gradient") {
    const { prepare: _, ...gradient } = strategy;
    return { ...gradient, exchange: async () => undefined };
  }
  const { begin: _, ...parameter } = strategy;
  return { ...parameter, synchronise: async () => undefined };
}

/** Wall-clock milliseconds a step, over whole rounds. */
async function msPerStep(strategy: Strategy, round: number): Promise<number> {
  const warmUp = Math.ceil(20 / round) * round;
  const steps = Math.ceil(LEAST_STEPS / round) * round;
  let from = 0;
  let to = 0;
  await trainer.fit({
    strategy,
    nodes: NODES,
    maxSteps: warmUp + steps,
    batchSize: 64,
    seed: 1,
    valSize: 0,
    emit(event) {
      if (event.type !== "step") return;
      if (event.step === warmUp) from = performance.now();
      if (event.step === warmUp + steps) to = performance.now();
    },
  });
  return (to - from) / steps;
}

const rows: Row[] = [];
for (const { name, options, create } of strategyEntries) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const values = options.parse(overrides[name] ?? {});
  const strategy = create(values, (optimizers[name] ?? adamW)());
  const round = typeof values.H === "number" ? values.H : 1;
  const plain: number[] = [];
  const whole: number[] = [];
  for (let i = 0; i < repeats; i++) {
    plain.push(await msPerStep(silent(strategy), round));
    whole.push(await msPerStep(strategy, round));
  }
  const own = median(whole) - median(plain);
  const percent = (100 * own) / median(plain);
  rows.push({
    strategy: name,
    H: round,
    "training ms": median(plain).toFixed(2),
    "own ms": own.toFixed(2),
    "own %": percent.toFixed(0),
    goal: `< ${GOAL_PERCENT} %`,
    met: percent < GOAL_PERCENT ? "yes" : "no",
  });
}
printTable(
  `Strategies' own work, mlp on ${NODES} nodes, ${hasMnist ? "MNIST" : "digits"}, ms per step of all nodes, median of ${repeats}`,
  rows,
);
