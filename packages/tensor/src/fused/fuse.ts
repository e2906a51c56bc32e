// Makes the traced half of a fused kernel: a plain function of tensors under the name by which calls.ts finds it.

import { jit } from "@jax-js/jax";
import { consuming, type JaxArray, keep, lend, type Tensor } from "../borrow.ts";

/**
 * The function as one call that keeps its name through tracing and differentiation.
 * @param name that of the kernel
 * @param f what it computes: the meaning of the kernel, which runs on every backend but onnx
 */
export function fuse<A extends readonly Tensor[]>(
  name: string,
  f: (...args: A) => Tensor,
): (...args: A) => Tensor {
  const named = Object.defineProperty(consuming(f), "name", { value: `fused_${name}` });
  const call = jit(named as unknown as (...args: JaxArray[]) => JaxArray);
  return (...args) => keep(call(...args.map((tensor) => lend(tensor))));
}
