import { layoutOf } from "@atoll/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import { replicaLayout, replicaOver } from "./replica.ts";

const layout = (size: number) => layoutOf(size === 0 ? {} : { x: { shape: [size] } });

test("the vectors of a replica lie in its block without overlap, each at a cache line", () => {
  const slots = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 3 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(40), slots, (parameters, buffers, names) => {
      const shape = replicaLayout(layout(parameters), layout(buffers), names);
      const replica = replicaOver(shape, new Float32Array(shape.length));
      const vectors = [replica.parameters, replica.gradients, ...Object.values(replica.slots)];
      expect(Object.keys(replica.slots).sort()).toEqual([...names].sort());
      for (const [i, vector] of [...vectors, replica.buffers].entries()) {
        expect(vector.byteOffset % 64).toBe(0);
        expect(vector.length).toBe(i === vectors.length ? buffers : parameters);
        vector.fill(i + 1);
      }
      for (const [i, vector] of [...vectors, replica.buffers].entries())
        expect(vector.every((value) => value === i + 1)).toBe(true);
    }),
  );
});
