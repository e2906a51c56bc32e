// The cosine transform (DCT-II, scaled so that it keeps lengths) of tiles of a matrix along both axes, in float32 and in SIMD.
// Each side is transformed by a function that is written for its length (see transformFunctions.ts), and leaves its result
// turned: so that twice that is the tile as it was. Sides are filled up to multiples of four.

import { memoryOf } from "../memory.ts";
import { encodeModule } from "./encode.ts";
import { copyRows, forwardColumns, inverseColumns, tableOf } from "./transformFunctions.ts";

/** Columns are transformed four at a time, and a result is turned in squares of four. */
const MULTIPLE = 4;
const FLOAT_BYTES = 4;
/** The longest side of which no loop is made, and the longest odd factor of one, since its square is written out. */
const LONGEST = 256;
const LONGEST_ODD = 15;

/** A tile of `x`: `rows` runs of `columns` elements, `stride` apart. */
export interface TileShape {
  readonly rows: number;
  readonly columns: number;
}

function isSimdSide(length: number): boolean {
  let odd = length;
  while (odd % 2 === 0) odd /= 2;
  return length <= LONGEST && odd <= LONGEST_ODD;
}

const filledUp = (length: number): number => MULTIPLE * Math.ceil(length / MULTIPLE);

/** Whether `createTileTransform` serves such tiles. */
export const isSimdTile = ({ rows, columns }: TileShape): boolean => isSimdSide(rows) && isSimdSide(columns);

/** Elements of scratch that a transform of such tiles needs. */
export const tileScratch = (shape: TileShape): number =>
  isSimdTile(shape)
    ? 2 * filledUp(shape.rows) * filledUp(shape.columns) + 2 * (shape.rows + shape.columns)
    : 0;

/** The coefficients of a tile [rows · columns] are where the scratch begins, which is overwritten by the next transform. */
export interface TileTransform {
  /** x [rows, columns] at `start`, rows `stride` apart -> coefficients */
  forward(x: Float32Array, start: number, stride: number): void;
  inverse(x: Float32Array, start: number, stride: number): void;
}

/** What transforms the columns of a matrix with so many rows; all arguments are byte offsets and elements. */
interface AxisFunctions {
  copyRows(x: number, stride: number, rows: number, width: number, out: number): void;
  forwardColumns(
    x: number,
    stride: number,
    width: number,
    out: number,
    outStride: number,
    table: number,
  ): void;
  inverseColumns(
    x: number,
    stride: number,
    width: number,
    out: number,
    outStride: number,
    table: number,
  ): void;
}

const modules = new Map<number, WebAssembly.Module>();
const instances = new WeakMap<WebAssembly.Memory, Map<number, AxisFunctions>>();

/** Compiled once a thread for each length, since the code is straight and long. */
function axisFunctions(memory: WebAssembly.Memory, length: number): AxisFunctions {
  const ofMemory = instances.get(memory) ?? new Map<number, AxisFunctions>();
  instances.set(memory, ofMemory);
  const present = ofMemory.get(length);
  if (present !== undefined) return present;
  const module =
    modules.get(length) ??
    new WebAssembly.Module(encodeModule([copyRows, forwardColumns(length), inverseColumns(length)]));
  modules.set(length, module);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const made = exports as unknown as AxisFunctions;
  ofMemory.set(length, made);
  return made;
}

/**
 * A transform that works in `scratch`, which is its own while it is used: it holds tables.
 * @returns undefined where the vectors do not lie in one shared memory; all that are passed later have to lie there
 */
export function createTileTransform(
  { rows, columns }: TileShape,
  scratch: Float32Array,
  x: Float32Array,
): TileTransform | undefined {
  const memory = memoryOf(scratch);
  if (memory === undefined || memoryOf(x) !== memory) return undefined;
  const down = axisFunctions(memory, rows);
  const across = axisFunctions(memory, columns);
  const [height, width] = [filledUp(rows), filledUp(columns)];
  const area = height * width;
  scratch.set(tableOf(rows), 2 * area);
  scratch.set(tableOf(columns), 2 * area + 2 * rows);
  const pointer = (vector: Float32Array, index: number): number => vector.byteOffset + FLOAT_BYTES * index;
  const [one, other] = [pointer(scratch, 0), pointer(scratch, area)];
  const [downTable, acrossTable] = [pointer(scratch, 2 * area), pointer(scratch, 2 * area + 2 * rows)];
  const isWhole = rows === height && columns === width;
  return {
    forward(from, start, stride) {
      // Rows that lie a power of two apart would drive each other out of the cache.
      if (isWhole) down.copyRows(pointer(from, start), stride, rows, columns, one);
      else
        for (let r = 0; r < rows; r++) {
          const row = start + r * stride;
          scratch.set(from.subarray(row, row + columns), r * width);
        }
      down.forwardColumns(one, width, width, other, height, downTable);
      across.forwardColumns(other, height, height, one, width, acrossTable);
      if (width > columns)
        for (let r = 1; r < rows; r++) scratch.copyWithin(r * columns, r * width, r * width + columns);
    },
    inverse(to, start, stride) {
      if (width > columns)
        for (let r = rows - 1; r > 0; r--) scratch.copyWithin(r * width, r * columns, (r + 1) * columns);
      down.inverseColumns(one, width, width, other, height, downTable);
      if (isWhole) {
        across.inverseColumns(other, height, height, pointer(to, start), stride, acrossTable);
        return;
      }
      across.inverseColumns(other, height, height, one, width, acrossTable);
      for (let r = 0; r < rows; r++)
        to.set(scratch.subarray(r * width, r * width + columns), start + r * stride);
    },
  };
}
