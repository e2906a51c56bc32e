// The cosine transform (DCT-II, scaled so that it keeps lengths) of tiles of a matrix along both axes, in float32 and in SIMD.
// Each side is transformed by a function that is written for its length (see transformFunctions.ts), and leaves its result
// turned: so that twice that is the tile as it was. Sides are filled up to multiples of four.

import { memoryOf } from "../memory.ts";
import { encodeModule } from "./encode.ts";
import { addColumns, type Columns, copyRows, forwardColumns, inverseColumns } from "./transformFunctions.ts";
import { tableOf } from "./transformScript.ts";
import { kernelsFor } from "./vectors.ts";

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
  /**
   * Adds coefficients to others while they are in registers; missing where sides have to be filled up. It does to the chunk at
   * `to` of `sum` what `decayAndMark` does.
   */
  readonly forwardAndAdd?: (
    x: Float32Array,
    place: { readonly start: number; readonly stride: number; readonly to: number },
    sum: CoefficientSum,
  ) => void;
}

export interface CoefficientSum {
  readonly sum: Float32Array;
  readonly decay: number;
  readonly factor: number;
  readonly threshold: number;
  readonly marks: Float32Array;
}

type ColumnsArguments = [x: number, width: number, out: number, outStride: number, table: number];

/** What transforms the columns of a matrix with so many rows; all arguments are byte offsets and elements. */
interface AxisFunctions {
  copyRows(x: number, stride: number, rows: number, width: number, out: number, outStride: number): void;
  forwardColumns(...columns: ColumnsArguments): void;
  addColumns(
    ...columns: [...ColumnsArguments, decay: number, factor: number, threshold: number, marks: number]
  ): void;
  inverseColumns(...columns: ColumnsArguments): void;
}

/** By length. */
const tables = new Map<number, Float32Array>();

function tableFor(length: number): Float32Array {
  const table = tables.get(length) ?? tableOf(length);
  tables.set(length, table);
  return table;
}

const modules = new Map<string, WebAssembly.Module>();
const instances = new WeakMap<WebAssembly.Memory, Map<string, AxisFunctions>>();

/** Compiled once a thread for each length and stride, since the code is straight and long. */
function axisFunctions(memory: WebAssembly.Memory, columns: Columns): AxisFunctions {
  const ofMemory = instances.get(memory) ?? new Map<string, AxisFunctions>();
  instances.set(memory, ofMemory);
  const key = `${columns.length}/${columns.stride}`;
  const present = ofMemory.get(key);
  if (present !== undefined) return present;
  const functions = [copyRows, forwardColumns(columns), addColumns(columns), inverseColumns(columns)];
  const module = modules.get(key) ?? new WebAssembly.Module(encodeModule(functions));
  modules.set(key, module);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const made = exports as unknown as AxisFunctions;
  ofMemory.set(key, made);
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
  const blocks = kernelsFor(scratch, x)?.blocks;
  if (memory === undefined || blocks === undefined) return undefined;
  const [height, width] = [filledUp(rows), filledUp(columns)];
  const down = axisFunctions(memory, { length: rows, stride: width });
  const across = axisFunctions(memory, { length: columns, stride: height });
  const area = height * width;
  scratch.set(tableFor(rows), 2 * area);
  scratch.set(tableFor(columns), 2 * area + 2 * rows);
  const pointer = (vector: Float32Array, index: number): number => vector.byteOffset + FLOAT_BYTES * index;
  const [one, other] = [pointer(scratch, 0), pointer(scratch, area)];
  const [downTable, acrossTable] = [pointer(scratch, 2 * area), pointer(scratch, 2 * area + 2 * rows)];
  const isWhole = rows === height && columns === width;
  /** x -> the tile, turned and transformed along its first axis, in the scratch's second half */
  const halfForward = (from: Float32Array, start: number, stride: number): void => {
    // Rows that lie a power of two apart would drive each other out of the cache.
    down.copyRows(pointer(from, start), stride, rows, columns, one, width);
    down.forwardColumns(one, width, other, height, downTable);
  };
  return {
    forward(from, start, stride) {
      halfForward(from, start, stride);
      across.forwardColumns(other, height, one, width, acrossTable);
      if (width > columns) down.copyRows(one, width, rows, columns, one, columns);
    },
    inverse(to, start, stride) {
      const target = pointer(to, start);
      if (isWhole) {
        down.inverseColumns(one, width, other, height, downTable);
        across.inverseColumns(other, height, target, stride, acrossTable);
        return;
      }
      down.copyRows(one, columns, rows, columns, other, width);
      down.inverseColumns(other, width, one, height, downTable);
      across.inverseColumns(one, height, other, width, acrossTable);
      down.copyRows(other, width, rows, columns, target, stride);
    },
    ...(isWhole && {
      forwardAndAdd(from, { start, stride, to }, { sum, decay, factor, threshold, marks }) {
        const target = pointer(sum, to);
        blocks.fetchLines(target, FLOAT_BYTES * rows * columns);
        halfForward(from, start, stride);
        const [kept, added] = [Math.fround(decay), Math.fround(factor)];
        const others = [kept, added, threshold, marks.byteOffset] as const;
        across.addColumns(other, height, target, width, acrossTable, ...others);
      },
    }),
  };
}
