// PowerSGD: the gradient of each matrix is sent as the product of two thin ones, found by one step of power iteration
// from where the last one ended. Source: Vogels, Karimireddy and Jaggi, "PowerSGD: practical low-rank gradient compression
// for distributed optimization" (arXiv 1905.13727), algorithms 1 and 2.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd, type VectorLayout } from "@atoll/tensor";
import { z } from "zod";
import { expand, type MatrixShape, orthogonalise, project, projectBack } from "../compressors/lowRank.ts";
import { steps } from "./optionSchemas.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";

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
  return {
    kind: "gradient",
    name: "powersgd",
    config: { kind: "powersgd", rank },
    optimizer,
    validate() {},
    init({ layout, sharedRandom }) {
      const random = sharedRandom.derive("powerSgd");
      const q = new Float32Array(factorsOf(layout, rank).qSize);
      for (let i = 0; i < q.length; i++) q[i] = random.normal();
      return { tensors: { error: new Float32Array(layout.matrixSize), q }, values: {} };
    },
    async exchange({ communicator, gradients, layout }, { tensors }) {
      const { matrices, pSize } = factorsOf(layout, rank);
      const error = tensors.error!;
      const q = tensors.q!;
      for (let i = 0; i < error.length; i++) error[i]! += gradients[i]!; // now M
      const first = new Float32Array(pSize + layout.size - layout.matrixSize); // all P, then the vectors
      first.set(gradients.subarray(layout.matrixSize), pSize);
      for (const { shape, at, p, q: own } of matrices)
        project(part(error, at), shape, part(q, own), part(first, p));
      await communicator.allReduce(first, { op: "mean" });
      for (const { shape, at, p, q: own, r } of matrices) {
        orthogonalise(part(first, p), r);
        projectBack(part(error, at), shape, part(first, p), part(q, own));
        expand(part(first, p), part(q, own), shape, part(gradients, at));
      }
      for (let i = 0; i < error.length; i++) error[i]! -= gradients[i]!;
      await communicator.allReduce(q, { op: "mean" });
      for (const { shape, at, p, q: own } of matrices)
        expand(part(first, p), part(q, own), shape, part(gradients, at));
      gradients.set(first.subarray(pSize), layout.matrixSize);
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
  readonly r: number;
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
      return { shape, r, at: { start: offset, end: offset + size }, p, q };
    });
  return { matrices, pSize, qSize };
}

export const powerSgdEntry: StrategyEntry = {
  name: "powersgd",
  summary: "average low-rank approximations of the gradients, with error feedback (PowerSGD)",
  options,
  optimizer: { kind: "sgd", learningRate: 0.1, momentum: 0.9 },
  create: (values, optimizer) => powerSgd({ ...values, optimizer }),
};
