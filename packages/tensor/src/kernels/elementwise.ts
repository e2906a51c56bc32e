// Kernels that do the same to every element of some vectors. A kernel states its formula once; it is emitted twice, for
// as many elements at a time as a SIMD register holds, and one by one for the up to three that are left over at the end.
// Vectors are float32. Formulas are computed in float32, or in float64 with one rounding where they are stored: what a
// loop over Float32Arrays in JavaScript does, to the bit.

import {
  ADD_I32,
  type Code,
  constantI32,
  getLocal,
  loop,
  SHIFT_LEFT_I32,
  SHIFT_RIGHT_I32,
  setLocal,
  simd,
  type ValueType,
  type WasmFunction,
} from "./encode.ts";

/** A value of the formula: one element, or several. */
export type Lane = { readonly code: Code };

/** Builds the formula for one element (or several at once). */
export interface Formula {
  /** The element of a vector. */
  load(vector: string): Lane;
  /** A number that is the same for all elements. */
  scalar(name: string): Lane;
  constant(value: number): Lane;
  add(a: Lane, b: Lane): Lane;
  subtract(a: Lane, b: Lane): Lane;
  multiply(a: Lane, b: Lane): Lane;
  divide(a: Lane, b: Lane): Lane;
  squareRoot(a: Lane): Lane;
  /** Zero where the magnitude is below a limit, and elsewhere, NaN included, the value itself. */
  zeroBelow(a: Lane, limit: number): Lane;
  /** Computes a value once that is used more than once. */
  keep(a: Lane): Lane;
  /** The value as it would be stored: rounded to float32. */
  rounded(a: Lane): Lane;
  /** Writes the element of a vector. */
  store(vector: string, value: Lane): void;
}

export interface ElementwiseKernel {
  readonly name: string;
  /** float32 vectors; parameters of the function, as byte offsets, followed by their common length in elements … */
  readonly vectors: readonly string[];
  /** … and then these numbers, in the formula's precision. */
  readonly scalars: readonly string[];
  /** What the formula is computed in. Default float32. */
  readonly precision?: "float32" | "float64";
  readonly formula: (f: Formula) => void;
}

/** `select` takes the first of two values where a condition holds. */
type Operation = "add" | "subtract" | "multiply" | "divide" | "squareRoot" | "absolute" | "less" | "select";

/** How a formula is written for one width. */
export interface Width {
  readonly type: "f32" | "f64" | "v128";
  /** Bytes of a vector that one turn covers. */
  readonly bytes: 4 | 8 | 16;
  readonly load: Code;
  readonly store: Code;
  readonly rounded: Code;
  readonly constant: (value: number) => Code;
  readonly operations: Record<Operation, Code>;
}

/** A SIMD register and one element, of one precision. */
interface Widths {
  readonly scalar: "f32" | "f64";
  readonly splat: Code;
  readonly register: Width;
  readonly single: Width;
}

const floatBytes = (value: number): Code => [...new Uint8Array(Float32Array.of(value).buffer)];
const doubleBytes = (value: number): Code => [...new Uint8Array(Float64Array.of(value).buffer)];

const SELECT_ONE: Code = [0x1b];
const SELECT_BITS: Code = simd(0x52); // v128.bitselect
// The two immediates after load and store are the alignment hint (as a power of two) and the offset.
const FLOAT32: Widths = {
  scalar: "f32",
  splat: simd(0x13),
  single: {
    type: "f32",
    bytes: 4,
    load: [0x2a, 2, 0],
    store: [0x38, 2, 0],
    rounded: [],
    constant: (value) => [0x43, ...floatBytes(value)],
    operations: {
      add: [0x92],
      subtract: [0x93],
      multiply: [0x94],
      divide: [0x95],
      squareRoot: [0x91],
      absolute: [0x8b],
      less: [0x5d],
      select: SELECT_ONE,
    },
  },
  register: {
    type: "v128",
    bytes: 16,
    load: [...simd(0x00), 4, 0],
    store: [...simd(0x0b), 4, 0],
    rounded: [],
    constant: (value) => [...simd(0x0c), ...[1, 2, 3, 4].flatMap(() => floatBytes(value))],
    operations: {
      add: simd(0xe4),
      subtract: simd(0xe5),
      multiply: simd(0xe6),
      divide: simd(0xe7),
      squareRoot: simd(0xe3),
      absolute: simd(0xe0),
      less: simd(0x43),
      select: SELECT_BITS,
    },
  },
};
const DEMOTE_ONE: Code = [0xb6];
const PROMOTE_ONE: Code = [0xbb];
const DEMOTE_PAIR: Code = simd(0x5e);
const PROMOTE_PAIR: Code = simd(0x5f);
const FLOAT64: Widths = {
  scalar: "f64",
  splat: simd(0x14),
  single: {
    type: "f64",
    bytes: 4,
    load: [0x2a, 2, 0, ...PROMOTE_ONE],
    store: [...DEMOTE_ONE, 0x38, 2, 0],
    rounded: [...DEMOTE_ONE, ...PROMOTE_ONE],
    constant: (value) => [0x44, ...doubleBytes(value)],
    operations: {
      add: [0xa0],
      subtract: [0xa1],
      multiply: [0xa2],
      divide: [0xa3],
      squareRoot: [0x9f],
      absolute: [0x99],
      less: [0x63],
      select: SELECT_ONE,
    },
  },
  register: {
    type: "v128",
    bytes: 8,
    load: [...simd(0x5d), 3, 0, ...PROMOTE_PAIR], // v128.load64_zero
    store: [...DEMOTE_PAIR, ...simd(0x5b), 3, 0, 0], // v128.store64_lane of lane 0
    rounded: [...DEMOTE_PAIR, ...PROMOTE_PAIR],
    constant: (value) => [...simd(0x0c), ...doubleBytes(value), ...doubleBytes(value)],
    operations: {
      add: simd(0xf0),
      subtract: simd(0xf1),
      multiply: simd(0xf2),
      divide: simd(0xf3),
      squareRoot: simd(0xef),
      absolute: simd(0xec),
      less: simd(0x49),
      select: SELECT_BITS,
    },
  },
};

/** The kernel as a function `(vector byte offsets …, length, scalars …) => void`. */
export const emitElementwise = ({ formula, ...kernel }: ElementwiseKernel): WasmFunction => ({
  results: [],
  ...emitPasses(kernel, (frame) => emitFormula(formula, frame)),
});

/** Parameters, local variables and loops of a function that goes through vectors once. @param turn what one turn does */
export function emitPasses(
  { name, vectors, scalars, precision = "float32" }: Omit<ElementwiseKernel, "formula">,
  turn: (frame: Frame) => Code,
): Omit<WasmFunction, "results"> {
  const { scalar, splat, register, single } = precision === "float32" ? FLOAT32 : FLOAT64;
  const length = vectors.length;
  const parameters: ValueType[] = [...vectors.map(() => "i32" as const), "i32", ...scalars.map(() => scalar)];
  const locals: ValueType[] = ["i32", "i32"];
  const index = parameters.length;
  const end = index + 1;
  const newLocal = (type: ValueType): number => parameters.length + locals.push(type) - 1;
  const singles = new Map(scalars.map((name, i) => [name, length + 1 + i]));
  const splats = new Map(scalars.map((name) => [name, newLocal("v128")]));
  const pointers = new Map(vectors.map((vector, i) => [vector, i]));
  const spread = scalars.flatMap((name) => [
    ...getLocal(singles.get(name)!),
    ...splat,
    ...setLocal(splats.get(name)!),
  ]);
  const pass = (width: Width, scalarLocals: ReadonlyMap<string, number>): Code =>
    loop(index, end, width.bytes, turn({ width, index, pointers, scalars: scalarLocals, newLocal }));
  const body = [
    ...spread,
    ...wholeGroups(length, end),
    ...pass(register, splats),
    ...bytesOf(length, end),
    ...pass(single, singles),
  ];
  return { name, parameters, locals, body };
}

/** end ← length rounded down to a multiple of four, in bytes. */
const wholeGroups = (length: number, end: number): Code => [
  ...getLocal(length),
  ...constantI32(2),
  ...SHIFT_RIGHT_I32,
  ...constantI32(4),
  ...SHIFT_LEFT_I32,
  ...setLocal(end),
];

/** end ← length in bytes. */
const bytesOf = (length: number, end: number): Code => [
  ...getLocal(length),
  ...constantI32(2),
  ...SHIFT_LEFT_I32,
  ...setLocal(end),
];

export interface Frame {
  readonly width: Width;
  /** Local that holds the byte offset of the current element from the start of each vector. */
  readonly index: number;
  readonly pointers: ReadonlyMap<string, number>;
  readonly scalars: ReadonlyMap<string, number>;
  readonly newLocal: (type: ValueType) => number;
}

export function emitFormula(
  formula: (f: Formula) => void,
  { width, index, pointers, scalars, newLocal }: Frame,
): Code {
  const { operations } = width;
  const statements: Code[] = [];
  const address = (vector: string): Code => [
    ...getLocal(pointers.get(vector)!),
    ...getLocal(index),
    ...ADD_I32,
  ];
  const binary =
    (operation: Code) =>
    (a: Lane, b: Lane): Lane => ({ code: [...a.code, ...b.code, ...operation] });
  const keep = ({ code }: Lane): Lane => {
    const local = newLocal(width.type);
    statements.push([...code, ...setLocal(local)]);
    return { code: getLocal(local) };
  };
  formula({
    load: (vector) => ({ code: [...address(vector), ...width.load] }),
    scalar: (name) => ({ code: getLocal(scalars.get(name)!) }),
    constant: (value) => ({ code: width.constant(value) }),
    add: binary(operations.add),
    subtract: binary(operations.subtract),
    multiply: binary(operations.multiply),
    divide: binary(operations.divide),
    squareRoot: ({ code }) => ({ code: [...code, ...operations.squareRoot] }),
    zeroBelow(a, limit) {
      const { code } = keep(a);
      const isBelow = [...code, ...operations.absolute, ...width.constant(limit), ...operations.less];
      return { code: [...width.constant(0), ...code, ...isBelow, ...operations.select] };
    },
    keep,
    rounded: ({ code }) => ({ code: [...code, ...width.rounded] }),
    store(vector, { code }) {
      statements.push([...address(vector), ...code, ...width.store]);
    },
  });
  return statements.flat();
}
