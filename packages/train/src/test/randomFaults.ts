// Runs that meet random faults of all kinds, each from one number: the strategy, the network, the policy and the faults.

import { createRandom, type Random } from "@atoll/core";
import type { Fault } from "@atoll/network";
import { sgd } from "@atoll/tensor";
import type { FaultyRunOptions } from "../faults/policy.ts";
import type { MissingPolicy } from "../strategies/whenMissing.ts";
import type { RehearsalOptions } from "./runs.ts";
import { strategyRows } from "./strategyRows.ts";

const choose = <T>(random: Random, list: readonly T[]): T => list[random.integer(list.length)]!;

/** A run of ten steps on one to six nodes, and how long in simulated seconds its faults go on. */
export function randomFaultyRun(seed: number): RehearsalOptions {
  const random = createRandom(seed);
  const nodes = 1 + random.integer(6);
  const fits = strategyRows.filter(
    ({ worldSizes = [1, 2, 3, 8] }) => nodes > 3 || worldSizes.includes(nodes),
  );
  const strategy = choose(random, fits).create(sgd({ learningRate: 0.05 }));
  const span = 0.01 + 0.2 * random.uniform();
  const own = strategy.whenMissing?.kind;
  const hasChoice = own !== "none" && own !== "stop";
  const policy = hasChoice ? randomPolicy(random, span) : undefined;
  const waits = policy?.kind === "wait";
  const checkpointInterval = choose(random, [0, 3, 4]);
  const profile = choose(random, ["local", "wan"] as const);
  const topology = choose(random, ["fully_connected", "ring", "star"] as const);
  return {
    strategy,
    nodes,
    seed,
    maxSteps: 10,
    checkpointInterval,
    network: { profile, topology },
    faults: {
      ...randomFaults(random, { nodes, span, waits, isStar: topology === "star" }),
      ...(policy === undefined ? {} : { whenMissing: policy }),
      ...(waits && random.uniform() < 0.3 ? { recovery: "checkpoint" as const } : {}),
    },
  };
}

function randomPolicy(random: Random, span: number): MissingPolicy {
  const seconds = (span * random.uniform()) / 3;
  return choose<MissingPolicy>(random, [
    { kind: "wait" },
    { kind: "timeout", seconds },
    { kind: "quorum", fraction: 0.2 + 0.8 * random.uniform(), seconds },
  ]);
}

interface World {
  readonly nodes: number;
  readonly span: number;
  readonly waits: boolean;
  /** Whether all links are those of node 0. Else every node shares one with the next. */
  readonly isStar: boolean;
}

function randomFaults(random: Random, world: World): FaultyRunOptions {
  const { nodes, span } = world;
  const time = (): number => span * random.uniform();
  const onAndOff = () => ({ uptime: time() + span / 20, downtime: time() / 4 + span / 100 });
  const sometimes = <T extends object>(part: number, make: () => T): T | object =>
    random.uniform() < part ? make() : {};
  return {
    schedule: Array.from({ length: random.integer(5) }, () => randomFault(random, world)),
    ...sometimes(0.3, () => ({ churn: onAndOff() })),
    ...sometimes(nodes > 1 ? 0.2 : 0, () => ({ disconnects: onAndOff() })),
    ...sometimes(nodes > 1 ? 0.2 : 0, () => ({ partitions: onAndOff() })),
    ...sometimes(0.2, () => ({ stragglers: { probability: 0.3, slowdown: 100, interval: span / 10 } })),
  };
}

function randomFault(random: Random, { nodes, span, waits, isStar }: World): Fault {
  const from = span * random.uniform();
  const node = random.integer(nodes);
  const end = from + span * (0.01 + random.uniform() / 2);
  // Under waiting a fault without an end is refused.
  const ends = waits || random.uniform() < 0.7;
  const until = ends ? { until: end } : {};
  const kind = random.integer(nodes > 1 ? 4 : 2);
  if (kind === 0) return { kind: "straggler", node, slowdown: 1 + 1e5 * random.uniform(), from, ...until };
  if (kind === 1) return { kind: "crash", node, at: from, ...(ends ? { rejoin: end } : {}) };
  const next = isStar && node > 0 ? 0 : (node + 1) % nodes;
  if (kind === 2) return { kind: "linkDown", nodes: [node, next], from, ...until };
  return { kind: "partition", groups: [[node]], from, ...until };
}
