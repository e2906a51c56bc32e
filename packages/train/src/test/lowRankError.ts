import type { VectorLayout } from "@atoll/tensor";
import type { StrategyState } from "../strategies/index.ts";

/** What PowerSGD has not sent of a node's matrices so far, by what it remembers: M − p ownᵀ, [layout.matrixSize]. */
export function lowRankError(
  { matrices, p, own }: StrategyState["tensors"],
  { entries }: VectorLayout,
  rank: number,
): Float32Array {
  const error = Float32Array.from(matrices!);
  let [pStart, qStart] = [0, 0];
  for (const { shape, offset, size } of entries.filter((entry) => entry.shape.length >= 2)) {
    const rows = shape[0]!;
    const columns = size / rows;
    const r = Math.min(rank, rows, columns);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let k = 0; k < r; k++)
          error[offset + i * columns + j]! -= p![pStart + i * r + k]! * own![qStart + j * r + k]!;
    pStart += rows * r;
    qStart += columns * r;
  }
  return error;
}
