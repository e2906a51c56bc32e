// The main job as a user starts it: whole processes, timed from outside, on real MNIST where ATOLL_DATA has it and on
// generated digits elsewhere. Reference figures are EXO Gym's (PyTorch, one process a node), measured once on 2 cores.
// What this does not show: other machines, GPUs, more cores.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { median, printTable, type Row } from "./table.ts";

interface Job {
  readonly name: string;
  readonly nodes: number;
  readonly options: readonly string[];
  /** EXO Gym's seconds and megabytes for the same job. */
  readonly exoGym?: { readonly seconds: number; readonly megabytes?: number };
  readonly goal: string;
}

const fedAvg = ["strategy=fedavg", "strategy.H=20"];

/** Few steps among many nodes: how the cost grows with their number. */
const large = (nodes: number, goal = ""): Job => ({
  name: `mlp DDP ${nodes} × 5, batch 16`,
  nodes,
  options: ["strategy=ddp", "maxSteps=5", "batchSize=16"],
  goal,
});

const jobs: readonly Job[] = [
  {
    name: "mlp FedAvg 4 × 200",
    nodes: 4,
    options: [...fedAvg, "maxSteps=200"],
    exoGym: { seconds: 13.2, megabytes: 900 },
    goal: "2 s, 400 MB",
  },
  {
    name: "mlp DDP 4 × 200",
    nodes: 4,
    options: ["strategy=ddp", "maxSteps=200"],
    exoGym: { seconds: 21.6 },
    goal: "3 s",
  },
  {
    name: "mlp FedAvg 16 × 100",
    nodes: 16,
    options: [...fedAvg, "maxSteps=100"],
    exoGym: { seconds: 29.6, megabytes: 2400 },
    goal: "4 s",
  },
  large(10),
  large(100),
  large(1000, "15 s: 3 s a step"),
];

interface Measured {
  readonly wall: number;
  readonly cpu: number;
  readonly fit: number;
  readonly megabytes: number;
}

const atoll = resolve(import.meta.dirname, "../packages/cli/bin/atoll.mjs");

/** Runs a job once. The shell's `times` tells the CPU seconds of the process it waited for. */
function run({ nodes, options }: Job, experiment: readonly string[], runs: string): Measured {
  const start = performance.now();
  const { stdout, status, stderr } = spawnSync(
    "sh",
    [
      "-c",
      '"$@" && times',
      "sh",
      process.execPath,
      atoll,
      "train",
      ...experiment,
      ...options,
      `nodes=${nodes}`,
      "seed=1",
      "valSize=0",
      "--json",
      "--runs-dir",
      runs,
    ],
    { encoding: "utf8", maxBuffer: 1 << 26 },
  );
  const wall = (performance.now() - start) / 1000;
  if (status !== 0) throw new Error(`The job failed:\n${stderr}`);
  const lines = stdout.trim().split("\n");
  const summary = JSON.parse(lines.find((line) => line.startsWith("{"))!) as {
    wallSeconds: number;
    peakRssBytes: number;
  };
  return {
    wall,
    cpu: childSeconds(lines.at(-1)!),
    fit: summary.wallSeconds,
    megabytes: summary.peakRssBytes / 1e6,
  };
}

/** "0m1.230s 0m0.100s" -> 1.33 */
const childSeconds = (line: string): number =>
  [...line.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds),
    0,
  );

const repeats = Number(process.argv[2] ?? 3);
const hasMnist = process.env.ATOLL_DATA !== undefined && existsSync(process.env.ATOLL_DATA);
const experiment = hasMnist ? ["mnist"] : ["digits", "trainSize=20000", "testSize=10000"];
const runs = mkdtempSync(join(tmpdir(), "atoll-bench-"));
const rows = jobs.map((job): Row => {
  const measured = Array.from({ length: repeats }, () => run(job, experiment, runs));
  const of = (key: keyof Measured): number => median(measured.map((m) => m[key]));
  const ratio = job.exoGym && job.exoGym.seconds / of("wall");
  return {
    job: job.name,
    "whole s": of("wall").toFixed(2),
    "fit s": of("fit").toFixed(2),
    "CPU / wall": (of("cpu") / of("wall")).toFixed(2),
    "peak MB": of("megabytes").toFixed(0),
    "MB a node": (of("megabytes") / job.nodes).toFixed(1),
    goal: job.goal,
    "EXO Gym": job.exoGym
      ? `${job.exoGym.seconds} s${job.exoGym.megabytes ? `, ${job.exoGym.megabytes} MB` : ""}`
      : "",
    "times faster": ratio ? ratio.toFixed(1) : "",
  };
});
rmSync(runs, { recursive: true });
printTable(`The main job on ${experiment[0]}, median of ${repeats}`, rows);
