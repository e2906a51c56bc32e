// The cosine transform (DCT-II, scaled so that it keeps lengths) of tiles of a matrix along both axes, in float32 and in SIMD.
// Each side is transformed by a function that is written for its length (see transformFunctions.ts), and leaves its result
// turned: so that twice that is the tile as it was. Sides are filled up to multiples of four.

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
import { scalesOf, tableOf } from "./transformScript.ts";

/** Columns are transformed four at a time, and a result is turned in squares of four. */
const MULTIPLE = 4;
const FLOAT_BYTES = 4;
/** The longest side of which no loop is made, and the longest odd factor of one, since its square is written out. */
const LONGEST = 256;
const LONGEST_ODD = 15;

/** A tile of a matrix: `rows` runs of `columns` elements. */
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

/** Whether `tileTransform` serves such tiles. */
export const isSimdTile = ({ rows, columns }: TileShape): boolean => isSimdSide(rows) && isSimdSide(columns);

/** Elements of scratch that a transform of such tiles needs. */
export const tileScratch = ({ rows, columns }: TileShape): number => 2 * filledUp(rows) * filledUp(columns);

/** The numbers that transforms of such tiles multiply by. */
export const tileTables = ({ rows, columns }: TileShape): Float32Array =>
  Float32Array.of(...tableOf(rows), ...tableOf(columns));

/** Where a transform works, as byte offsets. */
export interface TileWork {
  /** [`tileScratch`], which is overwritten; coefficients [rows · columns] are where it begins. */
  readonly scratch: number;
  /** `tileTables` */
  readonly tables: number;
}

/** A tile: the byte offset of its first element, and how many elements its rows lie apart. */
export interface TilePlace {
  readonly x: number;
  readonly stride: number;
}

/** `next`: the byte offset of the tile that is most likely to come next. */
export interface AddedTile extends TilePlace {
  readonly next: number;
}

/** What coefficients are added to: the byte offset of a chunk, and what `decayAndMark` is told. */
export interface CoefficientSum {
  readonly to: number;
  readonly decay: number;
  readonly factor: number;
  readonly threshold: number;
  /** Byte offset. */
  readonly marks: number;
}

export interface TileTransform {
  /** x [rows, columns] -> coefficients */
  forward(tile: TilePlace, work: TileWork): void;
  inverse(tile: TilePlace, work: TileWork): void;
  /** The signs of what `inverse` gives: 1, 0, −1, or what is not a number. */
  inverseSigns(tile: TilePlace, work: TileWork): void;
  /**
   * Adds coefficients to others while they are in registers; missing where sides have to be filled up. It does to the chunk
   * what `decayAndMark` does, but for rounding: scales and the factor are multiplied first.
   */
  readonly forwardAndAdd?: (tile: AddedTile, work: TileWork, sum: CoefficientSum) => void;
}

type ColumnsArguments = [x: number, width: number, out: number, outStride: number, table: number];

/** What transforms the columns of a matrix with so many rows; all arguments are byte offsets and elements. */
interface AxisFunctions {
  forwardColumns(...columns: ColumnsArguments): void;
  forwardAndFetch(...columns: [...ColumnsArguments, ahead: number]): void;
  addColumns(
    ...columns: [
      ...ColumnsArguments,
      decay: number,
      factor: number,
      threshold: number,
      marks: number,
      ahead: number,
      aheadStride: number,
    ]
  ): void;
  inverseColumns(...columns: ColumnsArguments): void;
  inverseSigns(...columns: ColumnsArguments): void;
}

interface CopyFunctions {
  copyRows(x: number, stride: number, rows: number, width: number, out: number, outStride: number): void;
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

/** Each is written out and compiled when it is used first: their code is straight and long, and an operation needs one or two. */
class AxisTransform {
  readonly #memory: WebAssembly.Memory;
  readonly #columns: Columns;
  readonly #made: Partial<AxisFunctions> = {};

  constructor(memory: WebAssembly.Memory, columns: Columns) {
    this.#memory = memory;
    this.#columns = columns;
  }

  get<N extends keyof AxisFunctions>(name: N): AxisFunctions[N] {
    return this.#made[name] ?? this.#make(name);
  }

  #make<N extends keyof AxisFunctions>(name: N): AxisFunctions[N] {
    const { length, stride } = this.#columns;
    const exports = compiled(this.#memory, `${name}/${length}/${stride}`, () => WRITTEN[name](this.#columns));
    const written = exports[name] as AxisFunctions[N];
    this.#made[name] = written;
    return written;
  }
}

const transforms = new WeakMap<WebAssembly.Memory, Map<string, TileTransform>>();

/** The transform of tiles of this shape in a memory, made once a thread. */
export function tileTransform(shape: TileShape, memory: WebAssembly.Memory): TileTransform {
  const ofMemory = transforms.get(memory) ?? new Map<string, TileTransform>();
  transforms.set(memory, ofMemory);
  const key = `${shape.rows}/${shape.columns}`;
  const made = ofMemory.get(key) ?? createTransform(shape, memory);
  ofMemory.set(key, made);
  return made;
}

function createTransform({ rows, columns }: TileShape, memory: WebAssembly.Memory): TileTransform {
  const [height, width] = [filledUp(rows), filledUp(columns)];
  const { copyRows: copy } = copying(memory);
  const down = new AxisTransform(memory, { length: rows, stride: width });
  const across = new AxisTransform(memory, { length: columns, stride: height });
  const otherAt = FLOAT_BYTES * height * width;
  const acrossTableAt = FLOAT_BYTES * tableOf(rows).length;
  const isWhole = rows === height && columns === width;
  const scale = scalesOf(rows).others * scalesOf(columns).others;
  const inverse =
    (name: "inverseColumns" | "inverseSigns"): TileTransform["inverse"] =>
    ({ x, stride }, { scratch: one, tables }) => {
      const [other, acrossTable] = [one + otherAt, tables + acrossTableAt];
      if (isWhole) {
        down.get("inverseColumns")(one, width, other, height, tables);
        across.get(name)(other, height, x, stride, acrossTable);
        return;
      }
      copy(one, columns, rows, columns, other, width);
      down.get("inverseColumns")(other, width, one, height, tables);
      across.get(name)(one, height, other, width, acrossTable);
      copy(other, width, rows, columns, x, stride);
    };
  return {
    forward({ x, stride }, { scratch: one, tables }) {
      const other = one + otherAt;
      // Rows that lie a power of two apart would drive each other out of the cache.
      copy(x, stride, rows, columns, one, width);
      down.get("forwardColumns")(one, width, other, height, tables);
      across.get("forwardColumns")(other, height, one, width, tables + acrossTableAt);
      if (width > columns) copy(one, width, rows, columns, one, columns);
    },
    inverse: inverse("inverseColumns"),
    inverseSigns: inverse("inverseSigns"),
    ...(isWhole && {
      forwardAndAdd(
        { x, stride, next }: AddedTile,
        { scratch: one, tables }: TileWork,
        { to, decay, factor, threshold, marks }: CoefficientSum,
      ) {
        const [other, acrossTable] = [one + otherAt, tables + acrossTableAt];
        const apart = FLOAT_BYTES * stride;
        copy(x, stride, rows, columns, one, width);
        down.get("forwardAndFetch")(one, width, other, height, tables, to);
        const add = across.get("addColumns");
        add(other, height, to, width, acrossTable, decay, factor * scale, threshold, marks, next, apart);
      },
    }),
  };
}
