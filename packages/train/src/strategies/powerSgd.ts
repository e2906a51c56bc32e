// PowerSGD: the gradient of each matrix is sent as the product of two thin ones, found by one step of power iteration
// from where the last one ended. Source: Vogels, Karimireddy and Jaggi, "PowerSGD: practical low-rank gradient compression
// for distributed optimization" (arXiv 1905.13727), algorithms 1 and 2.

import { parseConfig } from "@atoll/core/config";
import { type Optimizer, sgd, type VectorLayout } from "@atoll/tensor";
import { allocateBeside, type MatrixShape } from "@atoll/tensor/vectors";
import { z } from "zod";
import { addEncodings, encodingOfError, exactEncoding } from "../compressors/encoding.ts";
import { packMatrices } from "../compressors/lowRank.ts";
import { steps } from "./optionSchemas.ts";
import { preparation, scratchPerNode } from "./preparation.ts";
import type { GradientStrategy, StrategyEntry } from "./strategy.ts";
import { reduced, type TrafficModel } from "./traffic.ts";
import { WAIT } from "./whenMissing.ts";

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
  const scratch = scratchPerNode(({ parameters, layout }) => {
    const { pSize, qSize } = factorsOf(layout, rank);
    return {
      first: allocateBeside(parameters, pSize + layout.size - layout.matrixSize), // all P, then the vectors
      turned: allocateBeside(parameters, qSize),
    };
  });
  const { prepare, take } = preparation(async (node, { tensors }) => {
    const { gradients, layout, local } = node;
    const { first, turned } = scratch(node);
    const { matrices: factored, pSize } = factorsOf(layout, rank);
    const matrices = packMatrices(
      factored.map(({ shape, at, p, q }) => ({
        shape,
        g: part(gradients, at),
        e: part(tensors.error!, at),
        p: part(first, p),
        q: part(tensors.q!, q),
      })),
      turned,
    );
    await local.until(local.run({ operation: "lowRankProject", ...matrices }));
    return { matrices, first, pSize };
  });
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
      const q = new Float32Array(factorsOf(layout, rank).qSize);
      for (let i = 0; i < q.length; i++) q[i] = random.normal();
      return { tensors: { error: new Float32Array(layout.matrixSize), q }, values: {} };
    },
    prepare,
    async exchange(node, state) {
      const { communicator, gradients, layout, local, record } = node;
      const { matrices, first, pSize } = await take(node, state);
      first.set(gradients.subarray(layout.matrixSize), pSize);
      await communicator.allReduce(first, { op: "mean" });
      await local.until(local.run({ operation: "lowRankProjectBack", ...matrices }));
      // The gradients of matrices are now this node's own product of thin ones; vectors are sent as they are.
      record?.encoded?.(() =>
        addEncodings(
          encodingOfError(state.tensors.error!, gradients.subarray(0, layout.matrixSize)),
          exactEncoding(gradients.subarray(layout.matrixSize)),
        ),
      );
      await communicator.allReduce(state.tensors.q!, { op: "mean" });
      await local.until(local.run({ operation: "lowRankExpand", ...matrices }));
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
