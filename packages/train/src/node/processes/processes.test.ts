// Runs on real sockets against simulated ones: losses, models, evaluations and bytes are the same to the bit.

import type { RunEvent } from "@atoll/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ddp, fedAvg, powerSgd } from "../../strategies/index.ts";
import { runProcesses } from "../../test/processRun.ts";
import {
  clouds,
  memoryStore,
  perceptron,
  type Rehearsal,
  type RehearsalOptions,
  rehearse,
  stepsOf,
} from "../../test/runs.ts";
import { strategyRows } from "../../test/strategyRows.ts";
import { startWorkers, type Workers, workerThreads } from "../workerThreads.ts";

let pools: readonly Workers[];
beforeAll(() => {
  pools = [1, 1, 1].map(startWorkers);
});
afterAll(() => Promise.all(pools.map((pool) => pool[Symbol.asyncDispose]())));

const busy: Omit<RehearsalOptions, "strategy"> = {
  model: perceptron({ rate: 0.3, normed: true }),
  train: clouds(100),
  validation: clouds(60, 2),
  valInterval: 4,
  nodes: 3,
  maxSteps: 10,
  seed: 7,
  network: { topology: "ring" },
};

/** All that does not depend on how fast machines and networks are. */
const learned = ({ result, events }: Rehearsal): unknown => ({
  parameters: result.parameters,
  buffers: result.buffers,
  bytesSent: result.bytesSent,
  evaluation: result.evaluation,
  events: events.flatMap(withoutTimes),
});

function withoutTimes(event: RunEvent): readonly unknown[] {
  if (event.type !== "step" && event.type !== "evaluation") return [];
  const { time: _, ...rest } = event;
  return [rest];
}

const simulate = (options: RehearsalOptions): Promise<Rehearsal> =>
  rehearse({ ...options, executor: workerThreads(pools[0]!) });

describe.each(strategyRows.filter(({ asynchronous }) => !asynchronous))("$name", (row) => {
  test("learns on three processes what it learns on simulated machines", async () => {
    const options = { ...busy, strategy: row.create() };
    expect(learned(await runProcesses({ ...options, pools }))).toEqual(learned(await simulate(options)));
  });
});

test("what was reduced first is still there when something larger has been: powerSgd on a matrix wider than high", async () => {
  const options = { ...busy, model: perceptron({ hidden: 40 }), strategy: powerSgd({ rank: 8 }) };
  expect(learned(await runProcesses({ ...options, pools }))).toEqual(learned(await simulate(options)));
});

describe("goes on from a checkpoint", () => {
  const rows = strategyRows.filter(({ name }) =>
    ["ddp", "fedAvg H=4", "streamingDiLoCo", "eagerDiLoCo", "sgp", "oneBitAdam"].includes(name),
  );
  const trained: RehearsalOptions["checkpointInterval"] = 3;

  test.each(rows)(
    "of the simulator's and of its own, and the simulator from its: $name",
    async ({ create }) => {
      const options = { ...busy, strategy: create(), checkpointInterval: trained };
      const simulated = await simulate(options);
      const own = await runProcesses({ ...options, pools });
      const after = (of: Rehearsal): unknown => {
        const { events, ...rest } = learned(of) as { readonly events: readonly { readonly step: number }[] };
        return { ...rest, events: events.filter(({ step }) => step > 6) };
      };
      const [fromSimulator, fromProcesses] = [simulated, own].map(({ snapshots }) => snapshots.get(6)!);
      for (const resume of [fromSimulator!, fromProcesses!]) {
        expect(after(await runProcesses({ ...options, resume, pools })), "on processes").toEqual(
          after(simulated),
        );
        expect(after(await simulate({ ...options, resume })), "simulated").toEqual(after(simulated));
      }
    },
  );
});

test("nodes that wait for nobody run to the end, and stop for a checkpoint", async () => {
  for (const { create } of strategyRows.filter(({ asynchronous }) => asynchronous)) {
    const options = { ...busy, strategy: create(), checkpointInterval: 4, maxSteps: 12 };
    const run = await runProcesses({ ...options, pools });
    expect(stepsOf(run.events).map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect([...run.snapshots.keys()]).toEqual([4, 8, 12]);
    const resumed = await runProcesses({ ...options, resume: run.snapshots.get(8)!, pools });
    expect(resumed.result.steps).toBe(12);
    expect(stepsOf(resumed.events).map(({ step }) => step)).toEqual([9, 10, 11, 12]);
  }
});

test("an interrupt stops all ranks at one step, with a checkpoint that goes on to the same numbers", async () => {
  const options = { ...busy, maxSteps: 40, strategy: ddp() };
  const expected = await simulate(options);
  const controller = new AbortController();
  const store = memoryStore();
  const emit = (event: RunEvent): void => {
    if (event.type === "step" && event.step === 5) controller.abort();
  };
  await expect(
    runProcesses({ ...options, pools, checkpoints: store, signal: controller.signal, emit }),
  ).rejects.toThrow(/^Interrupted after step \d+ of 40\. Checkpoint: memory:\d+\.$/);
  const [resume] = store.snapshots.values();
  const resumed = await runProcesses({ ...options, resume: resume!, pools });
  expect(resumed.result.parameters).toEqual(expected.result.parameters);
  expect(resumed.result.bytesSent).toEqual(expected.result.bytesSent);
});

test("ranks with other options are told which", async () => {
  await expect(
    runProcesses({
      ...busy,
      strategy: ddp(),
      pools,
      optionsOfRank: (rank) => (rank === 2 ? { seed: 8 } : {}),
    }),
  ).rejects.toThrow('Rank 2 has other options than rank 0: "seed" is 8 there and 7 on rank 0.');
});

test("nodes of given speeds wait, and learn the same", async () => {
  const options = { ...busy, strategy: fedAvg({ H: 4 }) };
  const compute = { kind: "real", speeds: [1, 0.05, 1] } as const;
  const { compute: _, ...rest } = { ...options, compute };
  const slow = await runProcesses({ ...rest, compute, pools });
  expect(learned(slow)).toEqual(learned(await simulate(options)));
  expect(slow.result.nodes[0]!.waiting).toBeGreaterThan(slow.result.nodes[1]!.waiting);
});

test.each<readonly [Partial<RehearsalOptions>, string]>([
  [{ compute: { kind: "measured" } }, 'Option "compute": steps of processes take the time that they take'],
  [
    { faults: { churn: { uptime: 1, downtime: 1 } } },
    'Option "faults.churn": faults come about by themselves',
  ],
])("refuses what only simulated machines do: %#", async (options, message) => {
  await expect(runProcesses({ ...busy, strategy: ddp(), ...options, pools })).rejects.toThrow(message);
});

test("simulated machines refuse real steps", async () => {
  await expect(simulate({ ...busy, strategy: ddp(), compute: { kind: "real" } })).rejects.toThrow(
    'Option "compute": real is how long the steps of real processes take',
  );
});
