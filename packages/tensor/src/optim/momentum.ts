// Heavy-ball and Nesterov momentum: Polyak (1964), and the form of Sutskever, Martens, Dahl and Hinton, "On the
// importance of initialization and momentum in deep learning" (ICML 2013). Optax calls it `trace`.

import { add, multiply } from "../ops.ts";
import { requireRange } from "./check.ts";
import type { GradientTransformation } from "./transformation.ts";

/** v ← momentum · v + g; the update is v, or g + momentum · v with Nesterov's look-ahead. */
export function momentum(
  decay: number,
  { nesterov = false }: { readonly nesterov?: boolean } = {},
): GradientTransformation {
  requireRange("momentum", decay, { least: 0, below: 1 });
  return {
    name: "momentum",
    slots: ["velocity"],
    config: { kind: "momentum", momentum: decay, nesterov },
    rule: { kind: "momentum", momentum: decay, nesterov },
    scalars: () => ({}),
    update(gradients, state) {
      const velocity = add(multiply(state.velocity!, decay), gradients);
      const updates = nesterov ? add(gradients, multiply(velocity, decay)) : velocity;
      return { updates, state: { velocity } };
    },
  };
}
