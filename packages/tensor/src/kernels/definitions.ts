// The kernels of an optimizer step: one pass over parameters, gradients and state each. They fuse what the gradient
// transformations in optim/ do one after the other; the formulas are theirs.

import type { ElementwiseKernel, Formula, Lane } from "./elementwise.ts";
import { bytesOf, wholeGroups } from "./elementwise.ts";
import { ADD_I32, type Code, getLocal, loop, setLocal, simd, type WasmFunction } from "./encode.ts";

/** g ← gradientScale · gradient + l2 · p */
const decayedGradient = (f: Formula, p: Lane): Lane =>
  f.keep(f.add(f.multiply(f.load("gradients"), f.scalar("gradientScale")), f.multiply(p, f.scalar("l2"))));

/**
 * Decaying state of parameters that get no gradient any more (dead units) ends in subnormal numbers, on which processors
 * are up to a hundred times slower, and which WebAssembly cannot have flushed to zero. So state below 2⁻¹²⁵ becomes zero.
 */
const flushed = (f: Formula, value: Lane): Lane => {
  const tiny = f.constant(2 ** -100);
  return f.keep(f.subtract(f.add(value, tiny), tiny));
};

/** out ← gradients + mu · (p − anchor). A pass of its own, since clipping needs the norm of what it makes. */
export const proximal: ElementwiseKernel = {
  name: "proximal",
  vectors: ["out", "gradients", "parameters", "anchor"],
  scalars: ["mu"],
  formula(f) {
    const pull = f.multiply(f.subtract(f.load("parameters"), f.load("anchor")), f.scalar("mu"));
    f.store("out", f.add(f.load("gradients"), pull));
  },
};

/** μ ← b1 μ + (1 − b1) g, ν ← b2 ν + (1 − b2) g², p ← keep · p − stepSize · μ / (root · √ν + eps) */
export const adam: ElementwiseKernel = {
  name: "adam",
  vectors: ["parameters", "gradients", "mu", "nu"],
  scalars: ["gradientScale", "l2", "b1", "oneMinusB1", "b2", "oneMinusB2", "eps", "root", "stepSize", "keep"],
  formula(f) {
    const p = f.keep(f.load("parameters"));
    const g = decayedGradient(f, p);
    const mu = flushed(
      f,
      f.add(f.multiply(f.load("mu"), f.scalar("b1")), f.multiply(g, f.scalar("oneMinusB1"))),
    );
    const nu = flushed(
      f,
      f.add(f.multiply(f.load("nu"), f.scalar("b2")), f.multiply(f.multiply(g, g), f.scalar("oneMinusB2"))),
    );
    f.store("mu", mu);
    f.store("nu", nu);
    const denominator = f.add(f.multiply(f.squareRoot(nu), f.scalar("root")), f.scalar("eps"));
    const step = f.divide(f.multiply(mu, f.scalar("stepSize")), denominator);
    f.store("parameters", f.subtract(f.multiply(p, f.scalar("keep")), step));
  },
};

/** p ← p − learningRate · g */
export const sgd: ElementwiseKernel = {
  name: "sgd",
  vectors: ["parameters", "gradients"],
  scalars: ["gradientScale", "l2", "learningRate"],
  formula(f) {
    const p = f.keep(f.load("parameters"));
    f.store("parameters", f.subtract(p, f.multiply(decayedGradient(f, p), f.scalar("learningRate"))));
  },
};

/** v ← momentum · v + g, p ← p − learningRate · v */
export const momentum: ElementwiseKernel = {
  name: "momentum",
  vectors: ["parameters", "gradients", "velocity"],
  scalars: ["gradientScale", "l2", "momentum", "learningRate"],
  formula(f) {
    const p = f.keep(f.load("parameters"));
    const g = decayedGradient(f, p);
    const velocity = flushed(f, f.add(f.multiply(f.load("velocity"), f.scalar("momentum")), g));
    f.store("velocity", velocity);
    f.store("parameters", f.subtract(p, f.multiply(velocity, f.scalar("learningRate"))));
  },
};

/** v ← momentum · v + g, p ← p − learningRate · (g + momentum · v) */
export const nesterov: ElementwiseKernel = {
  ...momentum,
  name: "nesterov",
  formula(f) {
    const p = f.keep(f.load("parameters"));
    const g = decayedGradient(f, p);
    const velocity = flushed(f, f.add(f.multiply(f.load("velocity"), f.scalar("momentum")), g));
    f.store("velocity", velocity);
    const ahead = f.add(g, f.multiply(velocity, f.scalar("momentum")));
    f.store("parameters", f.subtract(p, f.multiply(ahead, f.scalar("learningRate"))));
  },
};

/** a ← a + factor · b */
export const accumulate: ElementwiseKernel = {
  name: "accumulate",
  vectors: ["a", "b"],
  scalars: ["factor"],
  formula: (f) => f.store("a", f.add(f.load("a"), f.multiply(f.load("b"), f.scalar("factor")))),
};

/** a ← factor · a */
export const scale: ElementwiseKernel = {
  name: "scale",
  vectors: ["a"],
  scalars: ["factor"],
  formula: (f) => f.store("a", f.multiply(f.load("a"), f.scalar("factor"))),
};

/** out ← a + b */
export const add: ElementwiseKernel = {
  name: "add",
  vectors: ["out", "a", "b"],
  scalars: [],
  formula: (f) => f.store("out", f.add(f.load("a"), f.load("b"))),
};

/** out ← a − b */
export const subtract: ElementwiseKernel = {
  name: "subtract",
  vectors: ["out", "a", "b"],
  scalars: [],
  formula: (f) => f.store("out", f.subtract(f.load("a"), f.load("b"))),
};

/** a ← a / by */
export const divide: ElementwiseKernel = {
  name: "divide",
  vectors: ["a"],
  scalars: ["by"],
  formula: (f) => f.store("a", f.divide(f.load("a"), f.scalar("by"))),
};

/** a ← decay · a + factor · b, rounded once */
export const decayAndAdd: ElementwiseKernel = {
  name: "decayAndAdd",
  vectors: ["a", "b"],
  scalars: ["decay", "factor"],
  precision: "float64",
  formula: (f) =>
    f.store(
      "a",
      f.add(f.multiply(f.load("a"), f.scalar("decay")), f.multiply(f.load("b"), f.scalar("factor"))),
    ),
};

/** a ← decay · a + factor · b², rounded once */
export const decayAndAddSquare: ElementwiseKernel = {
  name: "decayAndAddSquare",
  vectors: ["a", "b"],
  scalars: ["decay", "factor"],
  precision: "float64",
  formula(f) {
    const b = f.keep(f.load("b"));
    const added = f.multiply(f.multiply(f.scalar("factor"), b), b);
    f.store("a", f.add(f.multiply(f.load("a"), f.scalar("decay")), added));
  },
};

/** out ← mean · meanScale / (√square · rootScale + eps) */
export const adamDirection: ElementwiseKernel = {
  name: "adamDirection",
  vectors: ["out", "mean", "square"],
  scalars: ["meanScale", "rootScale", "eps"],
  formula(f) {
    const root = f.multiply(f.squareRoot(f.load("square")), f.scalar("rootScale"));
    const mean = f.multiply(f.load("mean"), f.scalar("meanScale"));
    f.store("out", f.divide(mean, f.add(root, f.scalar("eps"))));
  },
};

/** m ← momentum · m + Δ; θ ← θ − learningRate · (Δ + momentum · m), m unrounded there */
export const nesterovStep: ElementwiseKernel = {
  name: "nesterovStep",
  vectors: ["anchor", "change", "velocity"],
  scalars: ["learningRate", "momentum"],
  precision: "float64",
  formula(f) {
    const change = f.keep(f.load("change"));
    const moved = f.keep(f.add(f.multiply(f.scalar("momentum"), f.load("velocity")), change));
    f.store("velocity", moved);
    const step = f.add(change, f.multiply(f.scalar("momentum"), moved));
    f.store("anchor", f.subtract(f.load("anchor"), f.multiply(f.scalar("learningRate"), step)));
  },
};

/**
 * m ← b1 m + (1 − b1)Δ; v ← keep · v + added · Δ²; θ ← θ − learningRate · m / (√v + tau), m and v unrounded there
 */
export const adaptiveStep: ElementwiseKernel = {
  name: "adaptiveStep",
  vectors: ["anchor", "change", "mean", "square"],
  scalars: ["learningRate", "b1", "oneMinusB1", "keep", "added", "tau"],
  precision: "float64",
  formula(f) {
    const change = f.keep(f.load("change"));
    const mean = f.keep(
      f.add(f.multiply(f.scalar("b1"), f.load("mean")), f.multiply(f.scalar("oneMinusB1"), change)),
    );
    const square = f.keep(
      f.add(
        f.multiply(f.scalar("keep"), f.load("square")),
        f.multiply(f.scalar("added"), f.multiply(change, change)),
      ),
    );
    f.store("mean", mean);
    f.store("square", square);
    const step = f.divide(
      f.multiply(f.scalar("learningRate"), mean),
      f.add(f.squareRoot(square), f.scalar("tau")),
    );
    f.store("anchor", f.subtract(f.load("anchor"), step));
  },
};

/** `(byteOffset, length) => Σ a²`, added up in float64, in an order that depends on the length alone. */
export const sumOfSquares: WasmFunction = {
  name: "sumOfSquares",
  parameters: ["i32", "i32"],
  results: ["f64"],
  locals: ["i32", "i32", "v128", "v128", "v128", "f64", "f64"],
  body: sumOfSquaresBody(),
};

function sumOfSquaresBody(): Code {
  const [pointer, length, index, end, four, pair, sums, one, total] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const address = [...getLocal(pointer), ...getLocal(index), ...ADD_I32];
  const promoteLow = simd(0x5f);
  // Lanes 2 and 3 go to the front; the other two don't matter.
  const upperHalf = [...simd(0x0d), 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
  const addSquares = (elements: Code): Code => [
    ...elements,
    ...promoteLow,
    ...setLocal(pair),
    ...[...getLocal(pair), ...getLocal(pair), ...simd(0xf2)], // f64x2.mul
    ...[...getLocal(sums), ...simd(0xf0), ...setLocal(sums)], // f64x2.add
  ];
  const extract = (lane: 0 | 1): Code => [...getLocal(sums), ...simd(0x21), lane];
  const addF64 = 0xa0;
  const multiplyF64 = 0xa2;
  return [
    ...wholeGroups(length, end),
    ...loop(index, end, 16, [
      ...[...address, ...simd(0x00), 4, 0, ...setLocal(four)], // v128.load
      ...addSquares(getLocal(four)),
      ...addSquares([...getLocal(four), ...getLocal(four), ...upperHalf]),
    ]),
    ...bytesOf(length, end),
    ...loop(index, end, 4, [
      ...[...address, 0x2a, 2, 0, 0xbb, ...setLocal(one)], // f32.load, f64.promote_f32
      ...[...getLocal(one), ...getLocal(one), multiplyF64],
      ...[...getLocal(total), addF64, ...setLocal(total)],
    ]),
    ...[...extract(0), ...extract(1), addF64, ...getLocal(total), addF64],
  ];
}
