// An operation that a node wants done, as data: its name, and what it reads and writes. localOperations.ts has what they do.

/** Float32 vectors by name; integers lie in them bit by bit. */
export type OperationVectors = Readonly<Record<string, Float32Array>>;
export type OperationNumbers = Readonly<Record<string, number>>;
export type LocalOperation = (vectors: OperationVectors, numbers: OperationNumbers) => void;

/** Outer steps whose change lies in the parameters, which then take over what they have made of the anchor. */
export type OuterUpdateName = "nesterovOuter" | "adamOuter" | "yogiOuter" | "adagradOuter";

export type OperationName =
  | "copy"
  | "shiftAndCopy"
  | "subtract"
  | "divide"
  | "average"
  | "decayAndAdd"
  | "orderedMeans"
  | "pairStep"
  | OuterUpdateName
  | "dgcEncode"
  | "sparseEncode"
  | "sparseDecode"
  | "sparseStep"
  | "meanOfIntegers"
  | "meanOfSigns"
  | "oneBitEncode"
  | "adamMoments"
  | "adamDirection"
  | "lowRankProject"
  | "lowRankProjectBack"
  | "lowRankExpand"
  | "qsgdEncode"
  | "qsgdMean"
  | "coefficientsEncode"
  | "coefficientSigns";

/** One operation to be done. */
export interface LocalTask {
  readonly operation: OperationName;
  readonly vectors: OperationVectors;
  readonly numbers: OperationNumbers;
}
