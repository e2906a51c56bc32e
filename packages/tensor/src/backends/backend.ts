// What runs compiled functions. A backend is chosen by whoever compiles; functions don't know which one they get.

import type { HostTensor } from "../host.ts";
import type { Example } from "../program.ts";
import type { Tree } from "../tree.ts";

/** A compiled function from a tree of host tensors to another. */
export interface Program<A = Tree<HostTensor>, R = Tree<HostTensor>> extends AsyncDisposable {
  /** Runs it. The arguments must have the types that it was compiled for; results are new arrays. */
  run(args: A): Promise<R>;
}

export interface Backend {
  readonly name: string;
  /** Compiles `f`, a function from a tree of tensors to a tree of tensors, for arguments of the example's types. */
  compile<A, R>(f: (args: never) => unknown, example: Example): Promise<Program<A, R>>;
}
