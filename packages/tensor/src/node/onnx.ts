// The native backend: lowers to ONNX and runs on ONNX Runtime, in this thread.

import type { Backend, Program } from "../backends/backend.ts";
import { allocate, type HostArray, type HostTensor } from "../host.ts";
import { type Example, lower } from "../program.ts";
import { checkArguments } from "../signature.ts";
import { mapTree, type Tree } from "../tree.ts";
import { createSession } from "./session.ts";

export const onnx: Backend = {
  name: "onnx",
  async compile<A, R>(f: (args: never) => unknown, example: Example): Promise<Program<A, R>> {
    let structure: Tree<unknown> = [];
    const program = lower((args: never) => {
      structure = f(args) as Tree<unknown>;
      return structure;
    }, example);
    const session = await createSession(program);
    return {
      async run(args) {
        const leaves = checkArguments(program.inputs, args as Tree<HostTensor>);
        const inputs = Object.fromEntries(program.inputs.map(({ name }, i) => [name, leaves[i]!.data]));
        const outputs: Record<string, HostArray> = {};
        for (const spec of program.outputs) outputs[spec.name] = allocate(spec);
        await session.run(inputs, outputs);
        const results = program.outputs.map(
          ({ name, shape }): HostTensor => ({ shape, data: outputs[name]! }),
        );
        let next = 0;
        return mapTree(structure, () => results[next++]!) as R;
      },
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  },
};
