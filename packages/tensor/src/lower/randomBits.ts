// Random bits: Threefry-2x32 with 20 rounds, bit for bit as jax-js computes them, in about 110 element-wise operations
// on uint32 a word. That is what dropout costs, so layers draw two 16-bit numbers from each word.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), §3.

import { elementCount } from "../host.ts";
import { contiguous, viewContiguous } from "../layout/arrange.ts";
import type { View } from "../layout/view.ts";
import { ELEMENT_TYPE } from "../onnx/encode.ts";
import type { GraphBuilder } from "../onnx/graph.ts";
import { reshape } from "./shape.ts";

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
const KEY_PARITY = 0x1bd11bda;

/**
 * The words of the keys (k0, k1) at the counters 0, 1, 2 …
 * @param shape starts with the keys' shape; each key makes the elements of the rest
 */
export function randomBits(
  g: GraphBuilder,
  k0: View,
  k1: View,
  shape: readonly number[],
  word: 0 | 1 | "xor",
): View {
  const keys = elementCount(k0.shape);
  const count = elementCount(shape.slice(k0.shape.length));
  const column = (key: View): string => contiguous(g, reshape(g, key, keys === 1 ? [1] : [keys, 1]));
  const i32 = (value: number): string => g.scalar(value, "int32");
  const counters = g.node("Cast", [g.node("Range", [i32(0), i32(count), i32(1)])], {
    to: ELEMENT_TYPE.uint32,
  });
  const [x0, x1] = threefry(g, column(k0), column(k1), counters);
  const bits = word === 0 ? x0 : word === 1 ? x1 : g.node("BitwiseXor", [x0, x1]);
  const full = keys === 1 ? [count] : [keys, count];
  return reshape(g, viewContiguous(g, bits, full, "uint32"), shape);
}

/** The block cipher on the counters (0, i), as the names of two tensors. */
function threefry(g: GraphBuilder, k0: string, k1: string, counters: string): [x0: string, x1: string] {
  const u32 = (value: number): string => g.scalar(value, "uint32");
  const add = (a: string, b: string): string => g.node("Add", [a, b]);
  const xor = (a: string, b: string): string => g.node("BitwiseXor", [a, b]);
  // The runtime multiplies and adds several words at once, but shifts and combines bits one by one.
  const rotate = (x: string, by: number): string =>
    add(g.node("Mul", [x, u32(2 ** by)]), g.node("BitShift", [x, u32(32 - by)], { direction: "RIGHT" }));
  const key = [k0, k1, xor(xor(k0, k1), u32(KEY_PARITY))] as const;
  let x0 = k0; // The counter's upper half is 0.
  let x1 = add(counters, k1);
  for (let block = 0; block < 5; block++) {
    for (const by of ROTATIONS[block % 2]!) {
      x0 = add(x0, x1);
      x1 = xor(rotate(x1, by), x0);
    }
    x0 = add(x0, key[(block + 1) % 3]!);
    x1 = add(x1, add(key[(block + 2) % 3]!, u32(block + 1)));
  }
  return [x0, x1];
}
