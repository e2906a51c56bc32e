// The kernels that go through their vectors once, element by element, and the norms that go with them: those of an optimizer step,
// which fuse what the gradient transformations in optim/ do one after the other (the formulas are theirs), and the arithmetic of
// collectives and outer steps.

import type { ElementwiseKernel, Formula, Lane } from "./elementwise.ts";
import type { SquaredNorm } from "./squaredNorm.ts";

/** g ← gradientScale · gradient + l2 · p */
const decayedGradient = (f: Formula, p: Lane): Lane =>
  f.keep(f.add(f.multiply(f.load("gradients"), f.scalar("gradientScale")), f.multiply(p, f.scalar("l2"))));

/**
 * Decaying state of parameters that get no gradient any more (dead units) ends in subnormal numbers, on which processors
 * are up to a hundred times slower, and which WebAssembly cannot have flushed to zero. So means and velocities below 2⁻¹⁰⁰
 * become zero, which leaves their product with a learning rate normal. Adding a constant and subtracting it again would not do:
 * it rounds to nearest, which keeps a decaying number at a few units in the last place for good.
 */
const flushed = (f: Formula, value: Lane): Lane => f.keep(f.zeroBelow(value, 2 ** -100));

/**
 * The same of means of squares, down to where halving one would make it subnormal, since no learning rate multiplies them. Those
 * of gradients of 10⁻¹⁴ are below 2⁻¹⁰⁰ already: were they zero, such a gradient's step would be its mean divided by `eps` alone,
 * and many times too long where `eps` is as small.
 */
const flushedSquare = (f: Formula, value: Lane): Lane => f.keep(f.zeroBelow(value, 2 ** -125));

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
    const nu = flushedSquare(
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

/** gradient + pull · (p − anchor) */
const pulledGradient = (f: Formula): Lane => {
  const distance = f.subtract(f.load("parameters"), f.load("anchor"));
  return f.add(f.load("gradients"), f.multiply(distance, f.scalar("pull")));
};

/** The same with gradients to which a proximal term's pull is added. */
const pulled = (name: string, kernel: ElementwiseKernel): ElementwiseKernel => ({
  name,
  vectors: [...kernel.vectors, "anchor"],
  scalars: [...kernel.scalars, "pull"],
  formula: (f) =>
    kernel.formula({
      ...f,
      load: (vector) => (vector === "gradients" ? pulledGradient(f) : f.load(vector)),
    }),
});

export const proximalAdam: ElementwiseKernel = pulled("proximalAdam", adam);
export const proximalSgd: ElementwiseKernel = pulled("proximalSgd", sgd);
export const proximalMomentum: ElementwiseKernel = pulled("proximalMomentum", momentum);
export const proximalNesterov: ElementwiseKernel = pulled("proximalNesterov", nesterov);

export const gradientNorm: SquaredNorm = {
  name: "gradientNorm",
  vectors: ["gradients"],
  scalars: [],
  value: (f) => f.load("gradients"),
};

export const proximalNorm: SquaredNorm = {
  name: "proximalNorm",
  vectors: ["gradients", "parameters", "anchor"],
  scalars: ["pull"],
  value: pulledGradient,
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

/** a ← (a + b) / 2 */
export const average: ElementwiseKernel = {
  name: "average",
  vectors: ["a", "b"],
  scalars: [],
  formula: (f) => f.store("a", f.multiply(f.add(f.load("a"), f.load("b")), f.constant(0.5))),
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

/** a ← decay · a + (b − c), rounded once */
export const decayAndAddDifference: ElementwiseKernel = {
  name: "decayAndAddDifference",
  vectors: ["a", "b", "c"],
  scalars: ["decay"],
  precision: "float64",
  formula: (f) =>
    f.store("a", f.add(f.multiply(f.load("a"), f.scalar("decay")), f.subtract(f.load("b"), f.load("c")))),
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

/** m ← momentum · m + learningRate · (Δ + φ̄ − φ); φ ← φ + m; out ← φ, each rounded */
export const pairStep: ElementwiseKernel = {
  name: "pairStep",
  vectors: ["out", "anchor", "change", "mean", "velocity"],
  scalars: ["learningRate", "momentum"],
  precision: "float64",
  formula(f) {
    const anchor = f.keep(f.load("anchor"));
    const pull = f.subtract(f.add(f.load("change"), f.load("mean")), anchor);
    const moved = f.add(
      f.multiply(f.scalar("momentum"), f.load("velocity")),
      f.multiply(f.scalar("learningRate"), pull),
    );
    const velocity = f.keep(f.rounded(moved));
    f.store("velocity", velocity);
    const next = f.keep(f.add(anchor, velocity));
    f.store("anchor", next);
    f.store("out", next);
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
