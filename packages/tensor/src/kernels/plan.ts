// Recognises the chains of gradient transformations that one fused kernel can do: a proximal term, clipping, weight decay
// (added to the gradient, or decoupled), Adam or momentum, and the learning rate. Any other chain is run as a traced program.

import { adamCorrections } from "../optim/scaleByAdam.ts";
import type { Schedule } from "../optim/schedule.ts";
import type { ChainPart, Optimizer, UpdateRule } from "../optim/transformation.ts";
import type { VectorLayout } from "../vector.ts";
import type { FusedUpdate } from "./apply.ts";

export interface UpdatePlan {
  /** The update that follows `count` updates. */
  update(count: number): FusedUpdate;
}

type Rule<K extends UpdateRule["kind"]> = Extract<UpdateRule, { kind: K }>;

/** What a recognised chain does. */
interface Recipe {
  readonly proximal?: { readonly label: string; readonly rule: Rule<"proximal"> };
  readonly maxNorm?: number;
  readonly l2?: Rule<"addDecayedWeights">;
  readonly scaling?: {
    readonly label: string;
    readonly rule: Rule<"scaleByAdam"> | Rule<"momentum">;
  };
  readonly decoupled?: Rule<"addDecayedWeights">;
  readonly learningRate: Schedule;
}

/** A plan for the optimizer, or undefined if no fused kernel does what it does. */
export function planUpdate(optimizer: Optimizer, layout: VectorLayout): UpdatePlan | undefined {
  const recipe = recognise(optimizer.parts);
  return recipe && { update: (count) => fusedUpdate(recipe, layout, count) };
}

/** Matches proximal? clip? decay? (Adam decay? | momentum)? learningRate. */
function recognise(parts: readonly ChainPart[]): Recipe | undefined {
  const rest = parts.map(({ label, transformation: { rule } }) => ({ label, rule }));
  const next = <K extends UpdateRule["kind"]>(
    ...kinds: readonly K[]
  ): { label: string; rule: Rule<K> } | undefined => {
    const [first] = rest;
    if (first?.rule === undefined || !kinds.includes(first.rule.kind as K)) return undefined;
    rest.shift();
    return first as { label: string; rule: Rule<K> };
  };
  const proximal = next("proximal");
  const clip = next("clipByGlobalNorm");
  const l2 = next("addDecayedWeights");
  const scaling = next("scaleByAdam", "momentum");
  const decoupled = scaling?.rule.kind === "scaleByAdam" ? next("addDecayedWeights") : undefined;
  const step = next("scaleByLearningRate");
  if (step === undefined || rest.length > 0) return undefined;
  return {
    ...(proximal && { proximal }),
    ...(clip && { maxNorm: clip.rule.maxNorm }),
    ...(l2 && { l2: l2.rule }),
    ...(scaling && { scaling }),
    ...(decoupled && { decoupled: decoupled.rule }),
    learningRate: step.rule.learningRate,
  };
}

function fusedUpdate(recipe: Recipe, layout: VectorLayout, count: number): FusedUpdate {
  const { l2, decoupled } = recipe;
  const { size, matrixSize } = layout;
  const split = l2?.decay === "matrices" || decoupled?.decay === "matrices";
  const ranges = (split ? [0, matrixSize, size] : [0, size]).flatMap((start, i, bounds) => {
    const end = bounds[i + 1] ?? start;
    return start < end ? [{ start, end, scalars: scalarsOf(recipe, count, start < matrixSize) }] : [];
  });
  return {
    ...kernelOf(recipe),
    ...clipOf(recipe),
    ranges,
  };
}

function clipOf({ maxNorm, proximal }: Recipe): Pick<FusedUpdate, "clip"> {
  if (maxNorm === undefined) return {};
  if (proximal === undefined) return { clip: { maxNorm, norm: "gradientNorm", scalars: {} } };
  return { clip: { maxNorm, norm: "proximalNorm", scalars: { pull: proximal.rule.mu } } };
}

/** The same kernels with a proximal term. */
const PROXIMAL = {
  adam: "proximalAdam",
  sgd: "proximalSgd",
  momentum: "proximalMomentum",
  nesterov: "proximalNesterov",
} as const;

function kernelOf({ scaling, proximal }: Recipe): Pick<FusedUpdate, "kernel" | "slots"> {
  const { kernel, slots } = scalingKernel(scaling);
  if (proximal === undefined) return { kernel, slots };
  return { kernel: PROXIMAL[kernel], slots: { ...slots, anchor: `${proximal.label}/anchor` } };
}

function scalingKernel(scaling: Recipe["scaling"]): {
  readonly kernel: keyof typeof PROXIMAL;
  readonly slots: FusedUpdate["slots"];
} {
  if (scaling === undefined) return { kernel: "sgd", slots: {} };
  const { label, rule } = scaling;
  if (rule.kind === "scaleByAdam") return { kernel: "adam", slots: { mu: `${label}/mu`, nu: `${label}/nu` } };
  return { kernel: rule.nesterov ? "nesterov" : "momentum", slots: { velocity: `${label}/velocity` } };
}

/** The kernel's scalars for a range that holds matrices or one that does not (all of it does if nothing is split). */
function scalarsOf(recipe: Recipe, count: number, matrices: boolean): Record<string, number> {
  const { proximal, l2, scaling, decoupled, learningRate: schedule } = recipe;
  const learningRate = schedule(count);
  const decayOf = (rule: Rule<"addDecayedWeights"> | undefined): number =>
    rule !== undefined && (rule.decay === "all" || matrices) ? rule.weightDecay : 0;
  const shared = { l2: decayOf(l2), learningRate, ...(proximal && { pull: proximal.rule.mu }) };
  if (scaling === undefined) return shared;
  if (scaling.rule.kind === "momentum") return { ...shared, momentum: scaling.rule.momentum };
  const { b1, b2, eps } = scaling.rule;
  const { mean, root } = adamCorrections({ b1, b2 }, count);
  return {
    ...shared,
    ...{ b1, oneMinusB1: 1 - b1, b2, oneMinusB2: 1 - b2, eps, root },
    stepSize: learningRate * mean,
    keep: 1 - learningRate * decayOf(decoupled),
  };
}
