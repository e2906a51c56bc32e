// Writes the functions of a kernel that is no formula for one element (see elementwise.ts): expressions over locals, loops,
// and SIMD instructions by name. WebAssembly core specification 2.0, chapter 5.4; opcodes are those of its tables.

import {
  type Code,
  getLocal,
  setLocal,
  simd,
  unsigned,
  type ValueType,
  type WasmFunction,
} from "./encode.ts";

/** Code that leaves a value on the stack. */
export type Value = Code;

/** Signed LEB128. */
function signed(value: number): Code {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

/** Takes its operands from the stack. */
type Instruction = (...operands: readonly Value[]) => Value;

const instruction =
  (opcode: Code): Instruction =>
  (...operands) => [...operands.flat(), ...opcode];

const OFFSET = 0;

export const i32 = {
  constant: (value: number): Value => [0x41, ...signed(value)],
  add: instruction([0x6a]) as Instruction,
  subtract: instruction([0x6b]) as Instruction,
  multiply: instruction([0x6c]) as Instruction,
  divideUnsigned: instruction([0x6e]) as Instruction,
  and: instruction([0x71]) as Instruction,
  or: instruction([0x72]) as Instruction,
  shiftLeft: instruction([0x74]) as Instruction,
  shiftRightUnsigned: instruction([0x76]) as Instruction,
  /** How many bits are 1. */
  ones: instruction([0x69]) as Instruction,
  equal: instruction([0x46]) as Instruction,
  greater: instruction([0x4a]) as Instruction,
  greaterOrEqual: instruction([0x4e]) as Instruction,
  lessUnsigned: instruction([0x49]) as Instruction,
  greaterUnsigned: instruction([0x4b]) as Instruction,
  greaterOrEqualUnsigned: instruction([0x4f]) as Instruction,
  /** So many bytes behind the address. */
  load: (address: Value, offset: number = OFFSET): Value => [...address, 0x28, 2, ...unsigned(offset)],
  /** So many bytes behind the address. */
  store: (address: Value, value: Value, offset: number = OFFSET): Code => [
    ...address,
    ...value,
    ...[0x36, 2, ...unsigned(offset)],
  ],
  /** The lowest byte, so many bytes behind the address. */
  storeByte: (address: Value, value: Value, offset: number = OFFSET): Code => [
    ...address,
    ...value,
    ...[0x3a, 0, ...unsigned(offset)],
  ],
  /** The lower two bytes. */
  storeShort: (address: Value, value: Value): Code => [...address, ...value, 0x3b, 1, OFFSET],
  /** The lower half. */
  ofLong: instruction([0xa7]) as Instruction,
} as const;

export const i64 = {
  constant: (value: number): Value => [0x42, ...signed(value)],
  isZero: instruction([0x50]) as Instruction,
  trailingZeros: instruction([0x7a]) as Instruction,
  subtract: instruction([0x7d]) as Instruction,
  and: instruction([0x83]) as Instruction,
  /** So many bytes behind the address. */
  load: (address: Value, offset: number = OFFSET): Value => [...address, 0x29, 2, ...unsigned(offset)],
  /** An i32, whose upper half becomes zero. */
  loadHalf: (address: Value): Value => [...address, 0x35, 2, OFFSET],
  store: (address: Value, value: Value): Code => [...address, ...value, 0x37, 2, OFFSET],
} as const;

export const f32 = {
  constant: (value: number): Value => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
  load: (address: Value): Value => [...address, 0x2a, 2, OFFSET],
  store: (address: Value, value: Value): Code => [...address, ...value, 0x38, 2, OFFSET],
  add: instruction([0x92]) as Instruction,
  subtract: instruction([0x93]) as Instruction,
  divide: instruction([0x95]) as Instruction,
  equal: instruction([0x5b]) as Instruction,
} as const;

export const f64 = {
  add: instruction([0xa0]) as Instruction,
  multiply: instruction([0xa2]) as Instruction,
  ofFloat: instruction([0xbb]) as Instruction,
} as const;

export const v128 = {
  /** So many bytes behind the address. */
  load: (address: Value, offset: number = OFFSET): Value => [
    ...address,
    ...simd(0x00),
    0,
    ...unsigned(offset),
  ],
  /** One 32-bit number in all lanes, so many bytes behind the address. */
  loadSplat: (address: Value, offset: number = OFFSET): Value => [
    ...address,
    ...simd(0x09),
    2,
    ...unsigned(offset),
  ],
  /** So many bytes behind the address. */
  store: (address: Value, value: Value, offset: number = OFFSET): Code => [
    ...address,
    ...value,
    ...simd(0x0b),
    0,
    ...unsigned(offset),
  ],
  zero: (): Value => [...simd(0x0c), ...new Array<number>(16).fill(0)],
  /** Bytes of the first operand are 0 to 15, those of the second 16 to 31. */
  shuffle: (a: Value, b: Value, bytes: readonly number[]): Value => [...a, ...b, ...simd(0x0d), ...bytes],
  and: instruction(simd(0x4e)) as Instruction,
  or: instruction(simd(0x50)) as Instruction,
  xor: instruction(simd(0x51)) as Instruction,
  anyTrue: instruction(simd(0x53)) as Instruction,
} as const;

export const f32x4 = {
  splat: instruction(simd(0x13)) as Instruction,
  lane: (value: Value, lane: number): Value => [...value, ...simd(0x1f), lane],
  less: instruction(simd(0x43)) as Instruction,
  notEqual: instruction(simd(0x42)) as Instruction,
  absolute: instruction(simd(0xe0)) as Instruction,
  add: instruction(simd(0xe4)) as Instruction,
  subtract: instruction(simd(0xe5)) as Instruction,
  multiply: instruction(simd(0xe6)) as Instruction,
  divide: instruction(simd(0xe7)) as Instruction,
  /** The second operand where it is smaller, or larger; the first elsewhere, and where one is not a number. */
  orSmaller: instruction(simd(0xea)) as Instruction,
  orLarger: instruction(simd(0xeb)) as Instruction,
  ofIntegers: instruction(simd(0xfa)) as Instruction,
} as const;

export const f64x2 = {
  lane: (value: Value, lane: number): Value => [...value, ...simd(0x21), lane],
  add: instruction(simd(0xf0)) as Instruction,
  multiply: instruction(simd(0xf2)) as Instruction,
  /** Of lanes 0 and 1. */
  ofFloats: instruction(simd(0x5f)) as Instruction,
} as const;

export const i32x4 = {
  splat: instruction(simd(0x11)) as Instruction,
  constant: (...lanes: readonly number[]): Value => [
    ...simd(0x0c),
    ...new Uint8Array(Int32Array.from(lanes).buffer),
  ],
  lane: (value: Value, lane: number): Value => [...value, ...simd(0x1b), lane],
  equal: instruction(simd(0x37)) as Instruction,
  greater: instruction(simd(0x3b)) as Instruction,
  greaterOrEqual: instruction(simd(0x3f)) as Instruction,
  bitmask: instruction(simd(0xa4)) as Instruction,
  shiftLeft: instruction(simd(0xab)) as Instruction,
  shiftRightUnsigned: instruction(simd(0xad)) as Instruction,
  add: instruction(simd(0xae)) as Instruction,
  subtract: instruction(simd(0xb1)) as Instruction,
  multiply: instruction(simd(0xb5)) as Instruction,
  minimumUnsigned: instruction(simd(0xb7)) as Instruction,
  maximum: instruction(simd(0xb8)) as Instruction,
  extendLowSigned: instruction(simd(0xa7)) as Instruction,
  extendHighSigned: instruction(simd(0xa8)) as Instruction,
  extendLowUnsigned: instruction(simd(0xa9)) as Instruction,
  extendHighUnsigned: instruction(simd(0xaa)) as Instruction,
  /** Integers below 2¹⁶ of two vectors as eight 16-bit ones. */
  toShorts: instruction(simd(0x86)) as Instruction,
  /** Eight 16-bit integers each of two vectors, below 256, as bytes. */
  toBytes: instruction(simd(0x66)) as Instruction,
  /** The first eight bytes, and the others, as 16-bit integers. */
  lowShorts: instruction(simd(0x89)) as Instruction,
  highShorts: instruction(simd(0x8a)) as Instruction,
} as const;

export const i64x2 = {
  add: instruction(simd(0xce)) as Instruction,
  /** Products of unsigned 32-bit lanes 0 and 1, or 2 and 3. */
  multiplyLowUnsigned: instruction(simd(0xde)) as Instruction,
  multiplyHighUnsigned: instruction(simd(0xdf)) as Instruction,
  storeLane: (address: Value, value: Value, lane: number): Code => [
    ...address,
    ...value,
    ...simd(0x5b),
    0,
    OFFSET,
    lane,
  ],
} as const;

export const i8x16 = {
  less: instruction(simd(0x25)) as Instruction,
  add: instruction(simd(0x6e)) as Instruction,
  subtract: instruction(simd(0x71)) as Instruction,
  /** Eight 16-bit integers each of two vectors, to the nearest there is. */
  ofShorts: instruction(simd(0x65)) as Instruction,
} as const;

export const i16x8 = {
  /** Four integers each of two vectors, to the nearest there is. */
  ofIntegers: instruction(simd(0x85)) as Instruction,
  splat: instruction(simd(0x10)) as Instruction,
  shiftRightUnsigned: instruction(simd(0x8d)) as Instruction,
  subtract: instruction(simd(0x91)) as Instruction,
} as const;

/** Lanes 2 and 3 of a vector, twice. */
export const upper = (value: Value, again: Value): Value =>
  v128.shuffle(value, again, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);

/** Orders of bytes for `v128.shuffle`, of lanes of two vectors a and b. */
export const LANES = {
  /** a0 b0 a1 b1 */
  low: [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23],
  /** a2 b2 a3 b3 */
  high: [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31],
  /** a0 a1 b0 b1 */
  first: [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23],
  /** a2 a3 b2 b3 */
  last: [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31],
} as const;

/** 0 … length − 1, for code that is written out. */
export const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);

/** A local variable of a function under construction. */
export interface Local {
  readonly get: Value;
  set(value: Value): Code;
}

export interface Frame<P extends string> {
  readonly arguments: Readonly<Record<P, Local>>;
  local(type: ValueType): Local;
  /** `body` for index = 0, step, 2 · step … below `end`. */
  count(end: Value, step: number, body: (index: Value) => Code): Code;
  /** `body` as long as the condition is not zero. */
  repeat(condition: Value, body: Code): Code;
}

/** A function by its parameters and what it does; `body` leaves the result on the stack, if there is one. */
export function assemble<P extends string>(
  name: string,
  parameters: Readonly<Record<P, ValueType>>,
  result: ValueType | undefined,
  body: (frame: Frame<P>) => readonly Code[],
): WasmFunction {
  const names = Object.keys(parameters) as P[];
  const locals: ValueType[] = [];
  const at = (index: number): Local => ({
    get: getLocal(index),
    set: (value) => [...value, ...setLocal(index)],
  });
  const local = (type: ValueType): Local => at(names.length + locals.push(type) - 1);
  const code = body({
    arguments: Object.fromEntries(names.map((parameter, i) => [parameter, at(i)])) as Record<P, Local>,
    local,
    count(end, step, each) {
      const index = local("i32");
      return [
        ...index.set(i32.constant(0)),
        ...[0x02, 0x40, 0x03, 0x40], // block, loop
        ...i32.greaterOrEqualUnsigned(index.get, end),
        ...[0x0d, 1], // br_if out of the block
        ...each(index.get),
        ...index.set(i32.add(index.get, i32.constant(step))),
        ...[0x0c, 0, 0x0b, 0x0b], // br to the loop's start, end, end
      ];
    },
    repeat: (condition, each) => [
      ...[0x03, 0x40], // loop
      ...when(condition, [...each, 0x0c, 1]), // br to the loop's start
      0x0b,
    ],
  }).flat();
  return {
    name,
    parameters: names.map((parameter) => parameters[parameter]),
    results: result === undefined ? [] : [result],
    locals,
    body: code,
  };
}

/** `a` where the condition is not zero, `b` elsewhere; both are computed. */
export const choose = (condition: Value, a: Value, b: Value): Value => [...a, ...b, ...condition, 0x1b];

/** `then` where the condition is not zero. */
export const when = (condition: Value, then: Code): Code => [...condition, 0x04, 0x40, ...then, 0x0b];
