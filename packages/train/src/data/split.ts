// Holds out examples for validation when no validation set was given. What is held out is never trained on.

import { ConfigError, type Random, unreachable } from "@atoll/core";
import { type Dataset, type Subset, whole } from "./dataset.ts";

export interface Split {
  readonly train: Subset;
  readonly validation: Subset;
}

/**
 * Splits `size` examples off. From a table they are drawn at random, since tables may be sorted by label. From windows
 * they are the last ones, and the `blockSize` windows before them go to neither side: they share tokens with both.
 * @throws ConfigError if nothing would be left to train on.
 */
export function holdOut(dataset: Dataset, size: number, random: Random): Split {
  if (!Number.isInteger(size) || size < 0)
    throw new ConfigError(`valSize must be an integer of 0 or more, got ${size}.`);
  if (size === 0) return { train: whole(dataset), validation: { dataset, indices: new Uint32Array(0) } };
  const { source } = dataset;
  const gap = source.kind === "windows" ? source.blockSize : 0;
  const left = dataset.size - size - gap;
  if (left < 1)
    throw new ConfigError(
      `valSize ${size} leaves no training examples of the ${dataset.size} in "${dataset.name}"; use a smaller valSize, or valSize=0 for no validation.`,
    );
  switch (source.kind) {
    case "windows": {
      const { indices } = whole(dataset);
      return {
        train: { dataset, indices: indices.slice(0, left) },
        validation: { dataset, indices: indices.slice(left + gap) },
      };
    }
    case "table": {
      const held = random.derive("holdOut").permutation(dataset.size).subarray(0, size).sort();
      const isHeld = new Uint8Array(dataset.size);
      for (const index of held) isHeld[index] = 1;
      const indices = whole(dataset).indices.filter((index) => isHeld[index] === 0);
      return { train: { dataset, indices }, validation: { dataset, indices: held.slice() } };
    }
    default:
      return unreachable(source);
  }
}
