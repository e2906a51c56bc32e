// Holds out examples for validation where no validation set is given. What is held out is never trained on.

import { ConfigError, type Random, unreachable } from "@atoll/core";
import { type DataSource, type Dataset, tableDataset, windowsDataset } from "./dataset.ts";

export interface Split {
  readonly train: Dataset;
  readonly validation: Dataset;
}

/**
 * Splits `size` examples off. From a table they are drawn at random, since tables may be sorted by label; both parts are
 * copies. From windows they are the last ones, and no token belongs to both parts; nothing is copied.
 * @throws ConfigError if `size` is not a positive integer or would leave nothing to train on.
 */
export function holdOut(dataset: Dataset, size: number, random: Random): Split {
  const { source, name } = dataset;
  if (!Number.isInteger(size) || size < 1)
    throw new ConfigError(
      `Data set "${name}": expected a positive number of examples to hold out, got ${size}.`,
    );
  const unused = source.kind === "windows" ? source.blockSize : 0;
  if (size + unused >= dataset.size)
    throw new ConfigError(
      `Data set "${name}": holding out ${size} of ${dataset.size} examples leaves none to train on; hold out fewer.`,
    );
  switch (source.kind) {
    case "windows":
      return splitWindows(dataset, source, size);
    case "table": {
      const order = random.derive("holdOut").permutation(dataset.size);
      return {
        train: rows(dataset, source, order.subarray(size).sort(), name),
        validation: rows(dataset, source, order.subarray(0, size).sort(), `${name}-held-out`),
      };
    }
    default:
      return unreachable(source);
  }
}

function splitWindows(
  { name, vocabulary }: Dataset,
  { tokens, blockSize }: Extract<DataSource, { kind: "windows" }>,
  size: number,
): Split {
  const cut = tokens.length - blockSize - size;
  const part = (partName: string, partTokens: Uint16Array): Dataset =>
    windowsDataset({
      name: partName,
      tokens: partTokens,
      blockSize,
      ...(vocabulary === undefined ? {} : { vocabulary }),
    });
  return {
    train: part(name, tokens.subarray(0, cut)),
    validation: part(`${name}-held-out`, tokens.subarray(cut)),
  };
}

/** The rows of a table at `indices`, as a table of their own. */
function rows(
  { classes, size }: Dataset,
  { x, xShape, y, scale, shift }: Extract<DataSource, { kind: "table" }>,
  indices: Uint32Array,
  name: string,
): Dataset {
  const width = x.length / size;
  const bytes = new SharedArrayBuffer(indices.length * width * x.BYTES_PER_ELEMENT);
  const part = x instanceof Uint8Array ? new Uint8Array(bytes) : new Float32Array(bytes);
  indices.forEach((index, i) => {
    part.set(x.subarray(index * width, (index + 1) * width), i * width);
  });
  const labels = Int32Array.from(indices, (index) => y[index]!);
  return tableDataset({
    name,
    x: part,
    xShape,
    y: labels,
    ...(classes === undefined ? {} : { classes }),
    scale,
    shift,
  });
}
