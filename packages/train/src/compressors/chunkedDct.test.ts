// The cosine transform of vectors and of chunks: its definition, its inverse, and the same bits wherever vectors lie.

import { createHeap, layoutOf } from "@atoll/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dot, normals } from "../test/vectors.ts";
import { type ChunkedDct, chunkedDct, type OfChunk } from "./chunkedDct.ts";
import { cosineTransform } from "./dct.ts";
import { largestDivisor } from "./tiles.ts";
import { bitsOf } from "./topK.ts";

describe("cosine transform", () => {
  const lengths = fc.integer({ min: 1, max: 130 });

  test("is the sum of its definition", () => {
    fc.assert(
      fc.property(lengths, fc.nat(99), (length, seed) => {
        const x = normals(length, seed);
        const data = Float64Array.from(x);
        cosineTransform(length).forward(data, 0);
        for (let k = 0; k < length; k++) {
          const scale = Math.sqrt((k === 0 ? 1 : 2) / length);
          const basis = Float64Array.from(x, (_, n) => Math.cos((Math.PI * (2 * n + 1) * k) / (2 * length)));
          expect(data[k]).toBeCloseTo(scale * dot(basis, x), 9);
        }
      }),
    );
  });

  test("keeps the length of vectors (Parseval), and its inverse undoes it", () => {
    fc.assert(
      fc.property(lengths, fc.nat(99), (length, seed) => {
        const x = normals(length, seed);
        const data = new Float64Array(length + 2).fill(5);
        data.set(x, 1);
        const transform = cosineTransform(length);
        transform.forward(data, 1);
        const coefficients = data.slice(1, -1);
        expect(dot(coefficients, coefficients)).toBeCloseTo(dot(x, x), 8);
        transform.inverse(data, 1);
        for (const [i, value] of x.entries()) expect(data[i + 1]).toBeCloseTo(value, 10);
        expect([data[0], data.at(-1)], "outside").toEqual([5, 5]);
      }),
    );
  });

  test("of a model: every element in one chunk, Parseval chunk by chunk, undone by its inverse", () => {
    const tensor = (...shape: number[]) => ({ shape });
    const layout = layoutOf({
      a: tensor(12, 10),
      b: tensor(7),
      c: tensor(4, 3, 2, 2),
      d: tensor(130),
      e: tensor(),
    });
    const dct = chunkedDct(layout, 8);
    expect(dct.chunks.at(-1)!.end).toBe(layout.size);
    for (const [i, { start }] of dct.chunks.entries()) expect(start).toBe(dct.chunks[i - 1]?.end ?? 0);
    const x = normals(layout.size, 1);
    const scratch = new Float32Array(dct.scratch);
    const coefficients = transformed(dct, x, scratch);
    expect(dot(coefficients, coefficients)).toBeCloseTo(dot(x, x), 3);
    const back = new Float32Array(layout.size);
    dct.inverse(back, scratch, chunksOf(dct, coefficients));
    for (const [i, value] of x.entries()) expect(back[i]).toBeCloseTo(value, 5);
    // A constant tensor has one coefficient in each of its chunks.
    const constant = transformed(dct, new Float32Array(layout.size).fill(1), scratch);
    for (const { start, end } of dct.chunks) {
      expect(constant[start]).toBeCloseTo(Math.sqrt(end - start), 4);
      for (let i = start + 1; i < end; i++) expect(constant[i]).toBeCloseTo(0, 5);
    }
  });

  test("added to others in one go, coefficients give what they give one after the other, in any memory", () => {
    const side = fc.constantFrom(1, 3, 4, 8, 12, 20, 56, 64);
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 7 }), fc.nat(99), (rows, columns, marked, seed) => {
        const layout = layoutOf({ a: { shape: [2 * rows, 3 * columns] } });
        const dct = chunkedDct(layout, 64);
        const [from, before] = [normals(layout.size, seed), normals(layout.size, seed + 1)];
        const heap = createHeap();
        const inHeap = (length: number): Float32Array => heap.alloc(length);
        const inPlain = (length: number): Float32Array => new Float32Array(length);
        const [shared, plain, mixed] = [
          [inHeap, inHeap],
          [inPlain, inPlain],
          [inHeap, inPlain],
        ].map(([place, placeOfSum]) => {
          const [x, scratch] = [place!(layout.size), preparedFor(dct, place!(dct.scratch))];
          const sum = placeOfSum!(layout.size);
          const marks = Array.from({ length: marked }, () => placeOfSum!(dct.marks));
          x.set(from);
          sum.set(before);
          const found: number[] = [];
          const into = { sum, marks, decay: 0.9, factor: 0.3 };
          dct.forwardAndAdd(x, scratch, into, {
            threshold: () => bitsOf(Float32Array.of(1))[0]!,
            use(chunk) {
              const { start, end } = dct.chunks[chunk]!;
              const { buffer, byteOffset, byteLength } = marks[chunk % marked]!;
              const bytes = new Uint8Array(buffer, byteOffset, byteLength);
              for (let i = 0; i < end - start; i++)
                if ((bytes[i >> 2]! >> (i & 3)) & 1) found.push(start + i);
            },
          });
          return { sum: [...sum], found };
        });
        expect(plain).toEqual(shared);
        expect(mixed).toEqual(shared);
        for (const [i, coefficient] of transformed(dct, Float32Array.from(from)).entries()) {
          const added = 0.9 * before[i]! + 0.3 * coefficient;
          expect(Math.abs(shared!.sum[i]! - added)).toBeLessThan(1e-5 * (1 + Math.abs(added)));
        }
        const reaching = shared!.sum.flatMap((value, i) => (Math.abs(value) >= 1 ? [i] : []));
        expect(shared!.found).toEqual(reaching);
      }),
      { numRuns: 40 },
    );
  });

  test("of chunks of all sides it is the definition's to float32, by rows and by columns", () => {
    const side = fc.constantFrom(1, 2, 3, 5, 7, 8, 10, 12, 15, 16, 17, 24, 30, 40, 56, 60, 64, 104);
    fc.assert(
      fc.property(side, side, fc.nat(99), (rows, columns, seed) => {
        const layout = layoutOf({ a: { shape: [rows, columns] } });
        const dct = chunkedDct(layout, 256);
        const x = normals(layout.size, seed);
        const [along, across] = [cosineTransform(columns), cosineTransform(rows)];
        const block = Float64Array.from(x);
        for (let r = 0; r < rows; r++) along.forward(block, r * columns);
        for (let c = 0; c < columns; c++) {
          const column = Float64Array.from({ length: rows }, (_, r) => block[r * columns + c]!);
          across.forward(column, 0);
          for (let r = 0; r < rows; r++) block[r * columns + c] = column[r]!;
        }
        const coefficients = transformed(dct, x); // [columns, rows]
        for (let r = 0; r < rows; r++)
          for (let c = 0; c < columns; c++)
            expect(Math.abs(coefficients[c * rows + r]! - block[r * columns + c]!)).toBeLessThan(1e-4);
        const back = new Float32Array(layout.size);
        dct.inverse(back, new Float32Array(dct.scratch), chunksOf(dct, coefficients));
        for (const [i, value] of x.entries()) expect(Math.abs(back[i]! - value)).toBeLessThan(1e-4);
      }),
      { numRuns: 40 },
    );
  });

  test("has the same bits in shared memory as in plain arrays, and band by band, off a vector's beginning", () => {
    const wide = { h: [8, 128], i: [8, 192] }; // in tiles of the same sides, whose rows lie differently far apart
    const shapes = {
      ...{ a: [112, 24], b: [16, 7], c: [40], d: [8, 8], e: [60, 61], f: [8, 8], g: [64, 10] },
      ...wide,
    };
    const layout = layoutOf(
      Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape }])),
    );
    const dct = chunkedDct(layout, 64);
    const heap = createHeap();
    const [x, back] = [0, 1].map(() => heap.alloc(layout.size + 3).subarray(3));
    const scratch = preparedFor(dct, heap.alloc(dct.scratch));
    x!.set(normals(layout.size, 2));
    const coefficients = transformed(dct, x!);
    expect(transformed(dct, x!, scratch)).toEqual(coefficients);
    const undone = new Float32Array(layout.size);
    dct.inverse(undone, new Float32Array(dct.scratch), chunksOf(dct, coefficients));
    for (const [i, value] of x!.entries()) expect(undone[i]).toBeCloseTo(value, 4);
    for (const band of dct.bands) {
      dct.inverse(back!, scratch, chunksOf(dct, coefficients), { bands: [band] });
      expect(back!.subarray(0, band.end)).toEqual(undone.subarray(0, band.end));
      expect(back!.subarray(band.end).every((value) => value === 0)).toBe(true);
    }
    expect(dct.bands.length).toBeGreaterThan(3);
  });

  test("its inverse leaves what lies outside its bands to other threads, wherever vectors lie", () => {
    const layout = layoutOf({ a: { shape: [24, 8] }, b: { shape: [10] } });
    const dct = chunkedDct(layout, 8);
    const [heap, other] = [createHeap(), createHeap()];
    const plain = (length: number): Float32Array => new Float32Array(length);
    for (const [x, scratch] of [
      [heap.alloc(layout.size), preparedFor(dct, heap.alloc(dct.scratch))],
      [heap.alloc(layout.size), preparedFor(dct, other.alloc(dct.scratch))],
      [plain(layout.size), plain(dct.scratch)],
    ] as const) {
      const whole = plain(layout.size);
      const ones = (_: number, coefficients: Float32Array): void => void coefficients.fill(1);
      dct.inverse(whole, plain(dct.scratch), ones);
      for (const [i, band] of dct.bands.entries()) {
        x.fill(0);
        const meanwhile: OfChunk = (chunk, coefficients) => {
          ones(chunk, coefficients);
          x.fill(7, 0, band.start).fill(7, band.end); // as other threads would
        };
        dct.inverse(x, scratch, meanwhile, { bands: [band] });
        const expected = whole.map((value, at) => (at >= band.start && at < band.end ? value : 7));
        expect([...x], `band ${i}`).toEqual([...expected]);
      }
    }
  });

  test("its inverse gives signs where these are asked for: of zeros, and of what is not a number, too", () => {
    const side = fc.constantFrom(1, 3, 4, 7, 8, 12, 61, 64);
    fc.assert(
      fc.property(side, side, fc.nat(99), (rows, columns, seed) => {
        const layout = layoutOf({ a: { shape: [2 * rows, columns] }, b: { shape: [8, 8] } });
        const dct = chunkedDct(layout, 64);
        const coefficients = transformed(dct, normals(layout.size, seed));
        const { end } = dct.bands[0]!;
        coefficients.fill(0, 0, end);
        coefficients[layout.size - 1] = Number.NaN;
        const heap = createHeap();
        const places = [(length: number) => heap.alloc(length), (length: number) => new Float32Array(length)];
        for (const place of places) {
          const [values, signs] = [place(layout.size), place(layout.size)];
          const scratch = preparedFor(dct, place(dct.scratch));
          dct.inverse(values, scratch, chunksOf(dct, coefficients));
          dct.inverse(signs, scratch, chunksOf(dct, coefficients), { signs: true });
          expect([...signs]).toEqual([...values].map((value) => Math.sign(value) + 0));
          expect(signs.subarray(0, end).every((sign) => Object.is(sign, 0))).toBe(true);
          expect(signs.subarray(-64).every(Number.isNaN)).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("a side is the largest divisor up to the limit", () => {
    expect([784, 10, 67, 128, 1].map((length) => largestDivisor(length, 64))).toEqual([56, 10, 1, 64, 1]);
  });
});

function preparedFor({ prepare }: ChunkedDct, scratch: Float32Array): Float32Array {
  prepare(scratch);
  return scratch;
}

/** All coefficients of a vector, chunk after chunk. */
function transformed(
  dct: ChunkedDct,
  x: Float32Array,
  scratch: Float32Array = new Float32Array(dct.scratch),
): Float32Array {
  const coefficients = new Float32Array(x.length);
  dct.forward(x, scratch, (chunk, of) => coefficients.set(of, dct.chunks[chunk]!.start));
  return coefficients;
}

/** Hands out the coefficients of each chunk. */
const chunksOf =
  ({ chunks }: ChunkedDct, coefficients: Float32Array): OfChunk =>
  (chunk, of) => {
    const { start, end } = chunks[chunk]!;
    of.set(coefficients.subarray(start, end));
  };
