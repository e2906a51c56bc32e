// Squared norms of what a formula gives for each element: of gradients, also of those to which a proximal term is yet to be added,
// which is computed once more when they are applied, and never written down.

import { f64, f64x2, upper } from "./assembler.ts";
import {
  type ElementwiseKernel,
  emitFormula,
  emitPasses,
  type Formula,
  type Frame,
  type Lane,
} from "./elementwise.ts";
import { type Code, getLocal, setLocal, type WasmFunction } from "./encode.ts";

export interface SquaredNorm extends Pick<ElementwiseKernel, "name" | "vectors" | "scalars"> {
  /** In float32. */
  readonly value: (f: Formula) => Lane;
}

/**
 * The norm as a function `(vector byte offsets …, length, scalars …) => Σ value²`, added up in float64, in an order that
 * depends on the length alone.
 */
export function emitSquaredNorm({ value, ...norm }: SquaredNorm): WasmFunction {
  let result: Code = [];
  const { body, ...rest } = emitPasses(norm, (frame) => {
    let kept: Code = [];
    const statements = emitFormula((f) => {
      kept = f.keep(value(f)).code;
    }, frame);
    const { adds, total } = addSquares(kept, frame);
    result = result.length === 0 ? total : f64.add(result, total);
    return [...statements, ...adds];
  });
  return { ...rest, results: ["f64"], body: [...body, ...result] };
}

/** Adds the squares of one turn's values to sums of their own; `total` is these together. */
function addSquares(values: Code, { width, newLocal }: Frame): { readonly adds: Code; readonly total: Code } {
  const isOne = width.type === "f32";
  const [double, sums] = isOne ? [newLocal("f64"), newLocal("f64")] : [newLocal("v128"), newLocal("v128")];
  const { add, multiply } = isOne ? f64 : f64x2;
  const square = (doubles: Code): Code => [
    ...[...doubles, ...setLocal(double)],
    ...[...add(getLocal(sums), multiply(getLocal(double), getLocal(double))), ...setLocal(sums)],
  ];
  if (isOne) return { adds: square(f64.ofFloat(values)), total: getLocal(sums) };
  return {
    adds: [...square(f64x2.ofFloats(values)), ...square(f64x2.ofFloats(upper(values, values)))],
    total: f64.add(f64x2.lane(getLocal(sums), 0), f64x2.lane(getLocal(sums), 1)),
  };
}
