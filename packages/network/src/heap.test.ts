import fc from "fast-check";
import { expect, test } from "vitest";
import { MinHeap } from "./heap.ts";

test("elements come out in order, whether they were there at first or pushed later", () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.array(fc.integer()), (first, later) => {
      const heap = new MinHeap<number>((a, b) => a < b, [...first]);
      for (const item of later) heap.push(item);
      const out: number[] = [];
      for (let item = heap.pop(); item !== undefined; item = heap.pop()) out.push(item);
      expect(out).toEqual([...first, ...later].sort((a, b) => a - b));
    }),
  );
});
