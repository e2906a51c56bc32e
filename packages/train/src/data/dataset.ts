// A data set is plain data over shared memory: it can be posted to worker threads, and each of them gathers its own
// batches from it without a copy of the whole. This file holds the two kinds of source (a table of examples, windows
// over one token stream), how a batch is gathered, and parts of a data set. It reads no files and draws no numbers.

import { ConfigError, invariant, unreachable } from "@atoll/core";
import type { Vocabulary } from "./vocabulary.ts";

/** Where examples come from, as plain data over SharedArrayBuffers. */
export type DataSource =
  /** One row of `x` an example, stored compactly: the model's input is `raw · scale + shift`. */
  | {
      readonly kind: "table";
      readonly x: Uint8Array | Float32Array; // [size, ...xShape]
      readonly xShape: readonly number[];
      readonly scale: number;
      readonly shift: number;
      readonly y: Int32Array; // [size]
    }
  /** Example i is the window that starts at token i: x = tokens[i, i + T), y = tokens[i + 1, i + T + 1), T = blockSize. */
  | { readonly kind: "windows"; readonly tokens: Uint16Array; readonly blockSize: number };

export interface Dataset {
  readonly name: string;
  readonly source: DataSource;
  /** Number of examples. */
  readonly size: number;
  /** Number of classes, where y is a class. */
  readonly classes?: number;
  /** What the tokens stand for, where x is text. */
  readonly vocabulary?: Vocabulary;
  /** The class of each example: what label-based partitions go by. */
  readonly labels?: Int32Array; // [size]
}

/** Some of a data set's examples, by index: a node's share, or what was held out. */
export interface Subset {
  readonly dataset: Dataset;
  readonly indices: Uint32Array;
}

/** Shape and type of one example's x and y, without the batch axis. */
export interface ExampleShape {
  readonly x: { readonly shape: readonly number[]; readonly dtype: "float32" | "int32" };
  readonly y: { readonly shape: readonly number[]; readonly dtype: "int32" };
}

export function exampleShape(source: DataSource): ExampleShape {
  switch (source.kind) {
    case "table":
      return { x: { shape: source.xShape, dtype: "float32" }, y: { shape: [], dtype: "int32" } };
    case "windows":
      return {
        x: { shape: [source.blockSize], dtype: "int32" },
        y: { shape: [source.blockSize], dtype: "int32" },
      };
    default:
      return unreachable(source);
  }
}

const product = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1);

/**
 * Writes the examples at `indices` into a batch: x [batch, ...x shape], y [batch, ...y shape], where x is a
 * Float32Array for a table and an Int32Array for windows. It runs for every training step.
 */
export function gather(
  source: DataSource,
  indices: Uint32Array,
  x: Float32Array | Int32Array,
  y: Int32Array,
): void {
  switch (source.kind) {
    case "table":
      invariant(x instanceof Float32Array, "a table's examples are gathered into float32");
      gatherRows(source, indices, x, y);
      break;
    case "windows":
      invariant(x instanceof Int32Array, "token windows are gathered into int32");
      gatherWindows(source, indices, x, y);
      break;
    default:
      unreachable(source);
  }
}

type Table = Extract<DataSource, { kind: "table" }>;
type Windows = Extract<DataSource, { kind: "windows" }>;

function gatherRows(
  { x: rows, xShape, scale, shift, y: labels }: Table,
  indices: Uint32Array,
  x: Float32Array,
  y: Int32Array,
): void {
  const width = product(xShape);
  checkBatch(indices, x.length, y.length, width, 1);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    checkIndex(index, labels.length);
    const start = i * width;
    const offset = index * width - start;
    for (let k = start; k < start + width; k++) x[k] = rows[offset + k]! * scale + shift;
    y[i] = labels[index]!;
  }
}

function gatherWindows(
  { tokens, blockSize }: Windows,
  indices: Uint32Array,
  x: Int32Array,
  y: Int32Array,
): void {
  checkBatch(indices, x.length, y.length, blockSize, blockSize);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    checkIndex(index, tokens.length - blockSize);
    const start = i * blockSize;
    x.set(tokens.subarray(index, index + blockSize), start);
    y.set(tokens.subarray(index + 1, index + 1 + blockSize), start);
  }
}

function checkBatch(indices: Uint32Array, x: number, y: number, xWidth: number, yWidth: number): void {
  invariant(
    x === indices.length * xWidth && y === indices.length * yWidth,
    `a batch of ${indices.length} examples has x of ${indices.length * xWidth} and y of ${indices.length * yWidth} values, got ${x} and ${y}`,
  );
}

function checkIndex(index: number, size: number): void {
  if (index >= size) invariant(false, `example ${index} of a data set of ${size}`);
}

/** The array itself if its memory is shared, otherwise a copy that is. Never a subclass such as Node's Buffer. */
export function share<T extends Uint8Array | Uint16Array | Int32Array | Float32Array>(
  array: T,
  make: new (buffer: SharedArrayBuffer) => T,
): T {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  const copy = new make(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}

export interface TableOptions {
  readonly name: string;
  /** All examples, one after the other: [size, ...xShape]. */
  readonly x: Uint8Array | Float32Array;
  /** Shape of one example. */
  readonly xShape: readonly number[];
  /** The class of each example: [size], integers from 0. */
  readonly y: Int32Array;
  /** Default: the highest class in `y`, plus one. */
  readonly classes?: number;
  /** The model's input is `x · scale + shift`; defaults 1 and 0. */
  readonly scale?: number;
  readonly shift?: number;
}

/**
 * A data set of the caller's own arrays. They are copied once into shared memory unless they lie there already.
 * @throws ConfigError if lengths disagree, a class is out of range, or there is no example.
 */
export function tableDataset({ name, x, xShape, y, scale = 1, shift = 0, ...given }: TableOptions): Dataset {
  const width = product(xShape);
  if (y.length === 0) throw new ConfigError(`Data set "${name}" has no examples.`);
  if (x.length !== y.length * width)
    throw new ConfigError(
      `Data set "${name}": ${y.length} labels and examples of shape [${xShape}] need ${y.length * width} values in x, got ${x.length}.`,
    );
  let highest = 0;
  let lowest = 0;
  for (const label of y) {
    if (label > highest) highest = label;
    if (label < lowest) lowest = label;
  }
  const classes = given.classes ?? highest + 1;
  if (lowest < 0 || highest >= classes)
    throw new ConfigError(
      `Data set "${name}": labels must be integers from 0 to ${classes - 1}, got ${lowest < 0 ? lowest : highest}.`,
    );
  const labels = share(y, Int32Array);
  const shared = x instanceof Uint8Array ? share(x, Uint8Array) : share(x, Float32Array);
  const source: DataSource = { kind: "table", x: shared, xShape, scale, shift, y: labels };
  return { name, source, size: y.length, classes, labels };
}

export interface WindowsOptions {
  readonly name: string;
  readonly tokens: Uint16Array;
  /** Length of one example in tokens. */
  readonly blockSize: number;
  /** What the tokens stand for, if they are text. */
  readonly vocabulary?: Vocabulary;
}

/**
 * A data set of all windows over one token stream; neighbours overlap.
 * @throws ConfigError if the stream holds no whole window and its next token, or blockSize is not a positive integer.
 */
export function windowsDataset({ name, tokens, blockSize, vocabulary }: WindowsOptions): Dataset {
  if (!Number.isInteger(blockSize) || blockSize < 1)
    throw new ConfigError(`Data set "${name}": blockSize must be a positive integer, got ${blockSize}.`);
  const size = tokens.length - blockSize;
  if (size < 1)
    throw new ConfigError(
      `Data set "${name}" holds ${tokens.length} tokens, but blockSize ${blockSize} needs at least ${blockSize + 1}; choose a smaller blockSize or a longer text.`,
    );
  return {
    name,
    source: { kind: "windows", tokens: share(tokens, Uint16Array), blockSize },
    size,
    ...(vocabulary === undefined ? {} : { vocabulary }),
  };
}

/** All examples of a data set, in their own order. */
export function whole(dataset: Dataset): Subset {
  const indices = new Uint32Array(dataset.size);
  for (let i = 0; i < indices.length; i++) indices[i] = i;
  return { dataset, indices };
}
