// Checks arguments against the types that a program was compiled for, before anything runs.

import { ConfigError } from "@atoll/core";
import type { HostTensor, TensorSpec } from "./host.ts";
import { formatType, typeOf } from "./host.ts";
import { leafName } from "./trace.ts";
import { flattenTree, type Tree } from "./tree.ts";

/**
 * The leaves of `args` in the order of `inputs`.
 * @throws ConfigError if a leaf is missing, unknown, or of another type
 */
export function checkArguments(inputs: readonly TensorSpec[], args: Tree<HostTensor>): HostTensor[] {
  const leaves = new Map(flattenTree(args).map(({ path, leaf }) => [leafName(path), leaf]));
  const extra = [...leaves.keys()].find((name) => !inputs.some((input) => input.name === name));
  if (extra !== undefined)
    throw new ConfigError(
      `Argument "${extra}" is not one that the program takes: ${inputs.map(({ name }) => name).join(", ")}.`,
    );
  return inputs.map((input) => {
    const leaf = leaves.get(input.name);
    if (leaf === undefined)
      throw new ConfigError(`Argument "${input.name}": expected ${formatType(input)}, got nothing.`);
    const type = typeOf(leaf, `Argument "${input.name}"`);
    if (formatType(type) !== formatType(input))
      throw new ConfigError(
        `Argument "${input.name}": expected ${formatType(input)}, got ${formatType(type)}; compile again for other shapes.`,
      );
    return leaf;
  });
}
