// The cosine transform (DCT-II, scaled so that it keeps lengths) of tiles of a matrix along both axes, in float32 and in SIMD,
// for sides that are multiples of eight. The first step of Lee's algorithm (IEEE Trans. ASSP 32, 1984) halves the work: the
// sums of two ends give the even coefficients, their differences the odd ones; those halves are multiplied out.

import type { BlockFunctions } from "./kernels.ts";
import { kernelsFor } from "./vectors.ts";

/** Half a side is written four rows at a time, and a side read eight elements at a time. */
const MULTIPLE = 8;
const FLOAT_BYTES = 4;

/** A tile of `x`: `rows` runs of `columns` elements, `stride` apart. */
export interface TileShape {
  readonly rows: number;
  readonly columns: number;
}

/** Whether `createTileTransform` serves such tiles. */
export const isSimdTile = ({ rows, columns }: TileShape): boolean =>
  rows % MULTIPLE === 0 && columns % MULTIPLE === 0;

/** Elements of scratch that a transform of such tiles needs. */
export const tileScratch = ({ rows, columns }: TileShape): number =>
  2 * rows * columns + rows * rows + columns * columns;

export interface TileTransform {
  /** x [rows, columns] at `start`, rows `stride` apart -> coefficients [rows · columns] at `at` */
  forward(x: Float32Array, start: number, stride: number, coefficients: Float32Array, at: number): void;
  inverse(coefficients: Float32Array, at: number, x: Float32Array, start: number, stride: number): void;
}

/**
 * A transform that works in `scratch`, which is its own while it is used: it holds tables.
 * @returns undefined where the vectors do not lie in one shared memory; all that are passed later have to lie there
 */
export function createTileTransform(
  shape: TileShape,
  scratch: Float32Array,
  x: Float32Array,
): TileTransform | undefined {
  const blocks = kernelsFor(scratch, x)?.blocks;
  if (blocks === undefined) return undefined;
  const { rows, columns } = shape;
  const area = rows * columns;
  const tables = scratch.subarray(2 * area);
  const down = axisOf(rows, tables);
  const across = axisOf(columns, tables.subarray(rows * rows));
  const [one, other] = [scratch.byteOffset, scratch.byteOffset + FLOAT_BYTES * area];
  const pointer = (vector: Float32Array, index: number): number => vector.byteOffset + FLOAT_BYTES * index;
  return {
    forward(from, start, stride, coefficients, at) {
      forwardAxis(blocks, down, { x: pointer(from, start), stride, width: columns, work: one, out: other });
      blocks.turnRows(other, rows, columns, one);
      forwardAxis(blocks, across, { x: one, stride: rows, width: rows, work: other, out: one });
      blocks.turnRows(one, columns, rows, pointer(coefficients, at));
    },
    inverse(coefficients, at, to, start, stride) {
      blocks.turnRows(pointer(coefficients, at), rows, columns, one);
      inverseAxis(blocks, across, { x: one, width: rows, work: other, out: one, stride: rows });
      blocks.turnRows(one, columns, rows, other);
      inverseAxis(blocks, down, { x: other, width: columns, work: one, out: pointer(to, start), stride });
    },
  };
}

/** Byte offsets of an axis's tables, [half, half] each: of the even coefficients and the odd ones, and turned. */
interface Axis {
  readonly half: number;
  readonly even: number;
  readonly odd: number;
  readonly evenTurned: number;
  readonly oddTurned: number;
}

function axisOf(length: number, tables: Float32Array): Axis {
  const half = length / 2;
  const table = (number: number): Float32Array =>
    tables.subarray(number * half * half, (number + 1) * half * half);
  for (const parity of [0, 1])
    for (let k = 0; k < half; k++)
      for (let n = 0; n < half; n++) {
        const coefficient = 2 * k + parity;
        const scale = Math.sqrt((coefficient === 0 ? 1 : 2) / length);
        const value = scale * Math.cos((Math.PI * (2 * n + 1) * coefficient) / (2 * length));
        table(parity)[k * half + n] = value;
        table(2 + parity)[n * half + k] = value;
      }
  const [even, odd, evenTurned, oddTurned] = [0, 1, 2, 3].map((number) => table(number).byteOffset);
  return { half, even: even!, odd: odd!, evenTurned: evenTurned!, oddTurned: oddTurned! };
}

interface AxisRun {
  readonly x: number;
  readonly stride: number;
  readonly width: number;
  readonly work: number;
  readonly out: number;
}

/** Transforms columns: x, `stride` apart -> out [2 · half, width]. */
function forwardAxis(
  blocks: BlockFunctions,
  { half, even, odd }: Axis,
  { x, stride, width, work, out }: AxisRun,
): void {
  const row = FLOAT_BYTES * width;
  blocks.foldRows(x, stride, half, width, work);
  blocks.multiplyRows(even, half, half, work, width, width, out, 2 * width);
  blocks.multiplyRows(odd, half, half, work + half * row, width, width, out + row, 2 * width);
}

/** The inverse: x [2 · half, width] -> out, `stride` apart. */
function inverseAxis(
  blocks: BlockFunctions,
  { half, evenTurned, oddTurned }: Axis,
  { x, stride, width, work, out }: AxisRun,
): void {
  const row = FLOAT_BYTES * width;
  blocks.multiplyRows(evenTurned, half, half, x, 2 * width, width, work, width);
  blocks.multiplyRows(oddTurned, half, half, x + row, 2 * width, width, work + half * row, width);
  blocks.unfoldRows(work, half, width, out, stride);
}
