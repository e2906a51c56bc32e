// The cosine transform (DCT-II, scaled so that it keeps lengths) of tiles of a matrix along both axes, in float32 and in SIMD.
// Each side is transformed by a function that is written for its length (see transformFunctions.ts). Sides are filled up to multiples
// of four. Columns are transformed four at a time, so a tile is transposed between its two axes, and coefficients stay so: those
// of a tile [rows, columns] are [columns, rows].

import { encodeModule, type WasmFunction } from "./encode.ts";
import {
  addColumns,
  type Columns,
  copyRows,
  forwardAndFetch,
  forwardColumns,
  forwardIntoRows,
  inverseColumns,
  inverseIntoRows,
  inverseSigns,
} from "./transformFunctions.ts";
import { scalesOf, tableOf } from "./transformScript.ts";

/** Columns are transformed four at a time, and transposed in squares of four. */
const MULTIPLE = 4;
const FLOAT_BYTES = 4;
/** The longest side of which no loop is made, and the longest odd factor of one, since its square is written out. */
const LONGEST = 256;
const LONGEST_ODD = 15;

/** A tile of a matrix: `rows` runs of `columns` elements, which begin `stride` apart. */
export interface TileShape {
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
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
  /** [`tileScratch`], which is overwritten; coefficients [columns, rows] are where it begins. */
  readonly scratch: number;
  /** `tileTables` */
  readonly tables: number;
}

/** A tile and the one that is most likely to come next, by the byte offsets of their first elements. */
export interface AddedTile {
  readonly x: number;
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
  /** x [rows, columns], the byte offset of its first element -> coefficients [columns, rows] */
  forward(x: number, work: TileWork): void;
  inverse(x: number, work: TileWork): void;
  /** The signs of what `inverse` gives: 1, 0, −1, or what is not a number. */
  inverseSigns(x: number, work: TileWork): void;
  /**
   * Adds coefficients to others while they are in registers; missing where sides have to be filled up. It does to the chunk
   * what `decayAndMark` does, but for rounding: scales and the factor are multiplied first.
   */
  readonly forwardAndAdd?: (tile: AddedTile, work: TileWork, sum: CoefficientSum) => void;
}

type ColumnsArguments = [x: number, width: number, out: number, table: number];

/**
 * What transforms a matrix's columns (see transformFunctions.ts). Vectors and marks are byte offsets, `width` counts elements, and
 * `aheadStride` bytes.
 */
interface AxisFunctions {
  forwardColumns(...columns: ColumnsArguments): void;
  forwardIntoRows(...columns: ColumnsArguments): void;
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
  inverseIntoRows(...columns: ColumnsArguments): void;
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
  forwardIntoRows,
  forwardAndFetch,
  addColumns,
  inverseColumns,
  inverseIntoRows,
  inverseSigns,
};

/** Written out and compiled when it is first asked for: the code is straight and long, and an operation needs two of them. */
function onColumns<N extends keyof AxisFunctions>(
  name: N,
  columns: Columns,
  memory: WebAssembly.Memory,
): () => AxisFunctions[N] {
  let made: AxisFunctions[N] | undefined;
  const make = (): AxisFunctions[N] => {
    const { length, stride, outStride } = columns;
    const key = `${name}/${length}/${stride}/${outStride}`;
    return compiled(memory, key, () => WRITTEN[name](columns))[name] as AxisFunctions[N];
  };
  return () => {
    made ??= make();
    return made;
  };
}

const transforms = new WeakMap<WebAssembly.Memory, Map<string, TileTransform>>();

/** The transform of tiles of this shape in a memory, made once a thread. */
export function tileTransform(shape: TileShape, memory: WebAssembly.Memory): TileTransform {
  const ofMemory = transforms.get(memory) ?? new Map<string, TileTransform>();
  transforms.set(memory, ofMemory);
  const key = `${shape.rows}/${shape.columns}/${shape.stride}`;
  const made = ofMemory.get(key) ?? createTransform(shape, memory);
  ofMemory.set(key, made);
  return made;
}

function createTransform({ rows, columns, stride }: TileShape, memory: WebAssembly.Memory): TileTransform {
  const [height, width] = [filledUp(rows), filledUp(columns)];
  const isWhole = rows === height && columns === width;
  const { copyRows: copy } = copying(memory);
  const otherAt = FLOAT_BYTES * height * width;
  const acrossTableAt = FLOAT_BYTES * tableOf(rows).length;

  const down: Columns = { length: rows, stride: width, outStride: height };
  const across: Columns = { length: columns, stride: height, outStride: height };
  const forwardDown = onColumns("forwardIntoRows", down, memory);
  const forwardAcross = onColumns("forwardColumns", across, memory);
  const inverseAcross = onColumns("inverseIntoRows", { ...across, outStride: width }, memory);
  const inverseDown = { ...down, outStride: isWhole ? stride : width };
  const inverse =
    (finish: () => AxisFunctions["inverseColumns"]): TileTransform["inverse"] =>
    (x, { scratch: one, tables }) => {
      const [other, acrossTable] = [one + otherAt, tables + acrossTableAt];
      if (isWhole) {
        inverseAcross()(one, height, other, acrossTable);
        finish()(other, width, x, tables);
        return;
      }
      copy(one, rows, columns, rows, other, height);
      inverseAcross()(other, height, one, acrossTable);
      finish()(one, width, other, tables);
      copy(other, width, rows, columns, x, stride);
    };

  const forwardDownAndFetch = onColumns("forwardAndFetch", down, memory);
  const addAcross = onColumns("addColumns", across, memory);
  const scale = scalesOf(rows).others * scalesOf(columns).others;
  const apart = FLOAT_BYTES * stride;
  const forwardAndAdd: TileTransform["forwardAndAdd"] = (
    { x, next },
    { scratch: one, tables },
    { to, decay, factor, threshold, marks },
  ) => {
    const [other, acrossTable] = [one + otherAt, tables + acrossTableAt];
    copy(x, stride, rows, columns, one, width);
    forwardDownAndFetch()(one, width, other, tables, to);
    addAcross()(other, height, to, acrossTable, decay, factor * scale, threshold, marks, next, apart);
  };
  return {
    forward(x, { scratch: one, tables }) {
      const other = one + otherAt;
      // Rows that lie a power of two apart would drive each other out of the cache.
      copy(x, stride, rows, columns, one, width);
      forwardDown()(one, width, other, tables);
      forwardAcross()(other, height, one, tables + acrossTableAt);
      if (height > rows) copy(one, height, columns, rows, one, rows);
    },
    inverse: inverse(onColumns("inverseColumns", inverseDown, memory)),
    inverseSigns: inverse(onColumns("inverseSigns", inverseDown, memory)),
    ...(isWhole && { forwardAndAdd }),
  };
}
