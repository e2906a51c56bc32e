// What each strategy costs in wall-clock time beside the training itself: mlp on 8 nodes, batch 64, every strategy that a
// config can name, with its default options and the optimizer that it gets where a config names none. Its own work is a − b,
// where a is the time per step with the strategy and b that of the same run whose nodes exchange nothing: the same optimizer,
// the same runs of local steps. It is given as a part of training alone (b) and of the step (a), for which there is a goal.
// So a strategy's own work is all that it adds: compressing, the arithmetic of collectives, simulating the network, workers
// that stand idle meanwhile, and FedProx's proximal term; the optimizer that a strategy needs (Muon) is training. 1-bit Adam
// and DGC are optimizers themselves, over plain SGD: they are held against the optimizer that they stand for.
// Each repeat is a process of its own, since where its memory happens to lie makes some of them a tenth slower. In each, both are
// run twice, and the first time does not count: it takes about a hundred steps until all code has been compiled for speed. Both are
// medians over the rounds (of as many steps as lie between two exchanges) of all repeats, so that a disturbance counts for no
// more than the rounds that it hits. A round ends with its last node: where nodes do not wait for all others (NoLoCo's pairs),
// half of the next one is done by then, and a run's last round takes half the time, so that it does not count. On a machine
// that does other things all the time, wall-clock time says little; so the same is printed of processor time, of all threads
// and of the main one, which holds the workers up where it is busy alone.
// 1-bit Adam's warm-up is cut to 5 steps: what is measured is the rest.
// On real MNIST where ATOLL_DATA has it, on generated digits elsewhere.
//
//   npx node benchmarks/strategies.ts [repeats] [names …]

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "@atoll/core";
import { adam, type Optimizer, sgd } from "@atoll/tensor";
import { type Dataset, defaultOptimizer, digits, mlp, type Strategy, strategyEntries } from "@atoll/train";
import { LocalTrainer, loadMnist, startWorkers } from "@atoll/train/node";
import { median, printTable, type Row } from "./table.ts";

const NODES = 8;
const WARM_UP_STEPS = 20;
const LEAST_STEPS = 100;
const GOAL_PERCENT = 30;
/** Set, to the number of the repeat, where a process measures one strategy for another that prints the table. */
const ALONE = "ATOLL_BENCHMARK_ALONE";

/** What strategies that do an optimizer's work themselves are held against. */
const standsFor: Readonly<Record<string, () => Optimizer>> = {
  onebitadam: () => adam(),
  dgc: () => sgd({ learningRate: 0.1, momentum: 0.9 }),
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

const NOTHING = { tensors: {}, values: {} };

/** The same run of steps with an optimizer and nothing else: no exchange, and nothing that is remembered for one. */
function silent(strategy: Strategy, optimizer: Optimizer): Strategy {
  if (strategy.kind === "gradient") {
    const { prepare: _, ...gradient } = strategy;
    return { ...gradient, optimizer, init: () => NOTHING, exchange: async () => undefined };
  }
  const { begin: _, prepare: __, ...parameter } = strategy;
  return { ...parameter, optimizer, init: () => NOTHING, synchronise: async () => undefined };
}

/** Milliseconds a step: on the wall, of the processor on all threads, and of the processor on the main thread. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
  readonly main: number;
}

const processorMs = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1000;
const now = (): Cost => ({
  wall: performance.now(),
  cpu: processorMs(process.cpuUsage()),
  main: processorMs(process.threadCpuUsage()),
});

/** What a step costs, by round. */
async function costsOfStep(
  trainer: LocalTrainer,
  strategy: Strategy,
  round: number,
): Promise<readonly Cost[]> {
  const warmUp = Math.ceil(WARM_UP_STEPS / round) * round;
  const steps = Math.ceil(LEAST_STEPS / round) * round;
  const moments: Cost[] = [];
  await trainer.fit({
    strategy,
    nodes: NODES,
    maxSteps: warmUp + steps + round,
    batchSize: 64,
    seed: 1,
    valSize: 0,
    emit(event) {
      if (event.type !== "step" || event.step % round !== 0) return;
      if (event.step >= warmUp && event.step <= warmUp + steps) moments.push(now());
    },
  });
  const each = (kind: keyof Cost, i: number): number => (moments[i + 1]![kind] - moments[i]![kind]) / round;
  return moments
    .slice(1)
    .map((_, i) => ({ wall: each("wall", i), cpu: each("cpu", i), main: each("main", i) }));
}

/** What a step costs in all rounds, without the strategy and with it. */
interface Measured {
  /** Steps of a round. */
  readonly round: number;
  readonly plain: readonly Cost[];
  readonly whole: readonly Cost[];
}

type Entry = (typeof strategyEntries)[number];

async function measured(entry: Entry, repeat: number): Promise<Measured> {
  const { name, options, create } = entry;
  const values = options.parse(overrides[name] ?? {});
  const optimizer = defaultOptimizer(entry);
  const strategy = create(values, optimizer);
  const unexchanged = silent(strategy, standsFor[name]?.() ?? optimizer);
  const round = typeof values.H === "number" ? values.H : 1;
  await using workers = startWorkers();
  const trainer = new LocalTrainer({ model: mlp(), train: await loadTrain(), workers });
  const plain = () => costsOfStep(trainer, unexchanged, round);
  const whole = () => costsOfStep(trainer, strategy, round);
  // Until all code has been compiled.
  await plain();
  await whole();
  // Neither always comes first.
  if (repeat % 2 === 0) return { round, plain: await plain(), whole: await whole() };
  return { round, whole: await whole(), plain: await plain() };
}

function rowOf(name: string, repeatsOfIt: readonly Measured[]): Row {
  const middle = (run: "plain" | "whole", kind: keyof Cost): number =>
    median(repeatsOfIt.flatMap((repeat) => repeat[run].map((cost) => cost[kind])));
  const own = (kind: keyof Cost): number => middle("whole", kind) - middle("plain", kind);
  const ofTraining = (kind: "wall" | "cpu"): number => (100 * own(kind)) / middle("plain", kind);
  const ofStep = (100 * own("wall")) / middle("whole", "wall");
  return {
    strategy: name,
    H: repeatsOfIt[0]!.round,
    "training ms": middle("plain", "wall").toFixed(2),
    "own ms": own("wall").toFixed(2),
    "own, % of training": ofTraining("wall").toFixed(0),
    "own, % of the step": ofStep.toFixed(0),
    goal: `< ${GOAL_PERCENT} % of the step`,
    met: ofStep < GOAL_PERCENT ? "yes" : "no",
    "training cpu ms": middle("plain", "cpu").toFixed(2),
    "own cpu ms": own("cpu").toFixed(2),
    "own cpu, % of training": ofTraining("cpu").toFixed(0),
    "of it main ms": own("main").toFixed(2),
  };
}

/** A strategy's repeat in a process of its own: what earlier runs leave behind would cost later ones time. */
function measuredAlone(name: string, repeat: number): Measured {
  const { status, stdout } = spawnSync(process.execPath, [import.meta.filename, "1", name], {
    env: { ...process.env, [ALONE]: String(repeat) },
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`The measurement of ${name} ended with exit code ${status}.`);
  return JSON.parse(stdout) as Measured;
}

const entries = strategyEntries.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const alone = process.env[ALONE];
if (alone !== undefined) console.log(JSON.stringify(await measured(entries[0]!, Number(alone))));
else
  printTable(
    `Strategies' own work, mlp on ${NODES} nodes, ${hasMnist ? "MNIST" : "digits"}, ms per step of all nodes, median of ${repeats} processes' rounds`,
    entries.map(({ name }) =>
      rowOf(
        name,
        Array.from({ length: repeats }, (_, repeat) => measuredAlone(name, repeat)),
      ),
    ),
  );
