// What runs record: the same numbers as by brute force.

import { type Codec, transcode } from "@atoll/comm";
import type { Random, Recorded, RecordedQuantity, RunEvent } from "@atoll/core";
import { adamW, chain, clipByGlobalNorm, sgd, type VectorLayout } from "@atoll/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chunkedDct } from "../compressors/chunkedDct.ts";
import { e3m0 } from "../compressors/e3m0.ts";
import { stochastic } from "../compressors/qsgd.ts";
import { integers, transcodeShards } from "../compressors/transcoded.ts";
import { inProcessExecutor } from "../inProcessExecutor.ts";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import { fragmentsOf } from "../strategies/fragments.ts";
import {
  ddp,
  diLoCo,
  fedAvg,
  type GradientStrategy,
  qsgd,
  type Strategy,
  type StrategyNode,
  type StrategyState,
  streamingDiLoCo,
} from "../strategies/index.ts";
import { busyRun, STEPS } from "../test/busyRun.ts";
import { lowRankError } from "../test/lowRankError.ts";
import { clouds, numbersOf, perceptron, type RehearsalOptions, rehearse } from "../test/runs.ts";
import { strategyRows } from "../test/strategyRows.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const run = (options: RehearsalOptions): ReturnType<typeof rehearse> =>
  rehearse({ executor: workerThreads(workers), ...options });

const small: Omit<RehearsalOptions, "strategy"> = { nodes: 3, maxSteps: STEPS, seed: 5 };
const busy = { ...busyRun, seed: 5 };

const quantitiesOf = (events: readonly RunEvent[], quantity: RecordedQuantity): readonly Recorded[] =>
  events.filter((event) => event.type === "recorded" && event.quantity === quantity) as Recorded[];

/** A run that hands over what a strategy's nodes have before and after each of their exchanges, by step. */
interface Exchange {
  readonly rank: number;
  readonly step: number;
  readonly parameters: Float32Array;
  readonly gradients: Float32Array;
  readonly before: Readonly<Record<string, Float32Array>>;
  readonly after: Readonly<Record<string, Float32Array>>;
  /** What the node's parameters were after its last exchange. */
  readonly start: Float32Array;
  readonly layout: VectorLayout;
  readonly random: Random;
}

const copiesOf = (tensors: Readonly<Record<string, Float32Array>>): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.slice()]));

/** The strategy, watched. What it prepares it does when the exchange begins, so that nothing is done before. */
function watched(strategy: Strategy, exchanges: Exchange[]): Strategy {
  const starts = new Map<number, Float32Array>();
  const around = async <T>(
    node: StrategyNode,
    state: StrategyState,
    step: number,
    inner: (node: StrategyNode, state: StrategyState) => Promise<T>,
  ): Promise<T> => {
    const { rank } = node.communicator;
    const seen = {
      rank,
      step,
      parameters: node.parameters.slice(),
      gradients: node.gradients.slice(),
      before: copiesOf(state.tensors),
      start: starts.get(rank)!,
      layout: node.layout,
      random: node.sharedRandom,
    };
    const result = await inner(node, state);
    exchanges.push({ ...seen, after: copiesOf(state.tensors) });
    starts.set(rank, node.parameters.slice());
    return result;
  };
  const init = (node: StrategyNode): StrategyState => {
    starts.set(node.communicator.rank, node.parameters.slice());
    return strategy.init(node);
  };
  if (strategy.kind === "parameter")
    return {
      ...strategy,
      init,
      synchronise: (node, state) => around(node, state, node.step, strategy.synchronise),
    };
  const { prepare: _, ...rest } = strategy;
  return {
    ...rest,
    init,
    exchange: (node, state) =>
      around(node, state, node.step + 1, async () => (await strategy.exchange(node, state)) ?? undefined),
  };
}

const minus = (a: Float32Array, b: Float32Array): Float64Array =>
  Float64Array.from(a, (value, i) => value - b[i]!);
const norm = (x: Iterable<number>): number =>
  Math.sqrt([...x].reduce((total, value) => total + value ** 2, 0));

function meanCosine(vectors: readonly Float64Array[]): number {
  const pairs = vectors.flatMap((a, i) => vectors.slice(i + 1).map((b) => [a, b] as const));
  const cosines = pairs.map(
    ([a, b]) => a.reduce((total, value, i) => total + value * b[i]!, 0) / (norm(a) * norm(b)),
  );
  return cosines.reduce((total, value) => total + value, 0) / cosines.length;
}

describe("outer cosine", () => {
  const rows = strategyRows.filter((row) => {
    const strategy = row.create();
    // These exchange parts of their parameters in between, or only parts at all.
    return strategy.records?.includes("outerCosine") && !/sparta|streaming/.test(strategy.name);
  });

  test.each(rows)("of $name is that of all pairs", async (row) => {
    const exchanges: Exchange[] = [];
    const strategy = watched(row.create(), exchanges);
    const { events } = await run({ ...small, strategy, record: { quantities: ["outerCosine"] } });
    const records = quantitiesOf(events, "outerCosine");
    expect(records.length).toBeGreaterThan(0);
    expect(new Set(records.map(({ step }) => step))).toEqual(new Set(exchanges.map(({ step }) => step)));
    for (const { step, mean } of records) {
      const changes = exchanges
        .filter((exchange) => exchange.step === step)
        .map(({ parameters, before, start }) => minus(before.anchor ?? start, parameters));
      expect(mean, `step ${step}`).toBeCloseTo(meanCosine(changes), 5);
    }
  });

  test("of Streaming DiLoCo with one fragment is that of DiLoCo", async () => {
    const record = { quantities: ["outerCosine"] } as const;
    const options = { ...small, maxSteps: 4, record };
    const streaming = streamingDiLoCo({ H: 4, fragments: 1, delay: 0, mixing: 0, quantise: false });
    const [of, expected] = await Promise.all(
      [streaming, diLoCo({ H: 4 })].map(async (strategy) =>
        quantitiesOf((await rehearse({ ...options, strategy })).events, "outerCosine"),
      ),
    );
    expect(of).toHaveLength(1);
    expect(of![0]!.mean).toBeCloseTo(expected![0]!.mean, 12);
  });
});

/** What each strategy encodes and what it makes of it, from what its nodes have around an exchange. */
const ENCODED: Readonly<Record<string, (exchange: Exchange) => readonly [error: number, whole: number]>> = {
  int8AllReduce: ({ gradients }) => coded(integers(16), gradients),
  qsgd: ({ gradients, random, rank, step }) => {
    const codec = stochastic({ levels: 8, blockSize: 32, random: random.derive("rounding", rank, step - 1) });
    return [norm(minus(gradients, transcode(codec, gradients))), norm(gradients)];
  },
  deMo: ({ gradients, layout, before, after }) => {
    const { forward, scratch, chunks } = chunkedDct(layout, 4);
    const coefficients = new Float32Array(gradients.length);
    forward(gradients, new Float32Array(scratch), (chunk, of) => coefficients.set(of, chunks[chunk]!.start));
    return [norm(after.spectrum!), norm(coefficients.map((c, i) => 0.999 * before.spectrum![i]! + 0.01 * c))];
  },
  powerSgd: ({ gradients, before, after, layout }) => [
    norm(lowRankError(after, layout, 2)),
    norm(gradients.map((g, i) => g + (lowRankError(before, layout, 2)[i] ?? 0))),
  ],
  streamingDiLoCo: ({ parameters, layout, before, step }) => {
    const fragment = fragmentsOf(layout, 2)[step % 4 === 0 ? 0 : 1]!;
    const own = fragment.ranges.flatMap(({ start, end }) => [...parameters.subarray(start, end)]);
    const anchor = before.anchor!.subarray(fragment.start, fragment.end);
    return coded(
      e3m0(),
      anchor.map((value, i) => value - own[i]!),
    );
  },
  oneBitAdam: ({ gradients, before, after }) => [
    norm(after.residual!),
    norm(gradients.map((g, i) => 0.9 * before.mean![i]! + 0.1 * g + before.residual![i]!)),
  ],
  dgc: ({ gradients, before, after }) => [
    norm(after.residual!),
    norm(gradients.map((g, i) => 0.9 * before.velocity![i]! + g + before.residual![i]!)),
  ],
  sparseLoCo: ({ parameters, before, after }) => [
    norm(after.residual!),
    norm(before.residual!.map((e, i) => 0.95 * e + (before.anchor![i]! - parameters[i]!))),
  ],
  muLoCo: ({ parameters, before, after }) => [
    norm(after.residual!),
    norm(before.residual!.map((e, i) => e + (before.anchor![i]! - parameters[i]!))),
  ],
};

function coded(codec: Codec, x: Float32Array): readonly [number, number] {
  const decoded = new Float32Array(x.length);
  transcodeShards(codec, x, decoded, small.nodes!);
  return [norm(minus(x, decoded)), norm(x)];
}

describe("compression error", () => {
  test.each(Object.entries(ENCODED))("of %s is what its encoding leaves out", async (name, oracle) => {
    const exchanges: Exchange[] = [];
    const row = strategyRows.find((candidate) => candidate.name === name)!;
    const { events } = await run({
      ...small,
      strategy: watched(row.create(), exchanges),
      record: { quantities: ["compressionError"] },
    });
    const records = quantitiesOf(events, "compressionError");
    expect(records.length).toBeGreaterThan(0);
    for (const { step, mean, range } of records) {
      const errors = exchanges
        .filter((exchange) => exchange.step === step)
        .map((exchange) => {
          const [error, whole] = oracle(exchange);
          return error / whole;
        });
      expect(mean, `step ${step}`).toBeCloseTo(errors.reduce((sum, error) => sum + error, 0) / 3, 4);
      expect(range!.min).toBeCloseTo(Math.min(...errors), 4);
      expect(range!.max).toBeCloseTo(Math.max(...errors), 4);
    }
  });
});

test("a strategy of one's own whose codec draws random numbers is recorded, and draws no others for that", async () => {
  const drawing = (observed: number[]): GradientStrategy => ({
    ...ddp(),
    name: "own",
    records: ["compressionError"],
    exchange({ communicator, gradients, sharedRandom, step }) {
      const plain = stochastic({
        levels: 4,
        blockSize: 16,
        random: sharedRandom.derive(communicator.rank, step),
      });
      const { transcode: _, ...codec } = plain;
      const encode = (x: Float32Array): Uint8Array => {
        const encoded = codec.encode(x);
        const isOwn = x.buffer === gradients.buffer && x.byteOffset >= gradients.byteOffset;
        if (isOwn && communicator.rank === 0 && step === 2) {
          const decoded = new Float32Array(x.length);
          codec.decode(encoded, decoded);
          observed.push(norm(minus(x, decoded)), norm(x));
        }
        return encoded;
      };
      return communicator.allReduce(gradients, { op: "mean", codec: { ...codec, encode } });
    },
  });
  const settings = { ...small, nodes: 2, maxSteps: 4 };
  const plain = await run({ ...settings, strategy: drawing([]) });
  const observed: number[] = [];
  const record = { quantities: ["compressionError"] } as const;
  const recorded = await run({ ...settings, strategy: drawing(observed), record });
  expect(numbersOf(recorded)).toEqual(numbersOf(plain));
  const records = quantitiesOf(recorded.events, "compressionError");
  expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
  const [firstError, first, secondError, second] = observed as [number, number, number, number];
  const own = Math.hypot(firstError, secondError) / Math.hypot(first, second);
  const { min, max } = records[2]!.range!;
  expect(Math.min(Math.abs(own - min), Math.abs(own - max))).toBeLessThan(1e-6);
});

describe("gradient norm", () => {
  const record = { quantities: ["gradientNorm"] } as const;
  const normsOf = (events: readonly RunEvent[]) => quantitiesOf(events, "gradientNorm");

  test("of DDP is that of the nodes' gradients before they are averaged", async () => {
    const exchanges: Exchange[] = [];
    const { events } = await run({ ...small, strategy: watched(ddp(), exchanges), record });
    const records = normsOf(events);
    expect(records.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
    for (const { step, mean, range } of records) {
      const norms = exchanges.filter((exchange) => exchange.step === step).map((of) => norm(of.gradients));
      expect(mean).toBeCloseTo(norms.reduce((sum, value) => sum + value, 0) / 3, 10);
      expect(range).toEqual({ min: Math.min(...norms), max: Math.max(...norms) });
    }
  });

  const learningRate = 0.1;
  test.each([
    ["in one program of many steps", {}],
    ["by minibatches", { minibatchSize: 4 }],
    ["in this thread", { executor: inProcessExecutor() }],
  ] as const)("of local steps %s is what plain SGD moves by, over its learning rate", async (_, options) => {
    const strategy = fedAvg({ H: 4, optimizer: sgd({ learningRate }) });
    const settings = { ...small, ...options, strategy, nodes: 1, model: perceptron(), checkpointInterval: 1 };
    const { events, snapshots } = await run({ ...settings, record });
    const weights = (step: number): Float32Array => flat(snapshots.get(step)!.nodes[0]!.tensors());
    const unbroken = await run({ ...settings, checkpointInterval: 0, record });
    expect(normsOf(unbroken.events)).toEqual(normsOf(events));
    for (const { step, mean } of normsOf(events).slice(1))
      expect(mean * learningRate).toBeCloseTo(norm(minus(weights(step - 1), weights(step))), 5);
  });

  test("comes before clipping, and does not depend on the optimizer at first", async () => {
    const strategies = [
      fedAvg({ H: 2, optimizer: sgd({ learningRate: 0.1 }) }),
      fedAvg({ H: 2, optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }) }),
      fedAvg({ H: 2, optimizer: adamW() }),
      fedAvg({ H: 2, optimizer: chain(clipByGlobalNorm(0.01), adamW()) }),
      fedAvg({ H: 2, optimizer: chain(clipByGlobalNorm(0.01), sgd({ learningRate: 0.1 })) }),
      ddp({ optimizer: chain(clipByGlobalNorm(0.01), sgd({ learningRate: 0.1 })) }),
      qsgd(),
    ];
    const first = await Promise.all(
      strategies.map(async (strategy) => normsOf((await rehearse({ ...small, strategy, record })).events)[0]),
    );
    for (const other of first) expect({ ...other, time: 0 }).toEqual({ ...first[0], time: 0 });
    for (const [i, strategy] of strategies.entries()) {
      const [native] = normsOf((await run({ ...small, strategy, record })).events);
      expect(native!.mean).toBeCloseTo(first[i]!.mean, 5);
    }
  });

  test("is recorded every so many steps, at the same values", async () => {
    for (const optimizer of [sgd({ learningRate: 0.1 }), adamW()]) {
      const strategy = fedAvg({ H: 4, optimizer });
      const every = normsOf((await run({ ...busy, strategy, record })).events);
      const third = normsOf((await run({ ...busy, strategy, record: { ...record, interval: 3 } })).events);
      expect(third).toEqual(every.filter(({ step }) => step % 3 === 0));
    }
  });
});

function flat(tensors: Readonly<Record<string, { readonly data: ArrayLike<number> }>>): Float32Array {
  const parameters = Object.entries(tensors).filter(([name]) => name.startsWith("parameters."));
  return Float32Array.from(parameters.flatMap(([, { data }]) => Array.from(data)));
}

test("correlation is that of all pairs of nodes, at evaluations or as often as asked", async () => {
  const options = { ...busy, strategy: fedAvg({ H: 4 }), validation: clouds(60, 2), valInterval: 5 };
  const { events, snapshots } = await run({
    ...options,
    checkpointInterval: 1,
    record: { quantities: ["correlation"], interval: 1 },
  });
  const records = quantitiesOf(events, "correlation");
  expect(records.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));
  for (const { step, mean } of records) {
    const nodes = snapshots.get(step)!.nodes.map((node) => flat(node.tensors()));
    const centred = nodes.map((x) => {
      const average = x.reduce((sum, value) => sum + value, 0) / x.length;
      return Float64Array.from(x, (value) => value - average);
    });
    expect(mean).toBeCloseTo(meanCosine(centred), 10);
    expect(mean > 1 - 1e-12).toBe(step % 4 === 0);
  }
  const seldom = await run({ ...options, record: { quantities: ["correlation"] } });
  expect(quantitiesOf(seldom.events, "correlation").map(({ step }) => step)).toEqual([5, 10]);
});
