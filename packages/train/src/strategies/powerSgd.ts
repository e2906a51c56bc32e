// PowerSGD: the gradient of each matrix is sent as the product of two thin ones, found by one step of power iteration
// from where the last one ended. Source: Vogels, Karimireddy and Jaggi, "PowerSGD: practical low-rank gradient compression
// for distributed optimization" (arXiv 1905.13727), algorithms 1 and 2.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd, type VectorLayout } from "@atoll/tensor";
import { allocateBeside, type MatrixShape } from "@atoll/tensor/vectors";
import { z } from "zod";
import { addEncodings, encodingOfError, exactEncoding } from "../compressors/encoding.ts";
import {
  type LowRankMatrix,
  lowRankExpand,
  orthogonalise,
  packMatrices,
  rowsOf,
} from "../compressors/lowRank.ts";
import { sharedResult } from "../compressors/wire.ts";
import type { LocalTask } from "../localTask.ts";
import { steps } from "./optionSchemas.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import type { GradientStrategy, StrategyEntry, StrategyNode } from "./strategy.ts";
import { reduced, type TrafficModel } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

/** Parts in which worker threads multiply out what all nodes share. */
const PARTS = 4;

const options = z.strictObject({ rank: steps(4, "columns of the thin matrices") });

export interface PowerSgdOptions {
  /** Columns of the thin matrices. Default 4. */
  readonly rank?: number;
  /** Default SGD, learning rate 0.1, momentum 0.9, as in the paper. */
  readonly optimizer?: Optimizer;
}

/**
 * For each tensor of two axes or more, as a matrix M [n, m] = gradient + error: P ← mean of MQ, orthogonalised;
 * Q ← mean of MᵀP; the optimizer gets PQᵀ, and what a node's own PQᵀ lacks of its M is its next error. Vectors are averaged
 * as they are. State: `error`, each node's own, and `q`, the same on all ranks.
 *
 * Bytes a node sends with a ring each step: 2(N−1)/N · 4(Σ r(n + m) + elements of vectors), r = min(rank, n, m).
 * @throws ConfigError if the rank is below 1.
 */
export function powerSgd({
  optimizer = sgd({ learningRate: 0.1, momentum: 0.9 }),
  ...given
}: PowerSgdOptions = {}): GradientStrategy {
  const { rank } = parseConfig(options, given, "strategy");
  const factors = perLayout((layout) => factorsOf(layout, rank));
  const scratch = scratchPerNode(({ parameters, layout }) => {
    const { pSize, qSize } = factors(layout);
    const vector = (length: number): Float32Array => allocateBeside(parameters, length);
    return {
      first: vector(pSize + layout.size - layout.matrixSize), // all P, then the vectors
      turned: Array.from({ length: PARTS }, () => vector(qSize)),
      // What all nodes compute alike, of one of them for all that share what they have reduced:
      means: vector(pSize + layout.size - layout.matrixSize), // as in `first`
      update: vector(layout.size),
    };
  });
  /** The matrices of the layout, with their gradients or updates in `g` and their factors in `p` and `q`. */
  const matricesOf = (
    { layout }: StrategyNode,
    { error, q }: Readonly<Record<string, Float32Array>>,
    { g, p }: Readonly<Record<"g" | "p", Float32Array>>,
  ): readonly LowRankMatrix[] =>
    factors(layout).matrices.map((matrix) => ({
      shape: matrix.shape,
      g: part(g, matrix.at),
      e: part(error!, matrix.at),
      p: part(p, matrix.p),
      q: part(q!, matrix.q),
    }));
  const packed = (
    node: StrategyNode,
    matrices: readonly LowRankMatrix[],
    section = 0,
  ): Pick<LocalTask, "vectors" | "numbers"> => packMatrices(matrices, scratch(node).turned[section]!);
  const { prepare, take } = preparation(async (node, { tensors }) => {
    const { first } = scratch(node);
    const matrices = matricesOf(node, tensors, { g: node.gradients, p: first });
    await node.local.until(node.local.run({ operation: "lowRankProject", ...packed(node, matrices) }));
    return first;
  });
  const sharedMeans = sharedResult();
  const sharedUpdate = sharedResult<Promise<Float32Array>>();
  /** The nodes' means as they are needed after further calls: the columns of each P made orthonormal, then the vectors. */
  function meansOf(node: StrategyNode, reduced: Float32Array): Float32Array {
    const { means } = scratch(node);
    means.set(reduced);
    for (const { shape, p } of factors(node.layout).matrices)
      orthogonalise(part(means, p), (p.end - p.start) / shape.rows);
    return means;
  }
  /** p qᵀ of each matrix, and the mean of the vectors behind them. */
  async function updateOf(
    node: StrategyNode,
    matrices: readonly LowRankMatrix[],
    vectors: Float32Array,
  ): Promise<Float32Array> {
    const { update } = scratch(node);
    update.set(vectors, node.layout.matrixSize);
    await Promise.all(
      Array.from({ length: PARTS }, (_, section) => {
        const rows = matrices.map((matrix) => rowsOf(matrix, section, PARTS));
        return node.local.run({ operation: "lowRankExpand", ...packed(node, rows, section) });
      }),
    );
    return update;
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
      const q = new Float32Array(factors(layout).qSize);
      for (let i = 0; i < q.length; i++) q[i] = random.normal();
      return { tensors: { error: new Float32Array(layout.matrixSize), q }, values: {} };
    },
    prepare,
    async exchange(node, state) {
      const { communicator, gradients, layout, local, record } = node;
      const { tensors } = state;
      const { pSize } = factors(layout);
      const first = await take(node, state);
      first.set(gradients.subarray(layout.matrixSize), pSize);
      const reduced = await communicator.allReduced(first, { op: "mean" });
      const p = sharedMeans(reduced, () => meansOf(node, reduced));
      const matrices = matricesOf(node, tensors, { g: gradients, p });
      await local.until(local.run({ operation: "lowRankProjectBack", ...packed(node, matrices) }));
      record?.encoded?.(() => {
        // Of matrices this node's own product of thin ones is sent; vectors are sent as they are.
        const decoded = new Float32Array(layout.matrixSize);
        const { vectors, numbers } = packed(node, matricesOf(node, tensors, { g: decoded, p }));
        lowRankExpand(vectors, numbers);
        return addEncodings(
          encodingOfError(tensors.error!, decoded),
          exactEncoding(gradients.subarray(layout.matrixSize)),
        );
      });
      const q = await communicator.allReduced(tensors.q!, { op: "mean" });
      tensors.q!.set(q);
      const { update } = scratch(node);
      const made = (): Promise<Float32Array> =>
        updateOf(node, matricesOf(node, tensors, { g: update, p }), p.subarray(pSize));
      return local.until(sharedUpdate(q, made));
    },
  };
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** A matrix of the layout: where it and its thin factors lie. */
interface Factored {
  readonly shape: MatrixShape;
  readonly at: Range;
  readonly p: Range;
  readonly q: Range;
}

interface Factors {
  readonly matrices: readonly Factored[];
  readonly pSize: number;
  readonly qSize: number;
}

const part = (vector: Float32Array, { start, end }: Range): Float32Array => vector.subarray(start, end);

/** What follows from a layout, once for each. */
function perLayout<T>(make: (layout: VectorLayout) => T): (layout: VectorLayout) => T {
  const known = new WeakMap<VectorLayout, T>();
  return (layout) => {
    const present = known.get(layout) ?? make(layout);
    known.set(layout, present);
    return present;
  };
}

function factorsOf({ entries }: VectorLayout, rank: number): Factors {
  let pSize = 0;
  let qSize = 0;
  const matrices = entries
    .filter(({ shape }) => shape.length >= 2)
    .map(({ shape: [rows], offset, size }): Factored => {
      const shape = { rows: rows!, columns: size / rows! };
      const r = Math.min(rank, shape.rows, shape.columns);
      const p = { start: pSize, end: pSize + r * shape.rows };
      const q = { start: qSize, end: qSize + r * shape.columns };
      pSize = p.end;
      qSize = q.end;
      return { shape, at: { start: offset, end: offset + size }, p, q };
    });
  return { matrices, pSize, qSize };
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
