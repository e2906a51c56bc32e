// Muon: momentum whose update is made orthogonal, matrix by matrix, so that all directions of a matrix learn at one rate.
// Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with the Newton–Schulz iteration given
// there; the scale that lets AdamW's learning rate and weight decay serve is of Liu et al., "Muon is scalable for LLM
// training" (arXiv 2502.16982), §2.2. What is not a matrix is left to Adam.

import type { Tensor } from "../borrow.ts";
import {
  add,
  concatenate,
  divide,
  matmul,
  multiply,
  reshape,
  slice,
  sqrt,
  square,
  sum,
  transpose,
} from "../ops.ts";
import type { VectorEntry } from "../vector.ts";
import { addDecayedWeights } from "./addDecayedWeights.ts";
import { chain } from "./chain.ts";
import { requireRange } from "./check.ts";
import { ADAM_DEFAULTS, adamCorrections } from "./scaleByAdam.ts";
import { scaleByLearningRate } from "./scaleByLearningRate.ts";
import { type Schedule, scheduleConfig, toSchedule } from "./schedule.ts";
import type { GradientTransformation, Optimizer, Updated } from "./transformation.ts";

/** Coefficients of the quintic that pushes singular values towards 1 fastest, and how often it is applied. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;
/** Root mean square of an update, as that of AdamW usually is. */
const UPDATE_RMS = 0.2;

export interface MuonOptions {
  /** 1e-3 by default. */
  readonly learningRate?: number | Schedule;
  /** 0.95 by default, with Nesterov's look-ahead. */
  readonly momentum?: number;
  /** Decoupled, 0.01 by default. */
  readonly weightDecay?: number;
}

/**
 * Matrices (tensors of more axes as [first, all others]): v ← momentum · v + g, u = g + momentum · v; the update is
 * 0.2 √max(n, m) · U with U the nearest orthogonal matrix of u [n, m], its singular values between about 0.7 and 1.2.
 * All else: Adam (see `scaleByAdam`). Slots: `mu` (v, and Adam's mean), `nu` (Adam's, zeros for matrices).
 */
export function scaleByMuon({ momentum = 0.95 }: Pick<MuonOptions, "momentum"> = {}): GradientTransformation {
  requireRange("momentum", momentum, { least: 0, below: 1 });
  return {
    name: "scaleByMuon",
    slots: ["mu", "nu"],
    config: { kind: "scaleByMuon", momentum },
    scalars: (count) => ({ ...adamCorrections(ADAM_DEFAULTS, count) }),
    update(gradients, state, _parameters, scalars, { entries, size, matrixSize }) {
      const part = (vector: Tensor, start: number, end: number): Tensor =>
        start === 0 && end === size ? vector : slice(vector, start, end);
      const matrices = entries.filter(({ shape }) => shape.length >= 2);
      const parts: Updated[] = [];
      if (matrixSize > 0) {
        const g = part(gradients, 0, matrixSize);
        const mu = add(multiply(part(state.mu!, 0, matrixSize), momentum), g);
        const ahead = add(g, multiply(mu, momentum));
        const updates = joined(matrices.map((entry) => orthogonalUpdate(ahead, entry)));
        parts.push({ updates, state: { mu, nu: part(state.nu!, 0, matrixSize) } });
      }
      if (matrixSize < size) {
        const tail = (vector: Tensor): Tensor => part(vector, matrixSize, size);
        parts.push(adamUpdate(tail(gradients), tail(state.mu!), tail(state.nu!), scalars));
      }
      return {
        updates: joined(parts.map(({ updates }) => updates)),
        state: {
          mu: joined(parts.map((p) => p.state.mu!)),
          nu: joined(parts.map((p) => p.state.nu!)),
        },
      };
    },
  };
}

/**
 * p ← p − learningRate · (u + weightDecay · p), u as `scaleByMuon` makes it.
 *
 * @example muon({ learningRate: 2e-3 })
 */
export function muon({
  learningRate = 1e-3,
  momentum = 0.95,
  weightDecay = 0.01,
}: MuonOptions = {}): Optimizer {
  const schedule = toSchedule(learningRate);
  return {
    ...chain(
      scaleByMuon({ momentum }),
      ...(weightDecay === 0 ? [] : [addDecayedWeights(weightDecay)]),
      scaleByLearningRate(schedule),
    ),
    name: "muon",
    config: { kind: "muon", learningRate: scheduleConfig(schedule), momentum, weightDecay },
  };
}

const joined = (tensors: readonly Tensor[]): Tensor =>
  tensors.length === 1 ? tensors[0]! : concatenate(tensors);

/** [matrixSize] -> the update of one matrix, [n · m] */
function orthogonalUpdate(vector: Tensor, { shape, offset, size }: VectorEntry): Tensor {
  const rows = shape[0]!;
  const columns = size / rows;
  const flat = vector.shape[0] === size ? vector : slice(vector, offset, offset + size);
  const matrix = reshape(flat, [rows, columns]);
  // The iteration works on the side that is shorter: X Xᵀ is then the smaller square.
  const turned = rows > columns;
  const orthogonal = newtonSchulz(turned ? transpose(matrix) : matrix);
  const scale = UPDATE_RMS * Math.sqrt(Math.max(rows, columns));
  return reshape(multiply(turned ? transpose(orthogonal) : orthogonal, scale), [size]);
}

/** The nearest orthogonal matrix, roughly. [n, m] -> [n, m], n ≤ m */
function newtonSchulz(matrix: Tensor): Tensor {
  let x = divide(matrix, add(sqrt(sum(square(matrix))), 1e-7));
  for (let i = 0; i < ITERATIONS; i++) {
    const gram = matmul(x, transpose(x)); // [n, n]
    const factor = add(multiply(gram, B), multiply(matmul(gram, gram), C));
    x = add(multiply(x, A), matmul(factor, x));
  }
  return x;
}

function adamUpdate(
  gradients: Tensor,
  mean: Tensor,
  squares: Tensor,
  scalars: Readonly<Record<string, Tensor>>,
): Updated {
  const { b1, b2, eps } = ADAM_DEFAULTS;
  const mu = add(multiply(mean, b1), multiply(gradients, 1 - b1));
  const nu = add(multiply(squares, b2), multiply(square(gradients), 1 - b2));
  const denominator = add(multiply(sqrt(nu), scalars.root!), eps);
  return { updates: divide(multiply(mu, scalars.mean!), denominator), state: { mu, nu } };
}
