import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap } from "../memory.ts";
import { decayAndMark, marksLength, NOTHING, takingOf, takingScratch } from "./selection.ts";

/** Few values, so that many magnitudes are equal; and now and then zeros, and what is no finite number. */
const element = fc.oneof(
  { weight: 4, arbitrary: fc.float({ noNaN: true, min: -30, max: 30 }) },
  { weight: 4, arbitrary: fc.integer({ min: -4, max: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 1e-42, Number.NaN, Number.NEGATIVE_INFINITY) },
);
const chunk = fc.array(element, { minLength: 1, maxLength: 300 });
const OFFSET = 3;

const bitsOf = (x: Float32Array): Uint32Array => new Uint32Array(x.buffer, x.byteOffset, x.length);
const magnitudeBits = (value: number): number => bitsOf(Float32Array.of(value))[0]! & 0x7fffffff;

/** What scratch is followed by, which nothing may write to. */
const BEHIND = 9;

/** A chunk in the middle of a vector, in shared memory, and what is needed to mark and take its elements. */
function setting(values: readonly number[], k: number) {
  const heap = createHeap();
  const x = heap.alloc(values.length + 2 * OFFSET).fill(7);
  x.set(values, OFFSET);
  const message = heap.alloc(k + Math.ceil(k / 2));
  const room = heap.alloc(takingScratch(values.length) + 1).fill(BEHIND);
  return {
    x,
    block: { start: OFFSET, end: OFFSET + values.length },
    marks: heap.alloc(marksLength(values.length)).fill(Number.NaN),
    room,
    scratch: room.subarray(0, -1),
    zeros: heap.alloc(values.length),
    values: message.subarray(0, k),
    places: new Uint16Array(message.buffer, message.byteOffset + 4 * k, k),
  };
}

test("the largest elements are taken as by sorting, whatever is marked, and become zero", () => {
  fc.assert(
    fc.property(chunk, fc.nat(), fc.float({ min: 0, max: 40, noNaN: true }), (given, draw, threshold) => {
      const exact = Array.from(Float32Array.from(given));
      const k = 1 + (draw % exact.length);
      const { x, block, zeros, room, ...vectors } = setting(exact, k);
      const scalars = { decay: 1, factor: 1, threshold: magnitudeBits(threshold) };
      decayAndMark(x, block, zeros, { ...scalars, marks: vectors.marks });
      const next = takingOf({ x, ...vectors })!(block, k, 0, scalars.threshold);
      const expected = exact
        .map((value, place) => ({ value, place, bits: magnitudeBits(value) }))
        .sort((a, b) => b.bits - a.bits || a.place - b.place)
        .slice(0, k)
        .sort((a, b) => a.place - b.place);
      expect([...vectors.places]).toEqual(expected.map(({ place }) => place));
      expect([...vectors.values].map(Math.abs)).toEqual(expected.map(({ value }) => Math.abs(value)));
      const least = Math.min(...expected.map(({ value }) => Math.abs(value)));
      if (k === exact.length) expect(next, "all are marked from here").toBe(0);
      else if (next !== NOTHING) expect(next).toBeLessThan(magnitudeBits(least));
      const left = exact.map((value, i) => (expected.some(({ place }) => place === i) ? 0 : value));
      expect([...x.subarray(OFFSET, -OFFSET)].map(Math.abs)).toEqual(left.map(Math.abs));
      expect([...x.subarray(0, OFFSET), ...x.subarray(-OFFSET)], "outside").toEqual(
        new Array(2 * OFFSET).fill(7),
      );
      expect(room.at(-1)).toBe(BEHIND);
    }),
    { numRuns: 300 },
  );
});

test("from the second time on, about twice as many elements are marked as are taken, and never fewer", () => {
  const [length, k, rounds] = [3584, 32, 40];
  const random = createRandom(1);
  const { x, block, zeros: more, ...vectors } = setting(new Array(length).fill(0), k);
  const take = takingOf({ x, ...vectors })!;
  const marked: number[] = [];
  let threshold = NOTHING;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < length; i++) more[i] = random.normal();
    decayAndMark(x, block, more, { decay: 0, factor: 1, threshold, marks: vectors.marks });
    marked.push(x.subarray(OFFSET, -OFFSET).filter((value) => magnitudeBits(value) >= threshold).length);
    threshold = take(block, k, 0, threshold);
  }
  const settled = marked.slice(1);
  expect(Math.min(...settled)).toBeGreaterThanOrEqual(k);
  const mean = settled.reduce((sum, count) => sum + count) / settled.length;
  expect(Math.abs(mean / k - 2)).toBeLessThan(0.5);
});

test("decayed sums and their marks have the same bits in shared memory as in plain arrays", () => {
  fc.assert(
    fc.property(chunk, fc.float({ min: 0, max: 40, noNaN: true }), (values, from) => {
      const { x, block, zeros: more, marks } = setting(values, 1);
      more.set(values.toReversed());
      const scalars = { decay: 0.9, factor: 0.3, threshold: magnitudeBits(from) };
      const plain = Float32Array.from(x);
      const plainMarks = new Float32Array(marks.length);
      decayAndMark(plain, block, Float32Array.from(more), { ...scalars, marks: plainMarks });
      decayAndMark(x, block, more, { ...scalars, marks });
      expect([...x]).toEqual([...plain]);
      expect([...bitsOf(marks)]).toEqual([...bitsOf(plainMarks)]);
      const bytes = new Uint8Array(marks.buffer, marks.byteOffset, marks.byteLength);
      const marked = [...plain.subarray(OFFSET, -OFFSET)].flatMap((value, i) =>
        magnitudeBits(value) >= scalars.threshold ? [i] : [],
      );
      const found = Array.from({ length: 4 * bytes.length }, (_, i) => i).filter(
        (i) => (bytes[i >> 2]! >> (i & 3)) & 1,
      );
      expect(found).toEqual(marked);
    }),
    { numRuns: 300 },
  );
});
