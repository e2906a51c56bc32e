// What a strategy's nodes compute each by itself, as operations by name on vectors: so that the executor can do them on the
// worker threads, which would stand idle while the nodes exchange. An operation is plain arithmetic; it is given all it
// reads and writes, and knows neither ranks nor time. A strategy of one's own needs none: it may compute where it is.

import { dgcEncode } from "./compressors/sparse.ts";

/** Float32 vectors by name; integers lie in them bit by bit. */
export type OperationVectors = Readonly<Record<string, Float32Array>>;
export type OperationNumbers = Readonly<Record<string, number>>;
export type LocalOperation = (vectors: OperationVectors, numbers: OperationNumbers) => void;

export type OperationName = "dgcEncode";

export const localOperations: Readonly<Record<OperationName, LocalOperation>> = { dgcEncode };

/** One operation to be done. */
export interface LocalTask {
  readonly operation: OperationName;
  readonly vectors: OperationVectors;
  readonly numbers: OperationNumbers;
}

/** Does it here and now. */
export const runLocally = ({ operation, vectors, numbers }: LocalTask): void =>
  localOperations[operation](vectors, numbers);
