// One table for all optimizers. Each is run in three ways, as a traced program on jax-js, the same on ONNX Runtime, and
// as a fused kernel; all are held to a plain scalar implementation in double precision, and that to what Optax and
// PyTorch computed (golden/).

import { readFileSync } from "node:fs";
import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Backend } from "../backends/backend.ts";
import { wasm } from "../backends/wasm.ts";
import type { Tensor } from "../borrow.ts";
import type { HostTensor } from "../host.ts";
import { applyUpdate, createKernels, planUpdate } from "../kernels/index.ts";
import { createHeap } from "../memory.ts";
import { onnx } from "../node/onnx.ts";
import { add } from "../ops.ts";
import "../test/allclose.ts";
import { layoutOf, type VectorLayout } from "../vector.ts";
import {
  adam,
  adamW,
  chain,
  clipByGlobalNorm,
  type Optimizer,
  proximal,
  sgd,
  warmupCosine,
} from "./index.ts";

/** One parameter vector's update in double precision; `t` counts updates from 1. */
type Reference = (layout: VectorLayout) => (p: Float64Array, g: Float64Array, t: number) => void;

interface Row {
  readonly optimizer: Optimizer;
  readonly reference: Reference;
}

interface SgdSettings {
  readonly rate: number | ((t: number) => number);
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly decay?: number;
}

const sgdReference =
  ({ rate, momentum = 0, nesterov = false, decay = 0 }: SgdSettings): Reference =>
  ({ size }) => {
    const v = new Float64Array(size);
    return (p, g, t) => {
      const learningRate = typeof rate === "number" ? rate : rate(t);
      for (let i = 0; i < size; i++) {
        const gradient = g[i]! + decay * p[i]!;
        v[i] = momentum * v[i]! + gradient;
        p[i]! -= learningRate * (nesterov ? gradient + momentum * v[i]! : v[i]!);
      }
    };
  };

interface AdamSettings {
  readonly rate?: number;
  readonly l2?: number;
  readonly decoupled?: number;
  readonly matricesOnly?: boolean;
}

const adamReference =
  ({ rate = 1e-3, l2 = 0, decoupled = 0, matricesOnly = false }: AdamSettings): Reference =>
  ({ size, matrixSize }) => {
    const [b1, b2, eps] = [0.9, 0.999, 1e-8];
    const [m, v] = [new Float64Array(size), new Float64Array(size)];
    return (p, g, t) => {
      for (let i = 0; i < size; i++) {
        const gradient = g[i]! + l2 * p[i]!;
        if (!matricesOnly || i < matrixSize) p[i]! *= 1 - rate * decoupled;
        m[i] = b1 * m[i]! + (1 - b1) * gradient;
        v[i] = b2 * v[i]! + (1 - b2) * gradient ** 2;
        p[i]! -= (rate * (m[i]! / (1 - b1 ** t))) / (Math.sqrt(v[i]! / (1 - b2 ** t)) + eps);
      }
    };
  };

const clippedReference =
  (maxNorm: number, inner: Reference): Reference =>
  (layout) => {
    const update = inner(layout);
    return (p, g, t) => {
      const norm = Math.sqrt(g.reduce((sum, x) => sum + x * x, 0));
      const scale = Math.min(1, maxNorm / (norm + 1e-6));
      update(
        p,
        g.map((x) => x * scale),
        t,
      );
    };
  };

const { fround } = Math;

const schedule = warmupCosine({ peak: 0.1, warmupSteps: 2, totalSteps: 5, end: 0.01 });

const rows: Readonly<Record<string, Row>> = {
  sgd: { optimizer: sgd({ learningRate: 0.1 }), reference: sgdReference({ rate: 0.1 }) },
  "sgd with decay": {
    optimizer: sgd({ learningRate: 0.1, weightDecay: 0.1 }),
    reference: sgdReference({ rate: 0.1, decay: 0.1 }),
  },
  momentum: {
    optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }),
    reference: sgdReference({ rate: 0.1, momentum: 0.9 }),
  },
  "momentum with decay": {
    optimizer: sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.1 }),
    reference: sgdReference({ rate: 0.1, momentum: 0.9, decay: 0.1 }),
  },
  nesterov: {
    optimizer: sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
    reference: sgdReference({ rate: 0.1, momentum: 0.9, nesterov: true }),
  },
  "nesterov with decay": {
    optimizer: sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.1 }),
    reference: sgdReference({ rate: 0.1, momentum: 0.9, nesterov: true, decay: 0.1 }),
  },
  "warm-up and cosine": {
    optimizer: sgd({ learningRate: schedule }),
    reference: sgdReference({ rate: (t) => schedule(t - 1) }),
  },
  "clipped sgd": {
    optimizer: chain(clipByGlobalNorm(5), sgd({ learningRate: 0.1 })),
    reference: clippedReference(5, sgdReference({ rate: 0.1 })),
  },
  adam: { optimizer: adam(), reference: adamReference({}) },
  "adam with decay": {
    optimizer: adam({ learningRate: 1e-2, weightDecay: 0.1 }),
    reference: adamReference({ rate: 1e-2, l2: 0.1 }),
  },
  adamW: { optimizer: adamW(), reference: adamReference({ decoupled: 0.01 }) },
  "adamW at 0.01": {
    optimizer: adamW({ learningRate: 1e-2 }),
    reference: adamReference({ rate: 1e-2, decoupled: 0.01 }),
  },
  "adamW on matrices": {
    optimizer: adamW({ learningRate: 1e-2, weightDecay: 0.1, decay: "matrices" }),
    reference: adamReference({ rate: 1e-2, decoupled: 0.1, matricesOnly: true }),
  },
  "clipped adamW": {
    optimizer: chain(clipByGlobalNorm(0.5), adamW({ learningRate: 1e-2 })),
    reference: clippedReference(0.5, adamReference({ rate: 1e-2, decoupled: 0.01 })),
  },
};

/** The row's optimizer on the loss plus mu/2 ‖p − anchor‖². */
const held = ({ optimizer, reference }: Row, mu: number, anchor: Float32Array): Row => ({
  optimizer: chain(proximal(mu), optimizer),
  reference(layout) {
    const update = reference(layout);
    return (p, g, t) =>
      update(
        p,
        g.map((x, i) => x + mu * (p[i]! - anchor[i]!)),
        t,
      );
  },
});

const layoutWith = (matrices: number, others: number): VectorLayout =>
  layoutOf({ w: { shape: [matrices, 1] }, b: { shape: [others] } });

const GOLDEN_LAYOUT = layoutWith(4, 3);

interface Golden {
  readonly initial: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  /** By optimizer, after each step. */
  readonly parametersAfter: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const golden = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`./golden/${name}.json`, import.meta.url), "utf8")) as Golden;

describe.each([
  { library: "Optax", made: golden("optax"), renamed: new Map([["adamW", "adamW at 0.01"]]) },
  { library: "PyTorch", made: golden("torch"), renamed: new Map<string, string>() },
])("the references agree with $library", ({ made, renamed }) => {
  test.each(Object.entries(made.parametersAfter))("%s", (name, expected) => {
    const row = rows[renamed.get(name) ?? name]!;
    const update = row.reference(GOLDEN_LAYOUT);
    const p = Float64Array.from(made.initial);
    // Optax computes schedules in float32 even where all else is float64.
    const digits = name.includes("cosine") ? 7 : 12;
    for (const [step, gradient] of made.gradients.entries()) {
      update(p, Float64Array.from(gradient), step + 1);
      for (const [i, value] of expected[step]!.entries()) expect(p[i]).toBeCloseTo(value, digits);
    }
  });
});

/** Steps whose inputs are the same for every way of running the optimizer. */
interface Scenario {
  readonly layout: VectorLayout;
  readonly initial: Float32Array;
  readonly gradients: readonly Float32Array[];
  /** Of optimizers with a proximal term. */
  readonly anchor: Float32Array;
}

function scenario(matrices: number, others: number, seed: number): Scenario {
  const layout = layoutWith(matrices, others);
  const random = createRandom(seed);
  const vector = () => Float32Array.from({ length: layout.size }, () => random.normal());
  return { layout, initial: vector(), gradients: [vector(), vector(), vector()], anchor: vector() };
}

/** A slot's state before the first step. */
const initialState = (slot: string, { layout, anchor }: Scenario): Float32Array =>
  slot === "proximal/anchor" ? anchor : new Float32Array(layout.size);

const tensor = (data: Float32Array): HostTensor => ({ shape: [data.length], data });

function runReference({ reference }: Row, { layout, initial, gradients }: Scenario): HostTensor {
  const update = reference(layout);
  const p = Float64Array.from(initial);
  for (const [step, gradient] of gradients.entries()) update(p, Float64Array.from(gradient), step + 1);
  return tensor(Float32Array.from(p));
}

type Arguments<T> = {
  readonly parameters: T;
  readonly gradients: T;
  readonly slots: Readonly<Record<string, T>>;
  readonly scalars: Readonly<Record<string, T>>;
};

async function runTraced({ optimizer }: Row, inputs: Scenario, backend: Backend): Promise<HostTensor> {
  const { layout, initial, gradients } = inputs;
  const scalars = (count: number) =>
    Object.fromEntries(
      Object.entries(optimizer.scalars(count)).map(([name, value]) => [
        name,
        { shape: [], data: Float32Array.of(value) },
      ]),
    );
  let parameters = tensor(initial);
  let slots = Object.fromEntries(optimizer.slots.map((slot) => [slot, tensor(initialState(slot, inputs))]));
  const example = { parameters, gradients: parameters, slots, scalars: scalars(0) };
  await using program = await backend.compile<
    Arguments<HostTensor>,
    { parameters: HostTensor; slots: Record<string, HostTensor> }
  >((args: Arguments<Tensor>) => {
    const { parameters: p, gradients: g } = args;
    const { updates, state } = optimizer.update(g, args.slots, p, args.scalars, layout);
    return { parameters: add(p, updates), slots: state };
  }, example);
  for (const [count, gradient] of gradients.entries()) {
    const args = { parameters, gradients: tensor(gradient), slots, scalars: scalars(count) };
    const result = await program.run(args);
    parameters = result.parameters;
    slots = optimizer.slots.length === 0 ? {} : result.slots;
  }
  return parameters;
}

/** @param changed what is applied instead of a gradient, from the parameters before the update */
function runFused(
  { optimizer }: Row,
  inputs: Scenario,
  changed = (gradient: Float32Array, _parameters: Float32Array): Float32Array => gradient,
): HostTensor {
  const { layout, initial, gradients } = inputs;
  const heap = createHeap();
  // One element of space between vectors shows a kernel that writes past an end.
  const guarded: Float32Array[] = [];
  const vector = (elements: Float32Array): Float32Array => {
    const room = heap.alloc(layout.size + 1).fill(7);
    guarded.push(room);
    const within = room.subarray(0, layout.size);
    within.set(elements);
    return within;
  };
  const parameters = vector(initial);
  const applied = vector(initial);
  const state = Object.fromEntries(optimizer.slots.map((slot) => [slot, vector(initialState(slot, inputs))]));
  const kernels = createKernels(heap.memories[0]!);
  const plan = planUpdate(optimizer, layout)!;
  for (const [count, gradient] of gradients.entries()) {
    applied.set(changed(gradient, parameters));
    const before = applied.slice();
    applyUpdate(kernels, plan.update(count), { parameters, gradients: applied, state });
    expect(applied, "nodes may share them").toEqual(before);
  }
  for (const room of guarded) expect(room.at(-1)).toBe(7);
  return tensor(parameters.slice());
}

// Three steps change parameters of about 1 by at most about 1; float32 rounds each of a dozen operations at 6e-8. An
// Adam step is learningRate · m / √v, so its error is relative to the learning rate, below 1e-2.
const TOLERANCE = { relative: 1e-6, absolute: 5e-7 };

describe.each(Object.entries(rows))("%s", (_, row) => {
  const expected = (inputs: Scenario) => runReference(row, inputs);

  test("fused kernel, any length", () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 }), fc.nat());
    fc.assert(
      fc.property(sizes, ([matrices, others, seed]) => {
        const inputs = scenario(matrices, others, seed);
        expect(runFused(row, inputs)).toBeAllclose(expected(inputs), TOLERANCE);
      }),
      { numRuns: 30 },
    );
  });

  test("fused kernel with a proximal term: its pull is added to the gradients first, to the bit", () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 9 }), fc.nat());
    const weights = fc.oneof(fc.constant(0), fc.float({ min: 0, max: 2, noNaN: true }));
    fc.assert(
      fc.property(sizes, weights, ([matrices, others, seed], mu) => {
        const inputs = scenario(matrices, others, seed);
        const pulled = (gradient: Float32Array, parameters: Float32Array): Float32Array =>
          gradient.map((g, i) => g + fround(mu * fround(parameters[i]! - inputs.anchor[i]!)));
        expect(runFused(held(row, mu, inputs.anchor), inputs)).toEqual(runFused(row, inputs, pulled));
      }),
      { numRuns: 30 },
    );
  });

  test.each([wasm, onnx])("traced, on $name", async (backend) => {
    const inputs = scenario(6, 5, 1);
    expect(await runTraced(row, inputs, backend)).toBeAllclose(expected(inputs), TOLERANCE);
  });

  test.each([wasm, onnx])("with a proximal term, fused and traced, on $name", async (backend) => {
    const inputs = scenario(6, 5, 1);
    const pulled = held(row, 0.3, inputs.anchor);
    const reference = runReference(pulled, inputs);
    expect(await runTraced(pulled, inputs, backend)).toBeAllclose(reference, TOLERANCE);
    expect(runFused(pulled, inputs)).toBeAllclose(reference, TOLERANCE);
  });
});

test("an optimizer that no kernel does has no plan", () => {
  const custom = { ...clipByGlobalNorm(1), name: "custom" };
  const { rule: _, ...unknown } = custom;
  expect(planUpdate(chain(unknown, sgd({ learningRate: 1 })), GOLDEN_LAYOUT)).toBeUndefined();
  expect(planUpdate(chain(adamW(), sgd({ learningRate: 1 })), GOLDEN_LAYOUT)).toBeUndefined();
  expect(planUpdate(chain(clipByGlobalNorm(1)), GOLDEN_LAYOUT)).toBeUndefined();
  const late = chain(clipByGlobalNorm(1), proximal(1), sgd({ learningRate: 1 }));
  expect(planUpdate(late, GOLDEN_LAYOUT)).toBeUndefined();
});
