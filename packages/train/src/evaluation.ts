// Evaluation of a run: rank 0's model ("local") and the average of all nodes' models, buffers included ("global"), on
// the same examples, in evaluation mode. It reads the nodes' vectors and changes nothing: no random number, buffer,
// byte or simulated second of the run depends on whether it was evaluated.

import { invariant, type Random, unreachable } from "@atoll/core";
import type { Dataset } from "./data/index.ts";
import type { Evaluation, Executor } from "./executor.ts";
import type { Replica } from "./replica.ts";

export type Weights = Pick<Replica, "parameters" | "buffers">;

/** Examples of one evaluation pass, at least and at most. */
const SMALLEST_BATCH = 16;
const LARGEST_BATCH = 100;

/**
 * Cuts evaluation examples into batches; the last one may be smaller. They follow the size of a training pass, so that
 * whoever makes that smaller to save memory saves it here too.
 */
export function evaluationBatches(
  count: number,
  minibatchSize: number,
): readonly { readonly start: number; readonly end: number }[] {
  const size = Math.min(LARGEST_BATCH, Math.max(SMALLEST_BATCH, minibatchSize));
  return Array.from({ length: Math.ceil(count / size) }, (_, i) => ({
    start: i * size,
    end: Math.min(count, (i + 1) * size),
  }));
}

/** Loss and accuracy of both models; accuracy is null for a model that has none. */
export interface RunEvaluation {
  readonly loss: { readonly local: number; readonly global: number };
  readonly accuracy: { readonly local: number; readonly global: number } | null;
}

/**
 * The examples that stand for a whole evaluation set: every row of a table; of token windows those that start a block
 * apart, so that every token is predicted once.
 */
export function wholeEvaluation({ source, size }: Dataset): Uint32Array {
  switch (source.kind) {
    case "table":
      return Uint32Array.from({ length: size }, (_, i) => i);
    case "windows":
      return Uint32Array.from({ length: Math.ceil(size / source.blockSize) }, (_, i) => i * source.blockSize);
    default:
      return unreachable(source);
  }
}

/** `count` of those examples, drawn once for the run and in ascending order; all of them if there are fewer. */
export function sampledEvaluation(dataset: Dataset, count: number, random: Random): Uint32Array {
  const all = wholeEvaluation(dataset);
  if (count >= all.length) return all;
  const drawn = random.derive("validation").permutation(all.length).subarray(0, count);
  return Uint32Array.from(drawn, (i) => all[i]!).sort();
}

/** The mean of the nodes' parameters and buffers, summed in rank order in double precision. */
export function averageWeights(replicas: readonly Weights[]): Weights {
  return {
    parameters: meanOf(replicas.map((r) => r.parameters)),
    buffers: meanOf(replicas.map((r) => r.buffers)),
  };
}

function meanOf(vectors: readonly Float32Array[]): Float32Array {
  const [first] = vectors;
  invariant(first, "an average needs at least one node");
  const mean = first.slice();
  if (vectors.length === 1) return mean;
  const total = new Float64Array(mean.length);
  for (const vector of vectors) for (let i = 0; i < total.length; i++) total[i]! += vector[i]!;
  for (let i = 0; i < total.length; i++) mean[i] = total[i]! / vectors.length;
  return mean;
}

/** Whether two models are the same bit for bit, as all are after a synchronisation. */
const equalWeights = (a: Weights, b: Weights): boolean =>
  equalBits(a.parameters, b.parameters) && equalBits(a.buffers, b.buffers);

function equalBits(a: Float32Array, b: Float32Array): boolean {
  const bits = (vector: Float32Array): Uint32Array =>
    new Uint32Array(vector.buffer, vector.byteOffset, vector.length);
  const [left, right] = [bits(a), bits(b)];
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

export async function evaluateRun(
  executor: Executor,
  replicas: readonly Weights[],
  indices: Uint32Array,
): Promise<RunEvaluation> {
  const average = averageWeights(replicas);
  const local = await executor.evaluate(replicas[0]!, indices);
  const global = equalWeights(replicas[0]!, average) ? local : await executor.evaluate(average, indices);
  return { loss: { local: local.loss, global: global.loss }, accuracy: accuracies(local, global) };
}

const accuracies = (local: Evaluation, global: Evaluation): RunEvaluation["accuracy"] =>
  local.accuracy === null || global.accuracy === null
    ? null
    : { local: local.accuracy, global: global.accuracy };
