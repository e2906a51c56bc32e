// The trainer as its user sees it: options, evaluation, time. How runs end early is in endings.test.ts.

import { ConfigError, createRandom, type RunEvent } from "@atoll/core";
import { type HostTensor, sgd } from "@atoll/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Executor, ExecutorFactory, ExecutorOptions } from "./executor.ts";
import { startWorkers, type Workers, workerThreads } from "./node/workerThreads.ts";
import type { RunSnapshot } from "./snapshot.ts";
import { ddp, fedAvg } from "./strategies/index.ts";
import {
  busy,
  clouds,
  memoryStore,
  numbersOf,
  parameterDistance,
  perceptron,
  type RehearsalOptions,
  rehearse as rehearseInProcess,
  stepsOf,
} from "./test/runs.ts";
import { watched } from "./test/watched.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const rehearse = (options: RehearsalOptions): ReturnType<typeof rehearseInProcess> =>
  rehearseInProcess({ executor: workerThreads(workers), ...options });

const evaluationsOf = (events: readonly RunEvent[]) => events.filter((event) => event.type === "evaluation");

describe("options", () => {
  test("minibatches add up to the batch", async () => {
    const options = { strategy: ddp({ optimizer: sgd({ learningRate: 0.2 }) }), nodes: 2, maxSteps: 10 };
    const whole = await rehearse(options);
    for (const minibatchSize of [1, 2, 4]) {
      const parts = await rehearse({ ...options, minibatchSize });
      expect(parameterDistance(parts.result, whole.result)).toBeLessThan(1e-5);
      expect(parts.result.simulatedSeconds).toBeGreaterThan(0);
    }
  });

  test.each([
    { numEpochs: 2, nodes: 3, steps: 20 }, // 2 · 240 / (3 · 8)
    { numEpochs: 1, nodes: 7, steps: 4 }, // 240 / 56, whole steps only
    { nodes: 1, steps: 30 }, // one epoch where nothing is said
  ])("numEpochs become steps: %o", async ({ steps, ...options }) => {
    const { result } = await rehearse({ strategy: ddp(), ...options });
    expect(result.steps).toBe(steps);
  });

  test("shuffling draws another order each epoch; without it epochs are alike", async () => {
    const frozen = {
      strategy: ddp({ optimizer: sgd({ learningRate: 1e-30 }) }),
      train: clouds(32),
      maxSteps: 12,
    };
    const losses = async (shuffle: boolean): Promise<readonly number[]> =>
      stepsOf((await rehearse({ ...frozen, shuffle })).events).map(({ loss }) => loss);
    const plain = await losses(false);
    expect(plain.slice(4, 8)).toEqual(plain.slice(0, 4));
    const shuffled = await losses(true);
    expect(shuffled.slice(4, 8)).not.toEqual(shuffled.slice(0, 4));
    expect(shuffled.slice(8, 12)).not.toEqual(shuffled.slice(4, 8));
    const epoch = (start: number): number => shuffled.slice(start, start + 4).reduce((a, b) => a + b);
    expect(epoch(4)).toBeCloseTo(epoch(0), 5); // each example once an epoch
  });

  test.each<[string, Partial<RehearsalOptions>, string | RegExp]>([
    ["name", { maxStep: 5 } as object, 'Unknown option "maxStep". Did you mean "maxSteps"?'],
    [
      "name in network",
      { network: { profil: "wan" } } as object,
      'Unknown option of network "profil". Did you mean "profile"?',
    ],
    ["name in compute", { compute: { kind: "measured", x: 1 } } as object, 'Unknown option of compute "x".'],
    ["kind of partition", { partition: { kind: "foo" } } as object, 'Unknown kind of partition "foo".'],
    ["nodes", { nodes: 0 }, 'Option "nodes": expected an integer of at least 1, got 0.'],
    ["maxSteps", { maxSteps: 1.5 }, 'Option "maxSteps"'],
    ["both lengths", { maxSteps: 5, numEpochs: 1 }, "give one of them, not both"],
    [
      "minibatchSize",
      { minibatchSize: 3 },
      'Option "minibatchSize": expected a divisor of batchSize (8), got 3.',
    ],
    ["batch larger than a share", { nodes: 40 }, "batchSize 8 is larger than node 0's share of 6 examples"],
    ["more nodes than examples", { nodes: 500 }, "Cannot spread 240 examples"],
    ["device", { compute: { kind: "device", device: "abacus", utilization: 1, variability: 0 } }, "abacus"],
    ["network", { network: { loss: 1 } }, 'Option "network.loss"'],
    [
      "data of another shape",
      { train: clouds(40), model: { ...perceptron(), example: imageExample } },
      "[6]",
    ],
  ])("refuses bad %s before any event", async (_, options, message) => {
    const events: RunEvent[] = [];
    const run = rehearse({ strategy: ddp(), ...options, emit: (event) => events.push(event) });
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toThrow(ConfigError);
    expect(events).toEqual([]);
  });
});

const imageExample = {
  x: { shape: [1, 28, 28], dtype: "float32" },
  y: { shape: [], dtype: "int32" },
} as const;

test("without an executor a run computes in this thread, to the same within rounding", async () => {
  const options = { ...busy, strategy: ddp({ optimizer: sgd({ learningRate: 0.1 }) }), valInterval: 5 };
  const native = await rehearse(options);
  const portable = await rehearseInProcess(options);
  expect(parameterDistance(portable.result, native.result)).toBeLessThan(1e-5);
  expect(portable.result.simulatedSeconds).toBe(native.result.simulatedSeconds);
  expect(portable.result.bytesSent).toEqual(native.result.bytesSent);
});

describe("nodes", () => {
  test("start alike, and their times add up to their clocks", async () => {
    const controller = new AbortController();
    controller.abort();
    const store = memoryStore();
    const events: RunEvent[] = [];
    const stopped = rehearse({
      ...busy,
      checkpoints: store,
      signal: controller.signal,
      emit: (event) => events.push(event),
    });
    await expect(stopped).rejects.toThrow("Interrupted after step 0 of 10.");
    expect(evaluationsOf(events), "nothing was done that could be evaluated").toEqual([]);
    const [first, ...others] = store.snapshots.get(0)!.nodes.map((node) => node.tensors());
    for (const other of others) expect(other).toEqual(first);

    const { result, snapshots } = await rehearse({ ...busy, checkpointInterval: 10 });
    const clocks = snapshots.get(10)!.nodes.map(({ state }) => state.time);
    result.nodes.forEach(({ compute, communication, waiting }, rank) => {
      expect(compute + communication + waiting).toBeCloseTo(clocks[rank]!, 9);
    });
    expect(result.simulatedSeconds).toBe(Math.max(...clocks));
  });
});

describe("evaluation", () => {
  test("disturbs nothing", async () => {
    const { validation, ...unseen } = busy;
    const never = numbersOf(await rehearse(unseen)) as { evaluation: unknown };
    for (const valInterval of [1, 3]) {
      const watched = numbersOf(await rehearse({ ...busy, validation: validation!, valInterval }));
      expect(watched).toEqual({ ...never, evaluation: expect.anything() });
    }
  });

  test("is of rank 0's model and of the nodes' average, buffers too, which is the fitted model", async () => {
    const strategy = fedAvg({ H: 100 }); // never averages, so the nodes differ
    const { result, events, snapshots } = await rehearse({
      ...busy,
      strategy,
      valSize: 1000,
      valInterval: 10,
      checkpointInterval: 10,
    });
    const nodes = snapshots.get(10)!.nodes.map((node) => node.tensors());
    const average = Object.fromEntries(
      Object.entries(nodes[0]!).map(([name, { shape, data }]) => [
        name,
        { shape, data: meanOf(nodes, name, data) },
      ]),
    );
    expect(leaves(result.parameters)).toEqual(named(average, "parameters."));
    expect(leaves(result.buffers)).toEqual(named(average, "buffers."));
    const local = await evaluateByHand(nodes[0]!);
    const global = await evaluateByHand(average);
    expect(local.loss).not.toBeCloseTo(global.loss, 3);
    const loss = { local: local.loss, global: global.loss };
    const accuracy = { local: local.accuracy, global: global.accuracy };
    expect(result.evaluation).toEqual({ loss, accuracy });
    expect(evaluationsOf(events)).toMatchObject([
      { split: "validation", step: 10, loss, accuracy },
      { split: "test", step: 10, loss, accuracy },
    ]);
  });

  test("on the way is over valSize examples, always the same; at the end over all", async () => {
    const counts: number[] = [];
    const executor = watched(workerThreads(workers), (executor) => ({
      evaluate(weights, indices) {
        counts.push(indices.length);
        expect(new Set(indices).size).toBe(indices.length);
        return executor.evaluate(weights, indices);
      },
    }));
    const { events } = await rehearse({ ...busy, executor, nodes: 1, valSize: 40, valInterval: 4 });
    expect(counts).toEqual([40, 40, 150]);
    expect(evaluationsOf(events).map(({ step, split }) => [step, split])).toEqual([
      [4, "validation"],
      [8, "validation"],
      [10, "test"],
    ]);
  });

  test("there is none on the way with valSize 0, and none at all without a validation set", async () => {
    const { events } = await rehearse({ ...busy, valSize: 0, valInterval: 1 });
    expect(evaluationsOf(events).map(({ split }) => split)).toEqual(["test"]);
    const { validation: _, ...unseen } = busy;
    const { result, events: silent } = await rehearse(unseen);
    expect(result.evaluation).toBeNull();
    expect(evaluationsOf(silent)).toEqual([]);
  });
});

describe("measured compute", () => {
  /** A clock that is read as one that some machine has: every reading is later, by changing amounts. */
  const ticking = (): (() => number) => {
    const random = createRandom(5);
    let now = 0;
    return () => {
      now += random.uniform();
      return now;
    };
  };

  test("durations are recorded, replayed, and kept over a resume", async () => {
    const options = { ...busy, compute: { kind: "measured" }, checkpointInterval: 5 } as const;
    const measured = await rehearse({ ...options, wallClock: ticking() });
    const [started] = measured.events.filter((event) => event.type === "runStarted");
    const { durations } = started!.config.compute as { durations: readonly number[] };
    expect(durations).toHaveLength(20);
    expect(new Set(durations).size).toBe(20);
    const replayed = await rehearse({ ...options, compute: { kind: "measured", durations } });
    expect(numbersOf(replayed)).toEqual(numbersOf(measured));
    const resume: RunSnapshot = measured.snapshots.get(5)!;
    const resumed = await rehearse({ ...options, resume, wallClock: () => 0 });
    expect({ ...resumed.result, wallSeconds: 0 }).toEqual({ ...measured.result, wallSeconds: 0 });
  });

  test("measuring changes nothing but times", async () => {
    const losses = ({ events }: Awaited<ReturnType<typeof rehearse>>): readonly number[] =>
      stepsOf(events).map(({ loss }) => loss);
    const measured = await rehearse({ ...busy, compute: { kind: "measured" }, wallClock: ticking() });
    expect(losses(measured)).toEqual(losses(await rehearse(busy)));
  });
});

type Tensors = Readonly<Record<string, HostTensor>>;

function meanOf(nodes: readonly Tensors[], name: string, { length }: HostTensor["data"]): Float32Array {
  return Float32Array.from(
    { length },
    (_, i) => nodes.reduce((sum, tensors) => sum + tensors[name]!.data[i]!, 0) / nodes.length,
  );
}

const named = (tensors: Tensors, prefix: string): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { data }]) => [name.slice(prefix.length), Array.from(data)]),
  );

/** The tensors of a tree by dotted path. */
function leaves(tree: unknown, path: readonly string[] = []): Record<string, number[]> {
  const node = tree as Record<string, unknown>;
  if ("data" in node) return { [path.join(".")]: Array.from(node.data as Float32Array) };
  return Object.assign({}, ...Object.entries(node).map(([name, inner]) => leaves(inner, [...path, name])));
}

/** Loss and accuracy of saved tensors on the validation set, by an executor that the run knows nothing of. */
async function evaluateByHand(tensors: Tensors): ReturnType<Executor["evaluate"]> {
  let captured: ExecutorOptions | undefined;
  const capture: ExecutorFactory = (options) => {
    captured = options;
    return Promise.reject(new Error("captured"));
  };
  await rehearse({ ...busy, executor: capture }).catch(() => undefined);
  await using executor = await workerThreads(workers)(captured!);
  const replica = executor.allocate();
  for (const [vector, prefix, { entries }] of [
    [replica.parameters, "parameters.", captured!.layout],
    [replica.buffers, "buffers.", captured!.bufferLayout],
  ] as const)
    for (const { path, offset } of entries) vector.set(tensors[prefix + path]!.data, offset);
  return executor.evaluate(
    replica,
    Uint32Array.from({ length: 150 }, (_, i) => i),
  );
}
