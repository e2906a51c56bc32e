// The reference backend: jax-js's own jit, on its WebAssembly device. Slower than ONNX Runtime's native kernels, but it
// runs wherever WebAssembly does, and tests hold other backends to its results.

import { init, jit, numpy } from "@jax-js/jax";
import { consuming, type JaxArray, type Tensor } from "../borrow.ts";
import type { DType, HostArray, HostTensor, TensorSpec } from "../host.ts";
import { type Example, typesOf } from "../program.ts";
import { checkArguments } from "../signature.ts";
import { leafName } from "../trace.ts";
import { flattenTree, mapTree, type Tree } from "../tree.ts";
import type { Backend, Program } from "./backend.ts";

const DEVICE = "wasm";

/** jax-js keeps booleans as int32, and takes only arrays that own their memory. */
function toDevice({ data, shape }: HostTensor): JaxArray {
  const dtype = (data instanceof Uint8Array ? "bool" : undefined) as numpy.Array["dtype"] | undefined;
  const copy = data instanceof Uint8Array ? Int32Array.from(data) : data.slice();
  const options = dtype === undefined ? {} : { dtype };
  return numpy.array(copy as Float32Array<ArrayBuffer>, { shape: [...shape], device: DEVICE, ...options });
}

async function toHost(array: JaxArray): Promise<HostTensor> {
  const { shape, dtype } = array;
  const data = await array.data();
  return {
    shape: [...shape],
    data: (dtype as string) === "bool" ? Uint8Array.from(data) : (data as HostArray),
  };
}

export const wasm: Backend = {
  name: "wasm",
  async compile<A, R>(f: (args: never) => unknown, example: Example): Promise<Program<A, R>> {
    await init(DEVICE);
    const types = typesOf(example);
    const inputs = flattenTree(types).map(
      ({ path, leaf }): TensorSpec => ({
        name: leafName(path),
        shape: leaf.shape,
        dtype: leaf.dtype as DType,
      }),
    );
    let structure: Tree<unknown> = [];
    const compiled = jit(
      consuming((...leaves: Tensor[]) => {
        let next = 0;
        structure = f(mapTree(types, () => leaves[next++]!) as never) as Tree<unknown>;
        return flattenTree(structure).map(({ leaf }) => leaf as Tensor);
      }) as unknown as (...leaves: JaxArray[]) => JaxArray[],
    );
    return {
      async run(args) {
        const leaves = checkArguments(inputs, args as Tree<HostTensor>);
        const results = await Promise.all(compiled(...leaves.map(toDevice)).map(toHost));
        let next = 0;
        return mapTree(structure, () => results[next++]!) as R;
      },
      async [Symbol.asyncDispose]() {
        compiled.dispose();
      },
    };
  },
};
