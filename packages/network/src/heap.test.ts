import fc from "fast-check";
import { expect, test } from "vitest";
import { MinHeap, NumberHeap } from "./heap.ts";

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

test("numbers come out by their last keys, unless they were taken out before", () => {
  const key = fc.oneof(fc.constantFrom("pop", "remove", "clear"), fc.nat(50), fc.nat(50), fc.nat(50));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), key), { size: "medium" }), (steps) => {
      const heap = new NumberHeap();
      const keys = new Map<number, number>();
      const pop = (): void => {
        const least = Math.min(...keys.values());
        expect(heap.least).toBe(least);
        if (keys.size === 0) return;
        const number = heap.pop();
        expect(keys.get(number)).toBe(least);
        keys.delete(number);
      };
      for (const [number, key] of steps) {
        if (key === "pop") pop();
        else if (key === "remove") {
          heap.remove(number);
          keys.delete(number);
        } else if (key === "clear" && keys.size > 15) {
          heap.clear();
          keys.clear();
        } else if (typeof key === "number") {
          heap.set(number, key);
          keys.set(number, key);
        }
        expect(heap.has(number)).toBe(keys.has(number));
        expect(heap.first === undefined).toBe(keys.size === 0);
      }
      while (keys.size > 0) pop();
      pop();
    }),
  );
});
