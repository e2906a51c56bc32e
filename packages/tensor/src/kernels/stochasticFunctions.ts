// Rounding at random to levels of eight bits, and back, as WebAssembly functions on byte offsets. The random bits are those of
// `roundingBits` in stochastic.ts, where the loops are that do the rest.

import {
  assemble,
  f32,
  f32x4,
  i8x16,
  i16x8,
  i32,
  i32x4,
  LANES,
  type Local,
  type Value,
  v128,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";
import { MAGIC } from "./roundingFunctions.ts";

/** Of Threefry-2x32: four rounds a group, after each of which parts of the key are added, and one round more. */
export const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24], [13, 15, 26, 6], [17]] as const;
const KEYED_GROUPS = 3;
export const PARITY = 0x1bd11bda;
const GROUPS = [0, 1, 2, 3] as const;
const SIXTEEN = 16;
/** Streams of blocks side by side: each step of the cipher waits for the one before. */
const STREAMS = [0, 1] as const;

/** Elements that `roundAtRandom` takes at a time, and that `sumOfLevels` takes. */
export const ROUND_AT_ONCE: number = SIXTEEN * STREAMS.length;
export const SUM_AT_ONCE: number = SIXTEEN;

/** Numbers uniform on the middles of 2¹⁶ parts of [−½, ½): h / 2¹⁶ + OFFSET for 16 random bits h. */
const OFFSET = 2 ** -17 - 0.5;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));

interface Words {
  readonly x0: Local;
  readonly x1: Local;
}

/** The bits of each lane, rotated: by whole bytes in one instruction. */
function rotated(x: Value, by: number): Value {
  if (by % 8 === 0) {
    const bytes = Array.from({ length: 16 }, (_, i) => (i & ~3) + ((i - by / 8) & 3));
    return v128.shuffle(x, x, bytes);
  }
  return v128.or(i32x4.shiftLeft(x, i32.constant(by)), i32x4.shiftRightUnsigned(x, i32.constant(32 - by)));
}

/** x0, x1 ← the blocks of four counters each, in x0, and 0. @param injected what is added after each group that has it */
function threefry(streams: readonly Words[], first: Words, injected: readonly Words[]): Code {
  const code: Code[] = [];
  for (const { x0, x1 } of streams) code.push(x0.set(i32x4.add(x0.get, first.x0.get)), x1.set(first.x1.get));
  for (const [group, rotations] of ROTATIONS.entries()) {
    for (const rotation of rotations) {
      for (const { x0, x1 } of streams) code.push(x0.set(i32x4.add(x0.get, x1.get)));
      for (const { x0, x1 } of streams) code.push(x1.set(v128.xor(rotated(x1.get, rotation), x0.get)));
    }
    const keys = injected[group];
    if (keys === undefined) continue;
    for (const { x0, x1 } of streams)
      code.push(x0.set(i32x4.add(x0.get, keys.x0.get)), x1.set(i32x4.add(x1.get, keys.x1.get)));
  }
  return code.flat();
}

/** The four 16-bit numbers of counter `lane`: the second word's lower half and upper half, then the first word's. */
const drawnBy = (lane: number, { low, high }: { readonly low: Local; readonly high: Local }): Value => {
  const pairs = (lane < 2 ? low : high).get;
  return lane % 2 === 0 ? i32x4.extendLowUnsigned(pairs) : i32x4.extendHighUnsigned(pairs);
};

/** 2 · level + 1 where the element has a sign, as bytes: of four times four levels below 128, and elements. */
function codesOf(levels: readonly Local[], elements: readonly Local[]): Value {
  const inBytes =
    (toShorts: typeof i32x4.toShorts, toBytes: typeof i32x4.toBytes) =>
    ([a, b, c, d]: readonly Local[]): Value =>
      toBytes(toShorts(a!.get, b!.get), toShorts(c!.get, d!.get));
  const magnitudes = inBytes(i32x4.toShorts, i32x4.toBytes)(levels);
  const signs = i8x16.less(inBytes(i16x8.ofIntegers, i8x16.ofShorts)(elements), v128.zero());
  return i8x16.subtract(i8x16.add(magnitudes, magnitudes), signs);
}

/**
 * `(x, codes, length, factor, key0, key1, counter)`: codes ← 2 · l + (x < 0), a byte each, l the integer nearest to
 * |x| · factor + r, which is at most 127; four elements draw their r from one counter, from `counter` on.
 */
export const roundAtRandom: WasmFunction = assemble(
  "roundAtRandom",
  { x: "i32", codes: "i32", length: "i32", factor: "f32", key0: "i32", key1: "i32", counter: "i32" },
  undefined,
  (frame) => {
    const { x, codes, length, factor, key0, key1, counter } = frame.arguments;
    const vector = (): Local => frame.local("v128");
    const keys = [vector(), vector(), vector()] as const;
    const injected = Array.from({ length: KEYED_GROUPS }, (): Words => ({ x0: vector(), x1: vector() }));
    const streams = STREAMS.map((): Words => ({ x0: vector(), x1: vector() }));
    const [counters, scale, low, high] = [vector(), vector(), vector(), vector()];
    const elements = GROUPS.map(vector);
    const levels = GROUPS.map(vector);
    const levelOf = (group: number): Value => {
      const drawn = f32x4.multiply(
        f32x4.ofIntegers(drawnBy(group, { low, high })),
        f32x4.splat(f32.constant(2 ** -16)),
      );
      const r = f32x4.add(drawn, f32x4.splat(f32.constant(OFFSET)));
      const position = f32x4.multiply(f32x4.absolute(elements[group]!.get), scale.get);
      // The integer is in the low bits of the sum.
      const sum = f32x4.add(f32x4.add(position, r), f32x4.splat(f32.constant(MAGIC)));
      return v128.and(sum, i32x4.constant(127, 127, 127, 127));
    };
    const roundSixteen = (stream: number, index: Value): Code => {
      const { x0, x1 } = streams[stream]!;
      const at = i32.add(index, i32.constant(SIXTEEN * stream));
      return [
        ...low.set(v128.shuffle(x1.get, x0.get, LANES.low)),
        ...high.set(v128.shuffle(x1.get, x0.get, LANES.high)),
        ...GROUPS.flatMap((group) => [
          ...elements[group]!.set(v128.load(i32.add(x.get, floats(i32.add(at, i32.constant(4 * group)))))),
          ...levels[group]!.set(levelOf(group)),
        ]),
        ...v128.store(i32.add(codes.get, at), codesOf(levels, elements)),
      ];
    };
    const four = i32x4.constant(4, 4, 4, 4);
    return [
      keys[0].set(i32x4.splat(key0.get)),
      keys[1].set(i32x4.splat(key1.get)),
      keys[2].set(v128.xor(v128.xor(keys[0].get, keys[1].get), i32x4.splat(i32.constant(PARITY)))),
      ...injected.flatMap(({ x0, x1 }, group) => [
        x0.set(keys[(group + 1) % 3]!.get),
        x1.set(i32x4.add(keys[(group + 2) % 3]!.get, i32x4.splat(i32.constant(group + 1)))),
      ]),
      counters.set(i32x4.add(i32x4.splat(counter.get), i32x4.constant(0, 1, 2, 3))),
      scale.set(f32x4.splat(factor.get)),
      frame.count(length.get, ROUND_AT_ONCE, (index) => [
        ...streams.flatMap(({ x0 }) => [
          ...x0.set(counters.get),
          ...counters.set(i32x4.add(counters.get, four)),
        ]),
        ...threefry(streams, { x0: keys[0], x1: keys[1] }, injected),
        ...STREAMS.flatMap((stream) => roundSixteen(stream, index)),
      ]),
    ];
  },
);

/**
 * `(table, from, members, length, factors, out)`: out ← Σ ±⌊code / 2⌋ · factor over the members, in float32. The table has the
 * byte offsets of their messages, whose codes begin `from` bytes behind; `factors` [members].
 */
export const sumOfLevels: WasmFunction = assemble(
  "sumOfLevels",
  { table: "i32", from: "i32", members: "i32", length: "i32", factors: "i32", out: "i32" },
  undefined,
  (frame) => {
    const { table, from, members, length, factors, out } = frame.arguments;
    const vector = (): Local => frame.local("v128");
    const sums = GROUPS.map(vector);
    const [bytes, shorts, negative, factor] = [vector(), vector(), vector(), vector()];
    const address = frame.local("i32");
    const one = i16x8.splat(i32.constant(1));
    /** Eight codes as signed integers: all bits of a negative one's level turned, and one added. */
    const signed = (codes: Value): Code => [
      ...shorts.set(codes),
      ...negative.set(i16x8.subtract(v128.zero(), v128.and(shorts.get, one))),
      ...shorts.set(
        i16x8.subtract(
          v128.xor(i16x8.shiftRightUnsigned(shorts.get, i32.constant(1)), negative.get),
          negative.get,
        ),
      ),
    ];
    const added = (group: number, integers: Value): Code =>
      sums[group]!.set(f32x4.add(sums[group]!.get, f32x4.multiply(f32x4.ofIntegers(integers), factor.get)));
    return [
      frame.count(length.get, SUM_AT_ONCE, (index) => [
        ...sums.flatMap((sum) => sum.set(v128.zero())),
        ...frame.count(floats(members.get), 4, (entry) => [
          ...factor.set(v128.loadSplat(i32.add(factors.get, entry))),
          ...address.set(i32.add(i32.load(i32.add(table.get, entry)), i32.add(from.get, index))),
          ...bytes.set(v128.load(address.get)),
          ...signed(i32x4.lowShorts(bytes.get)),
          ...added(0, i32x4.extendLowSigned(shorts.get)),
          ...added(1, i32x4.extendHighSigned(shorts.get)),
          ...signed(i32x4.highShorts(bytes.get)),
          ...added(2, i32x4.extendLowSigned(shorts.get)),
          ...added(3, i32x4.extendHighSigned(shorts.get)),
        ]),
        ...GROUPS.flatMap((group) =>
          v128.store(
            i32.add(i32.add(out.get, floats(index)), i32.constant(SIXTEEN * group)),
            sums[group]!.get,
          ),
        ),
      ]),
    ];
  },
);
