// Training alone, as EXO Gym's `fit` was timed: smallCnn on 4 nodes, 50 steps, batch 64, AdamW, no evaluation. Tracing,
// lowering and sessions count; loading data and starting the process do not. CPU time tells whether the cores are busy.

import { createRandom } from "@atoll/core";
import { ddp, digits, fedAvg, type Strategy, smallCnn } from "@atoll/train";
import { LocalTrainer } from "@atoll/train/node";
import { median, printTable, type Row } from "./table.ts";

interface Case {
  readonly name: string;
  readonly strategy: Strategy;
  /** EXO Gym's seconds, measured once on 2 cores. */
  readonly exoGym: number;
}

const cases: readonly Case[] = [
  { name: "FedAvg, H = 20", strategy: fedAvg({ H: 20 }), exoGym: 25.9 },
  { name: "DDP", strategy: ddp(), exoGym: 23.9 },
];

const repeats = Number(process.argv[2] ?? 3);
const { train } = digits({ trainSize: 20_000, testSize: 10, random: createRandom(1) });
const trainer = new LocalTrainer({ model: smallCnn(), train });

async function timeFit(strategy: Strategy): Promise<{ readonly wall: number; readonly cpu: number }> {
  const before = process.cpuUsage();
  const start = performance.now();
  await trainer.fit({ strategy, nodes: 4, maxSteps: 50, batchSize: 64, seed: 1 });
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

const rows: Row[] = [];
for (const { name, strategy, exoGym } of cases) {
  const measured = [];
  for (let i = 0; i < repeats; i++) measured.push(await timeFit(strategy));
  const wall = median(measured.map((m) => m.wall));
  rows.push({
    strategy: name,
    "fit s": wall.toFixed(2),
    "CPU / wall": (median(measured.map((m) => m.cpu)) / wall).toFixed(2),
    goal: "13 s, 1.7",
    "EXO Gym s": exoGym,
    "times faster": (exoGym / wall).toFixed(1),
  });
}
printTable(`smallCnn, 4 nodes × 50 steps, fit alone, median of ${repeats}`, rows);
