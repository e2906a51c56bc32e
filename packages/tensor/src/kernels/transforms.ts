// The cosine transform (DCT-II, scaled so that it keeps lengths) of tiles of a matrix along both axes, in float32 and in SIMD.
// Each side is transformed by a function that is written for its length (see transformFunctions.ts), and leaves its result
// turned: so that twice that is the tile as it was. Sides are filled up to multiples of four.

import { memoryOf } from "../memory.ts";
import { encodeModule, type WasmFunction } from "./encode.ts";
import {
  addColumns,
  type Columns,
  copyRows,
  forwardAndFetch,
  forwardColumns,
  inverseColumns,
  inverseSigns,
} from "./transformFunctions.ts";
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
  /** The signs of what `inverse` gives: 1, 0, −1, or what is not a number. */
  inverseSigns(x: Float32Array, start: number, stride: number): void;
  /**
   * Adds coefficients to others while they are in registers; missing where sides have to be filled up. It does to the chunk at
   * `to` of `sum` what `decayAndMark` does.
   */
  readonly forwardAndAdd?: (x: Float32Array, place: AddedTile, sum: CoefficientSum) => void;
}

/** Where a tile lies, and where its coefficients belong; `next` is where the tile begins that is most likely to come next. */
export interface AddedTile {
  readonly start: number;
  readonly stride: number;
  readonly to: number;
  readonly next: number;
}

export interface CoefficientSum {
  readonly sum: Float32Array;
  readonly decay: number;
  readonly factor: number;
  readonly threshold: number;
  readonly marks: Float32Array;
}

type ColumnsArguments = [x: number, width: number, out: number, outStride: number, table: number];
type Addition = [decay: number, factor: number, threshold: number, marks: number];

/** What transforms the columns of a matrix with so many rows; all arguments are byte offsets and elements. */
interface AxisFunctions {
  forwardColumns(...columns: ColumnsArguments): void;
  forwardAndFetch(...columns: [...ColumnsArguments, ahead: number]): void;
  addColumns(...columns: [...ColumnsArguments, ...Addition, ahead: number, aheadStride: number]): void;
  inverseColumns(...columns: ColumnsArguments): void;
  inverseSigns(...columns: ColumnsArguments): void;
}

interface CopyFunctions {
  copyRows(x: number, stride: number, rows: number, width: number, out: number, outStride: number): void;
}

/** By length. */
const tables = new Map<number, Float32Array>();

function tableFor(length: number): Float32Array {
  const table = tables.get(length) ?? tableOf(length);
  tables.set(length, table);
  return table;
}

const modules = new Map<string, WebAssembly.Module>();
const instances = new WeakMap<WebAssembly.Memory, Map<string, WebAssembly.Exports>>();

/** The exports of a module with one function, compiled once a thread. */
function compiled(memory: WebAssembly.Memory, key: string, write: () => WasmFunction): WebAssembly.Exports {
  const ofMemory = instances.get(memory) ?? new Map<string, WebAssembly.Exports>();
  instances.set(memory, ofMemory);
  const present = ofMemory.get(key);
  if (present !== undefined) return present;
  const module = modules.get(key) ?? new WebAssembly.Module(encodeModule([write()]));
  modules.set(key, module);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  ofMemory.set(key, exports);
  return exports;
}

const copying = (memory: WebAssembly.Memory): CopyFunctions =>
  compiled(memory, "copyRows", () => copyRows) as unknown as CopyFunctions;

const WRITTEN: Readonly<Record<keyof AxisFunctions, (columns: Columns) => WasmFunction>> = {
  forwardColumns,
  forwardAndFetch,
  addColumns,
  inverseColumns,
  inverseSigns,
};

type AxisFunction = <N extends keyof AxisFunctions>(name: N) => AxisFunctions[N];

/** Each is written out and compiled when it is used first: their code is straight and long, and an operation needs one or two. */
function axisFunctions(memory: WebAssembly.Memory, columns: Columns): AxisFunction {
  const { length, stride } = columns;
  const made: Partial<AxisFunctions> = {};
  return <N extends keyof AxisFunctions>(name: N): AxisFunctions[N] => {
    const present: AxisFunctions[N] | undefined = made[name];
    if (present !== undefined) return present;
    const exports = compiled(memory, `${name}/${length}/${stride}`, () => WRITTEN[name](columns));
    const written = exports[name] as AxisFunctions[N];
    made[name] = written;
    return written;
  };
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
  if (memory === undefined || kernelsFor(scratch, x) === undefined) return undefined;
  const [height, width] = [filledUp(rows), filledUp(columns)];
  const { copyRows: copy } = copying(memory);
  const down = axisFunctions(memory, { length: rows, stride: width });
  const across = axisFunctions(memory, { length: columns, stride: height });
  const area = height * width;
  scratch.set(tableFor(rows), 2 * area);
  scratch.set(tableFor(columns), 2 * area + 2 * rows);
  const pointer = (vector: Float32Array, index: number): number => vector.byteOffset + FLOAT_BYTES * index;
  const [one, other] = [pointer(scratch, 0), pointer(scratch, area)];
  const [downTable, acrossTable] = [pointer(scratch, 2 * area), pointer(scratch, 2 * area + 2 * rows)];
  const isWhole = rows === height && columns === width;
  const inverse = (
    name: "inverseColumns" | "inverseSigns",
    to: Float32Array,
    start: number,
    stride: number,
  ): void => {
    const target = pointer(to, start);
    if (isWhole) {
      down("inverseColumns")(one, width, other, height, downTable);
      across(name)(other, height, target, stride, acrossTable);
      return;
    }
    copy(one, columns, rows, columns, other, width);
    down("inverseColumns")(other, width, one, height, downTable);
    across(name)(one, height, other, width, acrossTable);
    copy(other, width, rows, columns, target, stride);
  };
  return {
    forward(from, start, stride) {
      // Rows that lie a power of two apart would drive each other out of the cache.
      copy(pointer(from, start), stride, rows, columns, one, width);
      down("forwardColumns")(one, width, other, height, downTable);
      across("forwardColumns")(other, height, one, width, acrossTable);
      if (width > columns) copy(one, width, rows, columns, one, columns);
    },
    inverse: (to, start, stride) => inverse("inverseColumns", to, start, stride),
    inverseSigns: (to, start, stride) => inverse("inverseSigns", to, start, stride),
    ...(isWhole && {
      forwardAndAdd(from, { start, stride, to, next }, { sum, decay, factor, threshold, marks }) {
        const target = pointer(sum, to);
        copy(pointer(from, start), stride, rows, columns, one, width);
        down("forwardAndFetch")(one, width, other, height, downTable, target);
        const addition = [Math.fround(decay), Math.fround(factor), threshold, marks.byteOffset] as const;
        const ahead = [pointer(from, next), FLOAT_BYTES * stride] as const;
        across("addColumns")(other, height, target, width, acrossTable, ...addition, ...ahead);
      },
    }),
  };
}
