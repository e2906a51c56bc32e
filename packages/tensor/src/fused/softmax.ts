// Softmax over the last axis: y = exp(x) / Σ exp(x). Gradient: dx = y · (dy − Σ y · dy).

import type { Tensor } from "../borrow.ts";
import { contiguous, viewContiguous } from "../layout/arrange.ts";
import { linear } from "../layout/view.ts";
import { divide, exp, max, stopGradient, subtract, sum } from "../ops.ts";
import { fuse } from "./fuse.ts";
import type { FusedKernel } from "./kernel.ts";

/** Softmax over the last axis. [..., n] -> [..., n] */
export const fusedSoftmax: (x: Tensor) => Tensor = fuse("softmax", (x) => {
  const powers = exp(subtract(x, stopGradient(max(x, { axis: -1, keepdims: true }))));
  return divide(powers, sum(powers, { axis: -1, keepdims: true }));
});

export const softmaxKernel: FusedKernel = {
  name: "softmax",
  arity: 1,
  saved: () => [],
  forward(g, [x]) {
    const name = g.node("Softmax", [contiguous(g, x!)], { axis: -1 });
    return [viewContiguous(g, name, x!.shape, "float32")];
  },
  gradient(g, _, [y], cotangent) {
    const result = linear(cotangent, (unscaled) => {
      const probabilities = contiguous(g, y!);
      const dy = contiguous(g, unscaled);
      const last = g.integers([-1]);
      const row = g.node("ReduceSum", [g.node("Mul", [probabilities, dy]), last], { keepdims: 1 });
      const dx = g.node("Mul", [probabilities, g.node("Sub", [dy, row])]);
      return viewContiguous(g, dx, y!.shape, "float32");
    });
    return [result];
  },
};
