// The Gaussian error linear unit, exact: y = x/2 · (1 + erf(x / √2)). Hendrycks and Gimpel, "Gaussian error linear units"
// (2016), eq. 1. Gradient: dy · ((1 + erf(x / √2)) / 2 + x · exp(−x²/2) / √(2π)). With s = x / √2 and t = 1 + erf(s),
// both kept from the forward pass, y = s · t / √2 and dx = dy/2 · (t + s · 2/√π · exp(−s²)).

import type { Tensor } from "../borrow.ts";
import { scaleBy } from "../layout/view.ts";
import { arithmetic } from "../lower/arithmetic.ts";
import { mapView } from "../lower/pointwise.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { add, erf, multiply } from "../ops.ts";
import { fuse } from "./fuse.ts";
import type { FusedKernel } from "./kernel.ts";

/** Element by element. */
export const fusedGelu: (x: Tensor) => Tensor = fuse("gelu", (x) =>
  multiply(multiply(x, 0.5), add(erf(multiply(x, Math.SQRT1_2)), 1)),
);

const float = (g: GraphBuilder, value: number): string => g.scalar(Math.fround(value), "float32");

export const geluKernel: FusedKernel = {
  name: "gelu",
  arity: 1,
  saved: ([x]) => [x!, x!],
  forward(g, [x]) {
    const s = mapView(g, x!, "float32", (name) => g.node("Mul", [name, float(g, Math.SQRT1_2)]));
    const t = mapView(g, s, "float32", (name) => g.node("Add", [g.node("Erf", [name]), float(g, 1)]));
    return [scaleBy(arithmetic(g, "multiply", s, t), Math.SQRT1_2), s, t];
  },
  gradient(g, _, [, s, t], cotangent) {
    const bell = mapView(g, s!, "float32", (name) => {
      const exponent = g.node("Sub", [
        float(g, Math.log(2 / Math.sqrt(Math.PI))),
        g.node("Mul", [name, name]),
      ]);
      return g.node("Exp", [exponent]);
    });
    const slope = arithmetic(g, "add", t!, arithmetic(g, "multiply", s!, bell));
    return [scaleBy(arithmetic(g, "multiply", cotangent, slope), 0.5)];
  },
};
