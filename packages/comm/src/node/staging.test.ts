import { expect, test } from "vitest";
import { plainArithmetic } from "../arithmetic.ts";
import { type Elements, Staging } from "./staging.ts";

/** Scratch lies where the vector does that it is for, as kernels want it. */
const arithmetic = {
  ...plainArithmetic,
  scratch: (_: number, length: number, { buffer }: Float32Array) =>
    new Float32Array(
      buffer instanceof SharedArrayBuffer ? new SharedArrayBuffer(4 * length) : new ArrayBuffer(4 * length),
    ),
};
const shared = new Float32Array(new SharedArrayBuffer(40));

test.each<readonly [string, Elements]>([
  ["nothing, as a barrier's", new Float32Array(0)],
  ["a plain vector", new Float32Array(5)],
  ["encoded bytes", new Uint8Array(7)],
])("a cell for a vector in shared memory is in shared memory after one for %s", (_, before) => {
  const staging = new Staging(arithmetic);
  const first = staging.take(before);
  expect(first.elements).toHaveLength(before.length);
  expect(first.elements.constructor).toBe(before.constructor);
  first.release();
  expect(staging.take(shared).elements.buffer).toBeInstanceOf(SharedArrayBuffer);
});

test("a cell that is given back is used again", () => {
  const staging = new Staging(arithmetic);
  const cells = [staging.take(shared), staging.take(shared)];
  const [a, b] = cells.map(({ elements }) => elements.buffer);
  expect(a).not.toBe(b);
  for (const cell of cells) cell.release();
  expect([a, b]).toContain(staging.take(shared.subarray(2)).elements.buffer);
});
