import fc from "fast-check";
import { expect, test } from "vitest";
import { transcode } from "../codec.ts";
import { int8 } from "./int8.ts";

const floats = fc.float32Array({
  maxLength: 50,
  noNaN: true,
  noDefaultInfinity: true,
  min: -(2 ** 99),
  max: 2 ** 99,
});
const blocks = fc.integer({ min: 1, max: 20 });

test("an element is off by half a step of its block at most, and the block's largest one by rounding only", () => {
  fc.assert(
    fc.property(floats, blocks, (x, blockSize) => {
      const decoded = transcode(int8({ blockSize }), x);
      for (let start = 0; start < x.length; start += blockSize) {
        const block = x.subarray(start, start + blockSize);
        const most = block.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
        for (const [i, value] of block.entries()) {
          const error = Math.abs(decoded[start + i]! - value);
          // Below the smallest normal float the scale itself is coarse.
          expect(error).toBeLessThanOrEqual((most / 254) * (1 + 1e-5) + 127 * 2 ** -149);
          if (Math.abs(value) === most) expect(error).toBeLessThanOrEqual(most * 2e-7 + 127 * 2 ** -149);
        }
      }
    }),
  );
});

test("one byte an element and four a block", () => {
  expect([0, 1, 256, 257].map((length) => int8().bytes(length))).toEqual([0, 5, 260, 265]);
  expect(int8({ blockSize: 3 }).encode(Float32Array.of(1, 2, 3, 4)).length).toBe(4 + 8);
});

test("integers come back as they are where the block's largest is 127, zeros everywhere", () => {
  expect(transcode(int8(), Float32Array.of(127, -3, 0, 64))).toEqual(Float32Array.of(127, -3, 0, 64));
  expect(transcode(int8(), new Float32Array(5))).toEqual(new Float32Array(5));
});

test("what is no finite number spoils its block and no other", () => {
  const x = Float32Array.of(1, Number.NaN, 2, 3, Number.NEGATIVE_INFINITY, 1, 127, 5);
  expect([...transcode(int8({ blockSize: 2 }), x)].map(Number.isNaN)).toEqual([
    ...[true, true, false, false, true, true, false, false],
  ]);
});

test("a block size that is none is refused", () => {
  expect(() => int8({ blockSize: 0.5 })).toThrow(/expected a blockSize .* got 0.5/);
});
