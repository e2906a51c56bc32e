import { DType as JaxDType, lax, numpy as np } from "@jax-js/jax";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keep, type Tensor } from "../borrow.ts";
import type { DType } from "../host.ts";
import * as ops from "../ops.ts";
import {
  booleans,
  borrowing,
  expectSame,
  expectSameGradient,
  integers,
  normal,
  positive,
  seeds,
  shapes,
} from "../test/backends.ts";

const unary: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  negate: ops.negate,
  exp: ops.exp,
  log: ops.log,
  sqrt: ops.sqrt,
  square: ops.square,
  tanh: ops.tanh,
  erf: ops.erf,
  erfc: ops.erfc,
  relu: ops.relu,
  reciprocal: borrowing(np.reciprocal),
  floor: borrowing(np.floor),
  ceil: borrowing(np.ceil),
  sin: borrowing(np.sin),
  cos: borrowing(np.cos),
  atan: borrowing(np.atan),
  asin: (x) => borrowing(np.asin)(ops.multiply(x, 0.4)),
};

const binary: Readonly<Record<string, (x: Tensor, y: Tensor) => Tensor>> = {
  add: ops.add,
  subtract: ops.subtract,
  multiply: ops.multiply,
  divide: ops.divide,
  minimum: ops.minimum,
  maximum: ops.maximum,
};

/** A pair of shapes that broadcast: each keeps, shrinks to 1 or drops axes of a common one. */
const broadcastable: fc.Arbitrary<[number[], number[]]> = shapes(1, 4).chain((shape) => {
  const partial = fc
    .tuple(
      fc.integer({ min: 0, max: shape.length }),
      fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
    )
    .map(([drop, ones]) => shape.map((size, d) => (ones[d] ? 1 : size)).slice(drop));
  return fc.oneof(fc.tuple(fc.constant(shape), partial), fc.tuple(partial, fc.constant(shape)));
});

describe("functions of one float", () => {
  test.each(Object.keys(unary))("%s", async (name) => {
    await fc.assert(
      fc.asyncProperty(shapes(), seeds, async (shape, seed) => {
        const f = ({ x }: { readonly [name: string]: Tensor }): Tensor => unary[name]!(x!);
        await expectSameGradient(f, { x: positive(shape, seed) }, shape, { absolute: 2e-5 });
      }),
      { numRuns: 8 },
    );
  });
  test("relu of negative numbers", () =>
    expectSameGradient(({ x }) => ops.relu(x!), { x: normal([3, 5]) }, [3, 5]));
});

describe("functions of two floats broadcast", () => {
  test.each(Object.keys(binary))("%s", async (name) => {
    await fc.assert(
      fc.asyncProperty(broadcastable, seeds, async ([left, right], seed) => {
        const args = { x: positive(left, seed), y: positive(right, seed + 1) };
        await expectSame(({ x, y }) => binary[name]!(x, y), args);
      }),
      { numRuns: 15 },
    );
  });

  test("factors, sums and differences of scaled operands", async () => {
    const factor = fc.constantFrom(-2, -1, 0, 0.5, 1, 3);
    await fc.assert(
      fc.asyncProperty(broadcastable, factor, factor, factor, seeds, async ([l, r], a, b, c, seed) => {
        const f = ({ x, y }: { x: Tensor; y: Tensor }): unknown => {
          const [u, v] = [ops.multiply(x, a), ops.multiply(b, y)];
          return {
            sum: ops.add(u, v),
            difference: ops.subtract(u, v),
            product: ops.multiply(u, v),
            shifted: ops.subtract(c, u),
            back: ops.multiply(ops.subtract(ops.add(u, c), v), c),
          };
        };
        await expectSame(f, { x: normal(l, seed), y: normal(r, seed + 1) });
      }),
      { numRuns: 25 },
    );
  });
});

describe("integers and booleans", () => {
  test("int32 arithmetic", async () => {
    await fc.assert(
      fc.asyncProperty(broadcastable, seeds, async ([l, r], seed) => {
        const f = ({ x, y }: { x: Tensor; y: Tensor }): unknown => ({
          sum: ops.add(x, y),
          difference: ops.subtract(x, y),
          product: ops.multiply(x, y),
          negated: ops.negate(x),
          smaller: ops.minimum(x, y),
          larger: ops.maximum(x, y),
          quotient: borrowing(np.floorDivide)(x, ops.add(y, 1)),
          remainder: borrowing(np.remainder)(x, ops.add(y, 1)),
        });
        await expectSame(f, { x: integers(l, 50, seed), y: integers(r, 7, seed + 1) });
      }),
      { numRuns: 15 },
    );
  });

  test("bits of uint32", async () => {
    const x = { shape: [4], data: Uint32Array.of(0, 1, 0x80000001, 0xffffffff) };
    const y = { shape: [4], data: Uint32Array.of(5, 31, 3, 0x0f0f0f0f) };
    const f = (args: { x: Tensor; y: Tensor }): unknown => ({
      and: borrowing(np.bitwiseAnd)(args.x, args.y),
      or: borrowing(np.bitwiseOr)(args.x, args.y),
      xor: borrowing(np.bitwiseXor)(args.x, args.y),
      wrapped: ops.add(args.x, args.y),
      product: ops.multiply(args.x, args.y),
      selected: ops.where(ops.less(args.x, args.y), args.x, args.y),
      flags: ops.where(ops.less(args.x, args.y), ops.equal(args.x, 1), ops.equal(args.y, 5)),
      sum: ops.sum(args.x),
      largest: ops.max(args.x),
      half: ops.upperHalf(args.x),
      low: ops.lowerHalf(args.x),
    });
    await expectSame(f, { x, y });
  });

  test("signed shifts", () =>
    expectSame(
      ({ x, by }) => ({ left: borrowing(np.leftShift)(x, by), right: borrowing(np.rightShift)(x, by) }),
      {
        x: { shape: [4], data: Int32Array.of(-7, 7, -1, -(2 ** 30)) },
        by: { shape: [4], data: Int32Array.of(1, 2, 31, 5) },
      },
    ));

  test("comparisons and selection", async () => {
    await fc.assert(
      fc.asyncProperty(broadcastable, seeds, async ([l, r], seed) => {
        const f = ({ x, y, c }: { x: Tensor; y: Tensor; c: Tensor }): unknown => ({
          less: ops.less(x, y),
          lessEqual: ops.lessEqual(x, y),
          equal: ops.equal(x, y),
          notEqual: ops.notEqual(x, y),
          greater: ops.greater(x, 2),
          select: ops.where(c, x, y),
          zeroed: ops.where(c, ops.cast(x, "float32"), 0),
          flag: ops.where(c, 2.5, 0),
          offFlag: ops.where(c, 0, 2.5),
          masked: ops.where(c, ops.cast(x, "float32"), Number.NEGATIVE_INFINITY),
          both: ops.where(ops.less(x, y), x, ops.multiply(y, 2)),
        });
        await expectSame(f, { x: integers(l, 4, seed), y: integers(r, 4, seed + 1), c: booleans(l, seed) });
      }),
      { numRuns: 15 },
    );
  });

  test("a selected zero hides infinities and NaN", async () => {
    const x = { shape: [4], data: Float32Array.of(1, Infinity, NaN, -1) };
    await expectSame(({ x: v }) => ops.where(ops.less(v, 10), v, 0), { x });
  });

  test("casts", async () => {
    const types: readonly DType[] = ["float32", "int32", "uint32", "bool"];
    const inputs = { x: integers([7], 3, 1), b: booleans([7]), f: positive([7]) };
    const f = (args: Readonly<Record<string, Tensor>>): unknown =>
      Object.fromEntries(
        types.map((dtype) => [dtype, Object.values(args).map((arg) => ops.cast(arg, dtype))]),
      );
    await expectSame(f, inputs);
  });

  test("numbers that are known at compile time", async () => {
    const f = ({ x }: { x: Tensor }): unknown => {
      const two = ops.broadcastTo(2, x.shape);
      return {
        exp: ops.exp(two),
        add: ops.add(two, 3),
        inverse: ops.divide(1, two),
        compared: ops.less(two, 3),
        sum: ops.sum(two),
        selected: ops.where(ops.less(two, 3), x, 0),
      };
    };
    await expectSame(f, { x: normal([2, 3]) });
  });
});

test("an operation without a lowering is an error that names it", async () => {
  const { lower } = await import("../program.ts");
  const sorted = borrowing((x) => np.sort(x));
  expect(() => lower(({ x }: { x: Tensor }) => sorted(x), { x: normal([4]) })).toThrow(
    /primitive "sort".*wasm/,
  );
  const word = borrowing((x) => lax.bitcastConvertType(x, np.int32));
  expect(() => lower(({ x }: { x: Tensor }) => word(x), { x: normal([4]) })).toThrow(/"bitcast".*cast\(\)/);
});

test.each([true, false])(
  "where a condition is %s everywhere, branches of any rank are broadcast",
  async (condition) => {
    const shapesOf = fc.tuple(shapes(1, 3), fc.nat(3), fc.nat(3), fc.nat(3));
    await fc.assert(
      fc.asyncProperty(shapesOf, seeds, async ([shape, ...drops], seed) => {
        const [c, x, y] = drops.map((drop) => shape.slice(Math.min(drop, shape.length)));
        const f = (args: { readonly [name: string]: Tensor }): Tensor =>
          ops.where(keep(np.astype(np.full(c!, condition ? 1 : 0), JaxDType.Bool)), args.x!, args.y!);
        const result = [c!, x!, y!].toSorted((a, b) => b.length - a.length)[0]!;
        await expectSameGradient(f, { x: normal(x!, seed), y: normal(y!, seed + 1) }, result);
      }),
      { numRuns: 20 },
    );
  },
);
