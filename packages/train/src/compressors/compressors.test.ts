// Compressors: what each promises of every vector (fast-check prints the seed of one that it fails on).

import { type Codec, transcode } from "@atoll/comm";
import { createRandom } from "@atoll/core";
import { expand, project, projectBack } from "@atoll/tensor/vectors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dot, normals } from "../test/vectors.ts";
import { packBits, packedBytes, unpackBits } from "./bits.ts";
import { e3m0 } from "./e3m0.ts";
import { float32 } from "./float32.ts";
import { orthogonalise } from "./lowRank.ts";
import { stochastic } from "./qsgd.ts";
import { sign } from "./sign.ts";
import { bitsOf, createTopK } from "./topK.ts";
import { twoBit } from "./twoBit.ts";
import { fromWords, toWords, wireBytes } from "./wire.ts";

const floats = fc.float32Array({ minLength: 1, maxLength: 80, noNaN: true, min: -1e6, max: 1e6 });

describe("top k", () => {
  test("takes the largest magnitudes, the first of equal ones, in order of place", () => {
    const values = fc.float32Array({ minLength: 1, maxLength: 80 });
    const repeated = fc.array(fc.constantFrom(0, -0, 1, -1, 1.5, 2), { minLength: 1, maxLength: 60 });
    const vectors = fc.oneof(
      values,
      repeated.map((x) => Float32Array.from(x)),
    );
    fc.assert(
      fc.property(vectors, fc.nat(), (x, draw) => {
        const start = draw % x.length;
        const k = draw % (x.length - start + 1);
        const out = new Uint32Array(k + 1).fill(7777);
        createTopK(x.length)(bitsOf(x), { start, end: x.length, k }, out, 1);
        const size = (i: number): number => (Number.isNaN(x[i]) ? Number.POSITIVE_INFINITY : Math.abs(x[i]!));
        const nans = [...x.keys()].filter((i) => i >= start && Number.isNaN(x[i])).length;
        fc.pre(nans === 0 || !x.some((value) => Math.abs(value) === Number.POSITIVE_INFINITY));
        const expected = [...x.keys()]
          .filter((i) => i >= start)
          .sort((a, b) => size(b) - size(a) || a - b)
          .slice(0, k)
          .sort((a, b) => a - b);
        expect([...out]).toEqual([7777, ...expected]);
      }),
      { numRuns: 500 },
    );
  });
});

describe("bits", () => {
  test("come back as they were, in as many bytes as they take", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.array(fc.nat(), { maxLength: 70 }), (width, values) => {
        const codes = Uint32Array.from(values, (value) => value % 2 ** width);
        const packed = new Uint8Array(packedBytes(codes.length, width));
        packBits(codes, width, packed);
        const unpacked = new Uint32Array(codes.length);
        unpackBits(packed, width, unpacked);
        expect(unpacked).toEqual(codes);
        expect(packed.length).toBe(Math.ceil((codes.length * width) / 8));
      }),
    );
  });

  test("bytes travel as words, whatever floats they look like", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const words = toWords(bytes);
        expect(words.byteLength).toBe(wireBytes(bytes.length));
        expect(fromWords(words.slice(), bytes.length)).toEqual(bytes);
      }),
    );
  });
});

const codecs: readonly (readonly [
  string,
  (blockSize: number) => Codec,
  (n: number, blocks: number) => number,
])[] = [
  ["sign", (blockSize) => sign({ blockSize }), (n, blocks) => Math.ceil(n / 8) + 4 * blocks],
  ["twoBit", (blockSize) => twoBit({ blockSize }), (n, blocks) => Math.ceil(n / 4) + 8 * blocks],
  ["e3m0", (blockSize) => e3m0({ blockSize }), (n, blocks) => Math.ceil(n / 2) + 4 * blocks],
  [
    "qsgd",
    (blockSize) => stochastic({ levels: 16, blockSize, random: createRandom(1) }),
    (n, blocks) => Math.ceil((n * 5) / 8) + 4 * blocks,
  ],
  ["float32", () => float32, (n) => 4 * n],
];

describe.each(codecs)("codec %s", (_, create, bytes) => {
  test("takes the bytes of its formula, keeps signs and does not grow what it is given", () => {
    fc.assert(
      fc.property(floats, fc.integer({ min: 1, max: 30 }), (x, blockSize) => {
        const codec = create(blockSize);
        const before = x.slice();
        expect(codec.bytes(x.length)).toBe(bytes(x.length, Math.ceil(x.length / blockSize)));
        const decoded = transcode(codec, x);
        expect(x, "the argument").toEqual(before);
        const most = x.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
        for (const [i, value] of decoded.entries()) {
          expect(value * x[i]!).toBeGreaterThanOrEqual(0);
          expect(Math.abs(value)).toBeLessThanOrEqual(most * (1 + 1e-6));
        }
      }),
    );
  });

  test("gives zeros for zeros, and does not hide what is not a number", () => {
    expect([...transcode(create(4), new Float32Array(6))].map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
    const spoilt = transcode(create(2), Float32Array.of(1, 2, 3, Number.NaN));
    expect([...spoilt].some(Number.isNaN)).toBe(true);
  });
});

describe("codecs of few bits", () => {
  test("sign and two bits lessen the error, so error feedback converges: |x − Q(x)| < |x|", () => {
    fc.assert(
      fc.property(floats, (x) => {
        const norm = dot(x, x);
        fc.pre(norm > 1e-20);
        for (const codec of [sign(), twoBit(), e3m0()]) {
          const error = transcode(codec, x).map((value, i) => x[i]! - value);
          expect(dot(error, error)).toBeLessThan(norm * (1 + 1e-6));
        }
      }),
    );
  });

  test("E3M0 takes the nearest of its values, powers of two below the largest exactly", () => {
    const exact = [1, -0.5, 0.25, -0.125, 1 / 16, 1 / 32, -1 / 64, 0].map((value) => value * 3);
    expect([...transcode(e3m0(), Float32Array.from(exact))]).toEqual(exact);
    const values = [0, ...Array.from({ length: 7 }, (_, e) => 2 ** -e)];
    fc.assert(
      fc.property(fc.double({ min: -1, max: 1, noNaN: true }), (value) => {
        const x = Float32Array.of(1, value);
        const got = transcode(e3m0(), x)[1]!;
        const nearest = Math.min(...values.map((v) => Math.abs(v - Math.abs(x[1]!))));
        expect(Math.abs(got - x[1]!)).toBeCloseTo(nearest, 6);
      }),
    );
  });

  test("QSGD's mean over draws is the vector", () => {
    const x = normals(60, 3);
    const draws = 20_000;
    const total = new Float64Array(x.length);
    const random = createRandom(5);
    for (let draw = 0; draw < draws; draw++) {
      const codec = stochastic({ levels: 4, blockSize: 20, random: random.derive(draw) });
      for (const [i, value] of transcode(codec, x).entries()) total[i]! += value / draws;
    }
    const most = Math.max(...x.map(Math.abs));
    // One draw's standard deviation is half a step (most / 3) or less; five of the mean's are allowed.
    const tolerance = (5 * (most / 3 / 2)) / Math.sqrt(draws);
    for (const [i, value] of x.entries()) expect(Math.abs(total[i]! - value)).toBeLessThan(tolerance);
  });

  test("a number of levels that is no power of two is refused", () => {
    expect(() => stochastic({ levels: 10, random: createRandom(1) })).toThrow(/power of two .* got 10/);
  });
});

describe("low rank", () => {
  test("at full rank the product of the factors is the matrix", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        fc.nat(99),
        (rows, columns, seed) => {
          const shape = { rows, columns };
          const rank = Math.min(rows, columns);
          const m = normals(rows * columns, seed);
          const q = normals(columns * rank, seed + 1000);
          const p = new Float32Array(rows * rank);
          project(m, shape, { q, p, turned: new Float32Array(q.length) });
          orthogonalise(p, rank);
          projectBack(m, shape, p, q);
          const product = new Float32Array(m.length);
          expand(product, shape, { p, q, turned: new Float32Array(q.length) });
          for (const [i, value] of m.entries()) expect(product[i]).toBeCloseTo(value, 3);
        },
      ),
    );
  });

  test("columns end orthonormal and span what they did, also where some depend on others", () => {
    const side = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(side, side, fc.nat(8), fc.nat(), (rows, most, some, seed) => {
        const rank = Math.min(rows, most);
        const independent = Math.min(some, rank);
        const given = matrixOfRank(independent, { rows, columns: rank }, seed);
        const p = given.slice();
        orthogonalise(p, rank);
        const column = (of: Float32Array, r: number): number[] =>
          Array.from({ length: rows }, (_, i) => of[i * rank + r]!);
        const own = Array.from({ length: rank }, (_, r) => column(p, r));
        for (const [r, a] of own.entries())
          for (const [other, b] of own.entries()) expect(dot(a, b)).toBeCloseTo(r === other ? 1 : 0, 5);
        for (let r = 0; r < rank; r++) {
          const before = column(given, r);
          const rest = before.slice();
          for (const a of own) for (let i = 0; i < rows; i++) rest[i]! -= dot(before, a) * a[i]!;
          expect(Math.sqrt(dot(rest, rest))).toBeLessThan(1e-4 * (1 + Math.sqrt(dot(before, before))));
        }
      }),
    );
  });

  test("what is no number stays none", () => {
    const p = Float32Array.of(1, Number.NaN, 2, 3); // [2, 2]
    orthogonalise(p, 2);
    expect([p[1], p[3]]).toEqual([Number.NaN, Number.NaN]);
  });
});

/** The product of two random matrices that have so many columns and rows. */
function matrixOfRank(
  rank: number,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  seed: number,
): Float32Array {
  const [left, right] = [normals(rows * rank, seed), normals(rank * columns, seed + 1)];
  return Float32Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let total = 0;
    for (let k = 0; k < rank; k++) total += left[i * rank + k]! * right[k * columns + j]!;
    return total;
  });
}
