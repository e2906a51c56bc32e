// The binary format of WebAssembly, as far as our kernels need it: one module that imports a shared memory and exports
// functions. WebAssembly core specification 2.0, chapter 5 (binary format); threads proposal for shared memories.

/** Bytes of instructions. */
export type Code = readonly number[];

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** A function over the module's memory. Locals count on from the parameters. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

const VALUE_TYPE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Unsigned LEB128. */
export function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return bytes;
}

/** A SIMD instruction: prefix and number. */
export const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];

export const getLocal = (index: number): Code => [0x20, ...unsigned(index)];
export const setLocal = (index: number): Code => [0x21, ...unsigned(index)];

/** A small number that is not negative. */
export const constantI32 = (value: 0 | 1 | 2 | 3 | 4 | 8 | 16): Code => [0x41, value];

export const ADD_I32: Code = [0x6a];
export const SHIFT_LEFT_I32: Code = [0x74];
export const SHIFT_RIGHT_I32: Code = [0x76];
const GREATER_OR_EQUAL_I32: Code = [0x4f];

/** Runs `body` while the local `index` is below the local `end` (both unsigned bytes), adding `step` each time. */
export const loop = (index: number, end: number, step: 4 | 8 | 16, body: Code): Code => [
  ...[0x02, 0x40], // block
  ...[0x03, 0x40], // loop
  ...getLocal(index),
  ...getLocal(end),
  ...GREATER_OR_EQUAL_I32,
  ...[0x0d, 1], // br_if out of the block
  ...body,
  ...getLocal(index),
  ...constantI32(step),
  ...ADD_I32,
  ...setLocal(index),
  ...[0x0c, 0], // br to the loop's start
  0x0b,
  0x0b,
];

const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, items: readonly Code[]): Code => {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
};
const text = (value: string): Code => vector([...new TextEncoder().encode(value)].map((byte) => [byte]));
const types = (list: readonly ValueType[]): Code => vector(list.map((type) => [VALUE_TYPE[type]]));

const SHARED_WITH_MAXIMUM = 3;
const NO_MAXIMUM = 0;
const MOST_PAGES = 65536;

/**
 * A module that imports `env.memory`, of any size, and exports the functions by name.
 * @param isShared whether threads share the memory
 */
export function encodeModule(functions: readonly WasmFunction[], isShared = true): Uint8Array<ArrayBuffer> {
  const limits = isShared
    ? [SHARED_WITH_MAXIMUM, ...unsigned(0), ...unsigned(MOST_PAGES)]
    : [NO_MAXIMUM, ...unsigned(0)];
  const bodies = functions.map(({ locals, body }) => {
    const declared = vector(locals.map((type) => [1, VALUE_TYPE[type]]));
    const content = [...declared, ...body, 0x0b];
    return [...unsigned(content.length), ...content];
  });
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d], // "\0asm"
    ...[0x01, 0x00, 0x00, 0x00], // version 1
    ...section(
      1,
      functions.map(({ parameters, results }) => [0x60, ...types(parameters), ...types(results)]),
    ),
    ...section(2, [[...text("env"), ...text("memory"), 0x02, ...limits]]),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]),
    ),
    ...section(10, bodies),
  ]);
}
