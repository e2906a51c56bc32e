// Kernels that do the same to every element of some vectors. A kernel states its formula once; it is emitted twice, for
// four elements at a time in a SIMD register, and for the up to three that are left over at the end.

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

/** A value of the formula: one element, or four. */
export type Lane = { readonly code: Code };

/** Builds the formula for one element (or four at once). */
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
  /** Computes a value once that is used more than once. */
  keep(a: Lane): Lane;
  /** Writes the element of a vector. */
  store(vector: string, value: Lane): void;
}

export interface ElementwiseKernel {
  readonly name: string;
  /** float32 vectors; parameters of the function, as byte offsets, followed by their common length in elements … */
  readonly vectors: readonly string[];
  /** … and then these numbers, as float32. */
  readonly scalars: readonly string[];
  readonly formula: (f: Formula) => void;
}

/** How a formula is written for one width. */
interface Width {
  readonly type: "f32" | "v128";
  readonly bytes: 4 | 16;
  readonly load: Code;
  readonly store: Code;
  readonly constant: (value: number) => Code;
  readonly operations: Record<"add" | "subtract" | "multiply" | "divide" | "squareRoot", Code>;
}

const floatBytes = (value: number): Code => [...new Uint8Array(Float32Array.of(value).buffer)];

// The two immediates after load and store are the alignment hint (as a power of two) and the offset.
const SINGLE: Width = {
  type: "f32",
  bytes: 4,
  load: [0x2a, 2, 0],
  store: [0x38, 2, 0],
  constant: (value) => [0x43, ...floatBytes(value)],
  operations: { add: [0x92], subtract: [0x93], multiply: [0x94], divide: [0x95], squareRoot: [0x91] },
};
const FOUR: Width = {
  type: "v128",
  bytes: 16,
  load: [...simd(0x00), 4, 0],
  store: [...simd(0x0b), 4, 0],
  constant: (value) => [...simd(0x0c), ...[1, 2, 3, 4].flatMap(() => floatBytes(value))],
  operations: {
    add: simd(0xe4),
    subtract: simd(0xe5),
    multiply: simd(0xe6),
    divide: simd(0xe7),
    squareRoot: simd(0xe3),
  },
};
const SPLAT: Code = simd(0x13);

/** The kernel as a function `(vector byte offsets …, length, scalars …) => void`. */
export function emitElementwise({ name, vectors, scalars, formula }: ElementwiseKernel): WasmFunction {
  const length = vectors.length;
  const parameters: ValueType[] = [
    ...vectors.map(() => "i32" as const),
    "i32",
    ...scalars.map(() => "f32" as const),
  ];
  const locals: ValueType[] = ["i32", "i32"];
  const index = parameters.length;
  const end = index + 1;
  const newLocal = (type: ValueType): number => parameters.length + locals.push(type) - 1;
  const singles = new Map(scalars.map((scalar, i) => [scalar, length + 1 + i]));
  const splats = new Map(scalars.map((scalar) => [scalar, newLocal("v128")]));
  const pointers = new Map(vectors.map((vector, i) => [vector, i]));
  const spread = scalars.flatMap((scalar) => [
    ...getLocal(singles.get(scalar)!),
    ...SPLAT,
    ...setLocal(splats.get(scalar)!),
  ]);
  const pass = (width: Width, scalarLocals: ReadonlyMap<string, number>): Code =>
    loop(
      index,
      end,
      width.bytes,
      emitFormula(formula, { width, index, pointers, scalars: scalarLocals, newLocal }),
    );
  return {
    name,
    parameters,
    results: [],
    locals,
    body: [
      ...spread,
      ...wholeGroups(length, end),
      ...pass(FOUR, splats),
      ...bytesOf(length, end),
      ...pass(SINGLE, singles),
    ],
  };
}

/** end ← length rounded down to a multiple of four, in bytes. */
export const wholeGroups = (length: number, end: number): Code => [
  ...getLocal(length),
  ...constantI32(2),
  ...SHIFT_RIGHT_I32,
  ...constantI32(4),
  ...SHIFT_LEFT_I32,
  ...setLocal(end),
];

/** end ← length in bytes. */
export const bytesOf = (length: number, end: number): Code => [
  ...getLocal(length),
  ...constantI32(2),
  ...SHIFT_LEFT_I32,
  ...setLocal(end),
];

interface Frame {
  readonly width: Width;
  /** Local that holds the byte offset of the current element from the start of each vector. */
  readonly index: number;
  readonly pointers: ReadonlyMap<string, number>;
  readonly scalars: ReadonlyMap<string, number>;
  readonly newLocal: (type: ValueType) => number;
}

function emitFormula(
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
  formula({
    load: (vector) => ({ code: [...address(vector), ...width.load] }),
    scalar: (name) => ({ code: getLocal(scalars.get(name)!) }),
    constant: (value) => ({ code: width.constant(value) }),
    add: binary(operations.add),
    subtract: binary(operations.subtract),
    multiply: binary(operations.multiply),
    divide: binary(operations.divide),
    squareRoot: ({ code }) => ({ code: [...code, ...operations.squareRoot] }),
    keep({ code }) {
      const local = newLocal(width.type);
      statements.push([...code, ...setLocal(local)]);
      return { code: getLocal(local) };
    },
    store(vector, { code }) {
      statements.push([...address(vector), ...code, ...width.store]);
    },
  });
  return statements.flat();
}
