// Tensors in the host's memory, and the element types of the safetensors format.

import { ConfigError } from "@atoll/core";

export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint32Array | Uint8Array; // [...shape], row by row
}

/** Bytes of one element of each dtype, in the order in which the reference implementation ranks them. */
export const BYTES_PER_ELEMENT = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

export type Dtype = keyof typeof BYTES_PER_ELEMENT;

/** A tensor as it is stored: any dtype of the format, its elements as bytes. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((count, length) => count * length, 1);

export function dtypeOf(data: HostTensor["data"]): Dtype {
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Int32Array) return "I32";
  return data instanceof Uint32Array ? "U32" : "U8";
}

/**
 * A stored tensor as numbers: a view of its bytes where they lie aligned, otherwise a copy.
 * @param where what the error calls the tensor
 * @throws ConfigError if its dtype is none of F32, I32, U32 and U8; such tensors can be read as bytes only.
 */
export function toHostTensor({ dtype, shape, bytes }: StoredTensor, where: string): HostTensor {
  const aligned = bytes.byteOffset % BYTES_PER_ELEMENT[dtype] === 0 ? bytes : new Uint8Array(bytes);
  const view = [aligned.buffer, aligned.byteOffset, elementCount(shape)] as const;
  switch (dtype) {
    case "F32":
      return { shape, data: new Float32Array(...view) };
    case "I32":
      return { shape, data: new Int32Array(...view) };
    case "U32":
      return { shape, data: new Uint32Array(...view) };
    case "U8":
      return { shape, data: new Uint8Array(...view) };
    default:
      throw new ConfigError(`${where}: expected a tensor of F32, I32, U32 or U8, got ${dtype}.`);
  }
}
