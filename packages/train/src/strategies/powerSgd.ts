// PowerSGD: the gradient of each matrix is sent as the product of two thin ones, found by one step of power iteration
// from where the last one ended. Source: Vogels, Karimireddy and Jaggi, "PowerSGD: practical low-rank gradient compression
// for distributed optimization" (arXiv 1905.13727), algorithms 1 and 2.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd, type VectorLayout } from "@atoll/tensor";
import { allocateBeside, copyVector, type MatrixShape } from "@atoll/tensor/vectors";
import { z } from "zod";
import { addEncodings, encodingOfError, exactEncoding } from "../compressors/encoding.ts";
import { factorsOf, lowRankExpand, orthogonalise, part, writeShapes } from "../compressors/lowRank.ts";
import { sharedResult } from "../compressors/wire.ts";
import { steps } from "./optionSchemas.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import type { GradientStrategy, StrategyEntry, StrategyNode } from "./strategy.ts";
import { reduced, type TrafficModel } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

/** Parts in which worker threads multiply out what all nodes share. */
const PARTS = 4;
/** Elements of it below which this thread has done it before another one has been told of it. */
const WORTH_IT = 2 ** 19;

const options = z.strictObject({ rank: steps(4, "columns of the thin matrices") });

export interface PowerSgdOptions {
  /** Columns of the thin matrices. Default 4. */
  readonly rank?: number;
  /** Default SGD, learning rate 0.1, momentum 0.9, as in the paper. */
  readonly optimizer?: Optimizer;
}

/**
 * For each tensor of two axes or more, as a matrix M [n, m] = gradient + error: P ← mean of MQ, orthogonalised;
 * Q ← mean of MᵀP; the optimizer gets PQᵀ, and what a node's own P(MᵀP)ᵀ lacks of its M is its next error. Vectors are
 * averaged as they are. State: `matrices`, the nodes' M, `p`, and `own`, MᵀP, from which the next M is made, so that nobody
 * has to write down the error; and `q`, which is the same on all ranks, as `p` is. A column of P that depends on others, as
 * where a layer's gradient was zero, is replaced by a direction that they lack.
 *
 * Bytes a node sends with a ring each step: 2(N−1)/N · 4(Σ r(n + m) + elements of vectors), r = min(rank, n, m).
 * @throws ConfigError if the rank is below 1.
 */
export function powerSgd({
  optimizer = sgd({ learningRate: 0.1, momentum: 0.9 }),
  ...given
}: PowerSgdOptions = {}): GradientStrategy {
  const { rank } = parseConfig(options, given, "strategy");
  const factors = perLayout((layout) => factorsOf(shapesOf(layout), rank));
  const scratch = scratchPerNode(({ parameters, layout }) => {
    const { matrices, pSize, qSize } = factors(layout);
    const vector = (length: number): Float32Array => allocateBeside(parameters, length);
    const shapes = vector(2 * matrices.length);
    writeShapes(shapes, shapesOf(layout));
    // Of all P, and then the vectors.
    return { shapes, first: vector(pSize + layout.size - layout.matrixSize), turned: vector(qSize) };
  });
  /** What all nodes compute alike, of one of them for all that share what they have reduced. */
  const common = scratchPerNode(({ parameters, layout }) => {
    const { pSize, qSize } = factors(layout);
    const vector = (length: number): Float32Array => allocateBeside(parameters, length);
    return {
      means: vector(pSize + layout.size - layout.matrixSize), // as in `first`
      update: vector(layout.size),
      turned: Array.from({ length: PARTS }, () => vector(qSize)),
    };
  });
  const { prepare, take } = preparation(async (node, { tensors }) => {
    const { shapes, first, turned } = scratch(node);
    const projected = first.subarray(0, factors(node.layout).pSize);
    const vectors = { ...tensors, shapes, gradients: node.gradients, projected, turned };
    await node.local.until(node.local.run({ operation: "lowRankProject", vectors, numbers: { rank } }));
    return first;
  });
  const sharedMeans = sharedResult();
  const sharedUpdate = sharedResult<Float32Array | Promise<Float32Array>>();
  /** The nodes' means as they are needed after further calls: the columns of each P made orthonormal, then the vectors. */
  function meansOf(node: StrategyNode, reduced: Float32Array): Float32Array {
    const { means } = common(node);
    copyVector(means, reduced);
    for (const { shape, p } of factors(node.layout).matrices)
      orthogonalise(part(means, p), (p.end - p.start) / shape.rows);
    return means;
  }
  /** p qᵀ of each matrix, and the mean of the vectors behind them. */
  function updateOf(
    node: StrategyNode,
    { means, q }: Readonly<Record<"means" | "q", Float32Array>>,
  ): Float32Array | Promise<Float32Array> {
    const { size, pSize } = factors(node.layout);
    const { shapes } = scratch(node);
    const { update, turned } = common(node);
    copyVector(update.subarray(size), means.subarray(pSize));
    const vectors = { shapes, product: update, p: means.subarray(0, pSize), q };
    if (size < WORTH_IT) {
      lowRankExpand({ ...vectors, turned: turned[0]! }, { rank, section: 0, sections: 1 });
      return update;
    }
    const sections = turned.map((own, section) =>
      node.local.run({
        operation: "lowRankExpand",
        vectors: { ...vectors, turned: own },
        numbers: { rank, section, sections: PARTS },
      }),
    );
    return Promise.all(sections).then(() => update);
  }
  return {
    kind: "gradient",
    name: "powersgd",
    config: { kind: "powersgd", rank },
    optimizer,
    whenMissing: WAIT,
    records: ["compressionError"],
    validate() {},
    init({ layout, sharedRandom }) {
      const random = sharedRandom.derive("powerSgd");
      const { size, pSize, qSize } = factors(layout);
      const q = new Float32Array(qSize);
      for (let i = 0; i < q.length; i++) q[i] = random.normal();
      const zeros = { matrices: new Float32Array(size), p: new Float32Array(pSize) };
      return { tensors: { ...zeros, own: new Float32Array(qSize), q }, values: {} };
    },
    prepare,
    async exchange(node, state) {
      const { communicator, gradients, layout, local, record } = node;
      const { matrices, p, own, q } = state.tensors as Readonly<Record<StateName, Float32Array>>;
      const { size, pSize } = factors(layout);
      const { shapes, turned } = scratch(node);
      const first = await take(node, state);
      copyVector(first.subarray(pSize), gradients.subarray(size));
      const reduced = await communicator.allReduced(first, { op: "mean" });
      const means = sharedMeans(reduced, () => meansOf(node, reduced));
      const vectors = { shapes, matrices, mean: means.subarray(0, pSize), p, own };
      await local.until(local.run({ operation: "lowRankProjectBack", vectors, numbers: { rank } }));
      record?.encoded?.(() => {
        // Of matrices this node's own product of thin ones is sent; vectors are sent as they are.
        const product = new Float32Array(size);
        lowRankExpand({ shapes, product, p, q: own, turned }, { rank, section: 0, sections: 1 });
        const error = matrices.map((value, i) => value - product[i]!);
        return addEncodings(encodingOfError(error, product), exactEncoding(gradients.subarray(size)));
      });
      const mean = await communicator.allReduced(own, { op: "mean" });
      copyVector(q, mean);
      const update = sharedUpdate(mean, () => updateOf(node, { means, q }));
      return update instanceof Promise ? local.until(update) : update;
    },
  };
}

type StateName = "matrices" | "p" | "own" | "q";

/** The layout's matrices, which fill its front. */
const shapesOf = ({ entries }: VectorLayout): readonly MatrixShape[] =>
  entries
    .filter(({ shape }) => shape.length >= 2)
    .map(({ shape: [rows], size }) => ({ rows: rows!, columns: size / rows! }));

/** What follows from a layout, once for each. */
function perLayout<T>(make: (layout: VectorLayout) => T): (layout: VectorLayout) => T {
  const known = new WeakMap<VectorLayout, T>();
  return (layout) => {
    const present = known.get(layout) ?? make(layout);
    known.set(layout, present);
    return present;
  };
}

/** Bytes of the thin factors, on one side, of transformer blocks of width d, which have 12d² parameters each. */
function factorBytes(
  { elements, layers, floatBytes }: TrafficModel,
  rank: number,
  sidesInWidths: number,
): number {
  const width = Math.sqrt(elements / layers / 12);
  return floatBytes * Math.round(layers * sidesInWidths * width * Math.min(rank, width));
}

export const powerSgdEntry: StrategyEntry = {
  name: "powersgd",
  summary: "average low-rank approximations of the gradients, with error feedback (PowerSGD)",
  options,
  optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0.9 },
  traffic: ({ rank }) => ({
    assumes: "each layer is a transformer block: matrices of d × 3d, d × d, d × 4d and 4d × d",
    exchanges: [
      // Sides that all thin factors on the left have together, and those on the right.
      reduced({ every: 1, bytes: (model) => factorBytes(model, Number(rank), 1 + 1 + 1 + 4) }),
      reduced({ every: 1, bytes: (model) => factorBytes(model, Number(rank), 3 + 1 + 4 + 1) }),
    ],
  }),
  create: (values, optimizer) => powerSgd({ ...values, optimizer }),
};
