// Arrays on the host: what goes into a compiled program and what comes out of it. Plain typed arrays with a shape;
// they may view a SharedArrayBuffer, so that worker threads can share them without a copy. Not the arrays that a
// traced function computes with: those are jax-js tracers.

import { ConfigError } from "@atoll/core";

/** Element types that programs take and return. `bool` is one byte an element, 0 or 1. */
export type DType = "float32" | "int32" | "uint32" | "bool";

/** Elements in row-major order; the class tells the element type (Uint8Array: bool). */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint8Array;

export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** What is known of a tensor before it exists. */
export interface TensorType {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** A named input or output of a program. */
export interface TensorSpec extends TensorType {
  readonly name: string;
  /** The tensor holds one array of this shape for each step of a loop: its own first size is the number of steps. */
  readonly perStep?: boolean;
}

/** Number of elements of a shape; 1 for a scalar's []. */
export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** The element type that an array's class stands for. */
export function dtypeOf(data: HostArray): DType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint32Array) return "uint32";
  return "bool";
}

const ARRAY_CLASS = {
  float32: Float32Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
} as const;

/** An array of zeros for a tensor of this type. */
export const allocate = ({ shape, dtype }: TensorType): HostArray =>
  new ARRAY_CLASS[dtype](elementCount(shape));

/**
 * The type of a host tensor.
 * @throws ConfigError if the data do not fill the shape.
 */
export function typeOf({ shape, data }: HostTensor, name = "tensor"): TensorType {
  if (data.length !== elementCount(shape))
    throw new ConfigError(
      `${name}: shape [${shape}] holds ${elementCount(shape)} elements, got ${data.length}; give data and shape that agree.`,
    );
  return { shape, dtype: dtypeOf(data) };
}

/** "float32[64, 784]", as error messages show a type. */
export const formatType = ({ shape, dtype }: TensorType): string => `${dtype}[${shape.join(", ")}]`;
