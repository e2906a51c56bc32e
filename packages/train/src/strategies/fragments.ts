// A model cut into fragments of whole layers, in a strided pattern: fragment f has the layers f, f + F, f + 2F …, so each
// has some from every depth. Source: Douillard et al., "Streaming DiLoCo" (arXiv 2501.18512), §3.1.

import { ConfigError } from "@atoll/core";
import type { VectorLayout } from "@atoll/tensor";

export interface Fragment {
  /** Where its elements lie in the parameters, ascending. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** Where it lies in a vector that holds fragment after fragment. */
  readonly start: number;
  readonly end: number;
}

/** @throws ConfigError if there are more fragments than layers */
export function fragmentsOf({ entries }: VectorLayout, count: number): readonly Fragment[] {
  const layers = [...new Set(entries.map(({ path }) => layerOf(path)))].sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  if (count > layers.length)
    throw new ConfigError(
      `Option "strategy.fragments": expected at most the number of the model's layers (${layers.length}: ${layers.join(", ")}), got ${count}. Lower it.`,
    );
  let start = 0;
  return Array.from({ length: count }, (_, f) => {
    const ranges = entries
      .filter(({ path }) => layers.indexOf(layerOf(path)) % count === f)
      .map(({ offset, size }) => ({ start: offset, end: offset + size }));
    const end = start + ranges.reduce((total, range) => total + range.end - range.start, 0);
    const fragment = { ranges, start, end };
    start = end;
    return fragment;
  });
}

/**
 * "blocks.3.attention.weight" is of layer "blocks.3", "encoder.blocks.3.0.weight" of "encoder.blocks.3", "output.bias" of
 * "output": up to the first number, or the first name where there is none.
 */
function layerOf(path: string): string {
  return /^(?:[^.]+\.)*?\d+(?=\.|$)/.exec(path)?.[0] ?? path.split(".", 1)[0]!;
}
