// Rounding at random to levels of eight bits, and back, as WebAssembly functions on byte offsets, for multiples of sixteen
// elements. The random bits are those of `threefryBlocks` in @atoll/core; rounding is that of the loops in stochastic.ts.

import { assemble, f32, f32x4, i32, i32x4, type Local, type Value, v128 } from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
const PARITY = 0x1bd11bda;
const GROUPS = [0, 1, 2, 3] as const;
const SIXTEEN = 16;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));

/** x0, x1 ← the Threefry-2x32 blocks of four counters, in x0, and 0. */
function threefry(x0: Local, x1: Local, keys: readonly [Local, Local, Local]): Code {
  const code: Code[] = [x0.set(i32x4.add(x0.get, keys[0].get)), x1.set(keys[1].get)];
  for (let group = 0; group < 5; group++) {
    for (const rotation of ROTATIONS[group % 2]!) {
      const left = i32x4.shiftLeft(x1.get, i32.constant(rotation));
      const right = i32x4.shiftRightUnsigned(x1.get, i32.constant(32 - rotation));
      code.push(x0.set(i32x4.add(x0.get, x1.get)), x1.set(v128.xor(v128.or(left, right), x0.get)));
    }
    const [a, b] = [keys[(group + 1) % 3]!, keys[(group + 2) % 3]!];
    const injected = i32x4.add(b.get, i32x4.splat(i32.constant(group + 1)));
    code.push(x0.set(i32x4.add(x0.get, a.get)), x1.set(i32x4.add(x1.get, injected)));
  }
  return code.flat();
}

/** The four 16-bit numbers of counter `lane`: the second word's upper half and lower half, then the first word's. */
function drawnBy(lane: number, x0: Local, x1: Local): Value {
  const at = 4 * lane;
  const order = [18 + at, 19 + at, 16 + at, 17 + at, 2 + at, 3 + at, at, 1 + at];
  return i32x4.extendLowUnsigned(v128.shuffle(x0.get, x1.get, [...order, ...order]));
}

/** Four times four integers below 256 as bytes. */
const packedBytes = ([a, b, c, d]: readonly Local[]): Value =>
  i32x4.toBytes(i32x4.toShorts(a!.get, b!.get), i32x4.toShorts(c!.get, d!.get));

/**
 * `(x, codes, length, most, steps, key0, key1, counter)`: codes ← 2 · ⌊|x| / most · steps + u⌋ + (x < 0), a byte each; four
 * elements draw their u from one counter, from `counter` on.
 */
export const roundAtRandom: WasmFunction = assemble(
  "roundAtRandom",
  {
    x: "i32",
    codes: "i32",
    length: "i32",
    most: "f32",
    steps: "f32",
    key0: "i32",
    key1: "i32",
    counter: "i32",
  },
  undefined,
  (frame) => {
    const { x, codes, length, most, steps, key0, key1, counter } = frame.arguments;
    const vector = (): Local => frame.local("v128");
    const keys = [vector(), vector(), vector()] as const;
    const [x0, x1, counters, largest, scale, elements, drawn] = [
      vector(),
      vector(),
      vector(),
      vector(),
      vector(),
      vector(),
      vector(),
    ];
    const mostLevel = vector();
    const made = GROUPS.map(vector);
    const half = f32x4.splat(f32.constant(0.5));
    const part = f32x4.splat(f32.constant(2 ** -16));
    const level = (): Value => {
      const position = f32x4.multiply(f32x4.divide(f32x4.absolute(elements.get), largest.get), scale.get);
      const u = f32x4.multiply(f32x4.add(f32x4.ofIntegers(drawn.get), half), part);
      return i32x4.ofFloats(f32x4.add(position, u));
    };
    const codesOf = (group: number, index: Value): Code => {
      const bounded = i32x4.minimum(level(), mostLevel.get);
      const negative = v128.and(f32x4.less(elements.get, v128.zero()), i32x4.constant(1, 1, 1, 1));
      return [
        ...elements.set(v128.load(i32.add(x.get, floats(i32.add(index, i32.constant(4 * group)))))),
        ...drawn.set(drawnBy(group, x0, x1)),
        ...made[group]!.set(i32x4.add(i32x4.shiftLeft(bounded, i32.constant(1)), negative)),
      ];
    };
    return [
      keys[0].set(i32x4.splat(key0.get)),
      keys[1].set(i32x4.splat(key1.get)),
      keys[2].set(v128.xor(v128.xor(keys[0].get, keys[1].get), i32x4.splat(i32.constant(PARITY)))),
      counters.set(i32x4.add(i32x4.splat(counter.get), i32x4.constant(0, 1, 2, 3))),
      largest.set(f32x4.splat(most.get)),
      scale.set(f32x4.splat(steps.get)),
      mostLevel.set(i32x4.ofFloats(scale.get)),
      frame.count(length.get, SIXTEEN, (index) => [
        ...x0.set(counters.get),
        ...threefry(x0, x1, keys),
        ...GROUPS.flatMap((group) => codesOf(group, index)),
        ...v128.store(i32.add(codes.get, index), packedBytes(made)),
        ...counters.set(i32x4.add(counters.get, i32x4.constant(4, 4, 4, 4))),
      ]),
    ];
  },
);

/** `(codes, mean, length, most, steps, members)`: mean ← mean + q / members, q = ±⌊code / 2⌋ / steps · most, in float32. */
export const addRounded: WasmFunction = assemble(
  "addRounded",
  { codes: "i32", mean: "i32", length: "i32", most: "f32", steps: "f32", members: "f32" },
  undefined,
  (frame) => {
    const { codes, mean, length, most, steps, members } = frame.arguments;
    const vector = (): Local => frame.local("v128");
    const [largest, highest, counts, bytes, shorts, four] = [
      vector(),
      vector(),
      vector(),
      vector(),
      vector(),
      vector(),
    ];
    const restored = (): Value => {
      const levels = f32x4.ofIntegers(i32x4.shiftRightUnsigned(four.get, i32.constant(1)));
      const sign = i32x4.shiftLeft(four.get, i32.constant(31));
      return v128.or(f32x4.multiply(f32x4.divide(levels, highest.get), largest.get), sign);
    };
    const addFour = (address: Value): Code =>
      v128.store(address, f32x4.add(v128.load(address), f32x4.divide(restored(), counts.get)));
    return [
      largest.set(f32x4.splat(most.get)),
      highest.set(f32x4.splat(steps.get)),
      counts.set(f32x4.splat(members.get)),
      frame.count(length.get, SIXTEEN, (index) => [
        ...bytes.set(v128.load(i32.add(codes.get, index))),
        ...GROUPS.flatMap((group) => [
          ...shorts.set(group < 2 ? i32x4.lowShorts(bytes.get) : i32x4.highShorts(bytes.get)),
          ...four.set(
            group % 2 === 0 ? i32x4.extendLowUnsigned(shorts.get) : i32x4.extendHighUnsigned(shorts.get),
          ),
          ...addFour(i32.add(mean.get, floats(i32.add(index, i32.constant(4 * group))))),
        ]),
      ]),
    ];
  },
);
