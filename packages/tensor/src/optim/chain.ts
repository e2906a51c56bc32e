// Chaining of gradient transformations: the updates of one are the gradients of the next.

import type { Tensor } from "../borrow.ts";
import { constantSchedule } from "./schedule.ts";
import type { ChainPart, GradientTransformation, Optimizer } from "./transformation.ts";

const prefixed = <T>(label: string, values: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(values).map(([name, value]) => [`${label}/${name}`, value]);

/** The entries under a part's label, by their names in the part. */
const scopedTo = <T>(label: string, values: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([name]) => name.startsWith(`${label}/`))
      .map(([name, value]) => [name.slice(label.length + 1), value]),
  );

const isChain = (transformation: GradientTransformation): transformation is Optimizer =>
  "parts" in transformation;

function labelled(transformations: readonly GradientTransformation[]): ChainPart[] {
  const uses = new Map<string, number>();
  return transformations.map((transformation) => {
    const use = (uses.get(transformation.name) ?? 0) + 1;
    uses.set(transformation.name, use);
    const label = use === 1 ? transformation.name : `${transformation.name}${use}`;
    return { label, transformation };
  });
}

/**
 * Applies transformations one after the other. A chain inside a chain is the same as its parts in its place.
 *
 * @example chain(clipByGlobalNorm(1), adamW({ learningRate: 6e-4, decay: "matrices" }))
 */
export function chain(...transformations: readonly GradientTransformation[]): Optimizer {
  const parts = labelled(
    transformations.flatMap((t) => (isChain(t) ? t.parts.map((part) => part.transformation) : [t])),
  );
  return {
    name: "chain",
    parts,
    slots: parts.flatMap(({ label, transformation }) =>
      transformation.slots.map((slot) => `${label}/${slot}`),
    ),
    config: { kind: "chain", parts: transformations.map(({ config }) => config) },
    learningRate:
      parts.findLast(({ transformation }) => transformation.learningRate !== undefined)?.transformation
        .learningRate ?? constantSchedule(1),
    scalars: (count) =>
      Object.fromEntries(
        parts.flatMap(({ label, transformation }) => prefixed(label, transformation.scalars(count))),
      ),
    update: updateAll(parts),
  };
}

const updateAll =
  (parts: readonly ChainPart[]): GradientTransformation["update"] =>
  (gradients, state, parameters, scalars, layout) => {
    let updates = gradients;
    const next: [string, Tensor][] = [];
    for (const { label, transformation } of parts) {
      const own = [scopedTo(label, state), parameters, scopedTo(label, scalars)] as const;
      const result = transformation.update(updates, ...own, layout);
      updates = result.updates;
      next.push(...prefixed(label, result.state));
    }
    return { updates, state: Object.fromEntries(next) };
  };
