// Layer normalisation over the last axis: y = (x − mean) / √(variance + ε) · weight + bias, with the biased variance.
// Ba, Kiros and Hinton, "Layer normalization" (2016). Gradient with x̂ the normalised input and d = dy · weight:
// dx = (d − mean(d) − x̂ · mean(d · x̂)) / √(variance + ε).

import type { Tensor } from "../borrow.ts";
import { contiguous, viewContiguous } from "../layout/arrange.ts";
import { range } from "../layout/view.ts";
import { add, divide, mean, multiply, sqrt, square, subtract } from "../ops.ts";
import { fuse } from "./fuse.ts";
import type { FusedKernel } from "./kernel.ts";

/** PyTorch's default. */
export const LAYER_NORM_EPSILON = 1e-5;

/** x [..., n], weight [n], bias [n] -> [..., n] */
export const fusedLayerNorm: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor = fuse(
  "layerNorm",
  (x, weight, bias) => {
    const centred = subtract(x, mean(x, { axis: -1, keepdims: true }));
    const variance = mean(square(centred), { axis: -1, keepdims: true });
    return add(multiply(divide(centred, sqrt(add(variance, LAYER_NORM_EPSILON))), weight), bias);
  },
);

export const layerNormKernel: FusedKernel = {
  name: "layerNorm",
  arity: 3,
  saved: ([x]) => {
    const column = [...x!.slice(0, -1), 1];
    return [column, column];
  },
  forward(g, args) {
    const [x] = args;
    const column = [...x!.shape.slice(0, -1), 1];
    const operands = args.map((arg) => contiguous(g, arg));
    const attributes = { axis: -1, epsilon: { float: LAYER_NORM_EPSILON } };
    const [y, mu, inverse] = g.nodes("LayerNormalization", operands, 3, attributes);
    return [
      viewContiguous(g, y!, x!.shape, "float32"),
      viewContiguous(g, mu!, column, "float32"), // mean
      viewContiguous(g, inverse!, column, "float32"), // 1 / √(variance + ε)
    ];
  },
  gradient(g, args, [, mu, inverse], cotangent) {
    const multiply = (a: string, b: string): string => g.node("Mul", [a, b]);
    const subtract = (a: string, b: string): string => g.node("Sub", [a, b]);
    const [x, weight] = args;
    const features = x!.shape.at(-1)!;
    const [input, w, dy] = [x!, weight!, cotangent].map((view) => contiguous(g, view));
    const spread = contiguous(g, inverse!);
    const normalised = multiply(subtract(input!, contiguous(g, mu!)), spread);
    const product = multiply(dy!, normalised);
    // Weighted means over rows are matrix products with a column, which run at memory speed.
    const column = g.node("Reshape", [w!, g.integers([features, 1])]);
    const weights = multiply(column, g.scalar(Math.fround(1 / features), "float32"));
    const mean = g.node("MatMul", [dy!, weights]);
    const meanProduct = g.node("MatMul", [product, weights]);
    const residual = subtract(subtract(multiply(dy!, w!), mean), multiply(normalised, meanProduct));
    const rows = g.integers(range(x!.shape.length - 1));
    const overRows = (name: string): string =>
      g.node("ReduceSum", [name, rows], { keepdims: 0, noop_with_empty_axes: 1 });
    return [
      viewContiguous(g, multiply(residual, spread), x!.shape, "float32"),
      viewContiguous(g, overRows(product), [features], "float32"),
      viewContiguous(g, overRows(dy!), [features], "float32"),
    ];
  },
};
