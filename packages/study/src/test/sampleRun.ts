// Made-up runs for the tests: every event a trainer writes, from a seed, in the sizes that a report has to cope with.
// The numbers only look like training; nothing is trained.

import {
  type CollectiveDone,
  type ConfigTree,
  createRandom,
  type Evaluated,
  type NodeTime,
  type Random,
  type RunEvent,
  type RunFinished,
  type RunStarted,
  type StepDone,
  type TopologyDrawn,
} from "@atoll/core";
import type { RunRecord } from "../record.ts";

export interface SampleOptions {
  readonly name?: string;
  readonly nodes?: number;
  readonly steps?: number;
  /** Local steps between two synchronisations. */
  readonly H?: number;
  readonly topology?: "ring" | "star" | "fully_connected";
  /** Steps between two validations; 0 for none. */
  readonly valInterval?: number;
  /** False for a model without accuracy. */
  readonly accuracy?: boolean;
  readonly outcome?: RunFinished["outcome"] | "unfinished";
  readonly message?: string | null;
  /** Changes the loss of a step. */
  readonly bend?: (loss: number, step: number) => number;
  readonly config?: ConfigTree;
  readonly seed?: number;
}

type Complete = Required<SampleOptions>;

const defaults: Complete = {
  name: "digits-fedavg-wan",
  nodes: 3,
  steps: 300,
  H: 20,
  topology: "ring",
  valInterval: 50,
  accuracy: true,
  outcome: "completed",
  message: null,
  bend: (loss) => loss,
  config: {},
  seed: 1,
};

const PARAMETERS = 203_530;

/** The record of a run with these properties. */
export function sampleRun(given: SampleOptions = {}): RunRecord {
  const options = { ...defaults, ...given };
  const random = createRandom(options.seed);
  const topology = topologyOf(options, random.derive("network"));
  const body = trainingOf(options, random);
  const resolved = configOf(options);
  const config: ConfigTree = {
    name: options.name,
    experiment: "digits",
    options: { strategy: "fedavg", nodes: options.nodes },
    resolved,
  };
  const events: RunEvent[] = [startOf(options, resolved), topology, ...body.events];
  if (options.outcome !== "unfinished") events.push(endOf(options, options.outcome, body));
  return {
    config: { ...config, ...options.config },
    events,
    summary: { peakRssBytes: 312e6 },
    truncated: false,
  };
}

/** The lines of `events.jsonl`. */
export const linesOf = (events: readonly RunEvent[]): string =>
  events.map((event) => `${JSON.stringify(event)}\n`).join("");

function configOf({ nodes, steps, H, topology, seed }: Complete): ConfigTree {
  return {
    nodes,
    maxSteps: steps,
    batchSize: 64,
    seed,
    shuffle: true,
    model: { kind: "mlp" },
    data: "digits",
    strategy: { kind: "fedavg", H, weighting: "examples" },
    optimizer: { kind: "adamw", learningRate: 1e-3, betas: [0.9, 0.999] },
    network: { topology, profile: "wan", tcp: { congestion: "cubic", flows: 1 } },
    compute: { kind: "device", device: "laptop", utilization: 0.3, variability: 0.05 },
  };
}

function startOf({ name, nodes, steps, seed }: Complete, config: ConfigTree): RunStarted {
  return {
    type: "runStarted",
    name,
    strategy: "fedavg",
    nodes,
    maxSteps: steps,
    parameters: PARAMETERS,
    seed,
    config,
    startedAt: "2026-11-20T19:14:03.512Z",
    resumedFrom: 0,
  };
}

function topologyOf({ nodes, topology }: Complete, random: Random): TopologyDrawn {
  const pairs: [number, number][] = [];
  for (let a = 0; a < nodes && nodes <= 64; a++)
    for (let b = a + 1; b < nodes; b++) {
      const neighbours = b - a === 1 || b - a === nodes - 1;
      if (topology === "fully_connected" || (topology === "star" ? a === 0 : neighbours)) pairs.push([a, b]);
    }
  return {
    type: "topology",
    topology,
    profile: "wan",
    nodes,
    links: pairs.map(([source, target]) => ({
      source,
      target,
      bandwidth: 10e6 * 10 ** random.uniform(),
      latency: 0.01 * 5 ** random.uniform(),
      jitter: 0.1 + 0.1 * random.uniform(),
      loss: 1e-4 * 10 ** random.uniform(),
    })),
  };
}

interface Body {
  readonly events: readonly RunEvent[];
  readonly nodes: readonly NodeTime[];
  readonly bytesSent: number;
  readonly time: number;
}

function trainingOf(options: Complete, random: Random): Body {
  const { nodes, steps, H, valInterval, bend } = options;
  const events: RunEvent[] = [];
  const compute = new Float64Array(nodes);
  const waiting = new Float64Array(nodes);
  const clocks = new Float64Array(nodes);
  const pace = Array.from({ length: nodes }, () => 0.006 * Math.exp(0.15 * random.normal()));
  let communication = 0;
  let sent = 0;
  for (let step = 1; step <= steps; step++) {
    for (let rank = 0; rank < nodes; rank++) {
      const took = pace[rank]! * (1 + 0.05 * random.normal());
      compute[rank]! += took;
      clocks[rank]! += took;
    }
    if (nodes > 1 && step % H === 0) {
      const collective = allReduce(clocks, 0.18 + 0.1 * random.uniform());
      events.push(collective);
      sent += collective.bytes[0]!;
      communication += collective.end[0]! - Math.max(...collective.ready);
      for (let rank = 0; rank < nodes; rank++)
        waiting[rank]! += Math.max(...collective.ready) - clocks[rank]!;
      clocks.fill(collective.end[0]!);
    }
    const time = clocks.reduce((latest, clock) => Math.max(latest, clock), 0);
    const smooth = 0.12 + 2.2 * Math.exp(-step / (steps / 6));
    const loss = bend(smooth * Math.exp(0.18 * random.normal()), step);
    events.push(stepOf(options, step, { loss, time, bytesSent: sent }));
    if (valInterval > 0 && step % valInterval === 0)
      events.push(evaluationOf(options, "validation", { step, time, bytesSent: sent, loss: smooth }));
    if (step === steps)
      events.push(evaluationOf(options, "test", { step, time, bytesSent: sent, loss: smooth }));
  }
  const time = Math.max(0, ...clocks);
  const split = Array.from(compute, (seconds, rank) => ({
    compute: seconds,
    communication,
    waiting: waiting[rank]!,
  }));
  return { events, nodes: split, bytesSent: sent, time };
}

function allReduce(clocks: Float64Array, duration: number): CollectiveDone {
  const nodes = clocks.length;
  const ready = [...clocks];
  const bytes = Math.round((2 * (nodes - 1) * 4 * PARAMETERS) / nodes);
  return {
    type: "collective",
    operation: "allReduce",
    algorithm: "ring",
    ranks: ready.map((_, rank) => rank),
    ready,
    end: ready.map(() => Math.max(...ready) + duration),
    bytes: ready.map(() => bytes),
  };
}

type Progress = Pick<StepDone, "loss" | "time" | "bytesSent">;

const stepOf = ({ nodes, steps }: Complete, step: number, progress: Progress): StepDone => ({
  type: "step",
  step,
  learningRate: 5e-4 * (1 + Math.cos((Math.PI * step) / steps)),
  examples: step * nodes * 64,
  ...progress,
});

function evaluationOf(
  { accuracy }: Complete,
  split: Evaluated["split"],
  { loss, ...progress }: Progress & { readonly step: number },
): Evaluated {
  const better = Math.exp(-loss * 0.9);
  return {
    type: "evaluation",
    split,
    ...progress,
    loss: { local: loss * 1.12, global: loss },
    accuracy: accuracy ? { local: better * 0.97, global: better } : null,
  };
}

function endOf(
  { nodes, steps, message }: Complete,
  outcome: RunFinished["outcome"],
  body: Body,
): RunFinished {
  return {
    type: "runFinished",
    outcome,
    message,
    steps,
    simulatedSeconds: body.time,
    wallSeconds: 2.31,
    nodes: body.nodes,
    bytesSent: Array.from({ length: nodes }, () => body.bytesSent),
  };
}
