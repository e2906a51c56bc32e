import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { wasm } from "./backends/wasm.ts";
import type { Tensor } from "./borrow.ts";
import { grad } from "./gradient.ts";
import { elementCount, type HostTensor } from "./host.ts";
import { multiply, square, sum } from "./ops.ts";
import { normal, shapes } from "./test/backends.ts";
import { flattenTree, type Tree } from "./tree.ts";
import { layoutOf, pack, packTraced, unpack, viewsOf } from "./vector.ts";

const trees = fc
  .array(shapes(0, 3), { minLength: 1, maxLength: 5 })
  .map((list): Tree<HostTensor> => ({ layers: list.map((shape, seed) => ({ w: normal(shape, seed) })) }));

test("a layout has no gaps, and matrices fill its front", () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const { entries, size, matrixSize } = layoutOf(tree);
      let end = 0;
      for (const { shape, offset, size: length } of entries) {
        expect(offset).toBe(end);
        expect(length).toBe(elementCount(shape));
        expect(offset < matrixSize).toBe(shape.length >= 2);
        end += length;
      }
      expect(end).toBe(size);
    }),
  );
});

test("packing and viewing are inverse, and views are views", () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const layout = layoutOf(tree);
      const vector = pack(tree, layout);
      const views = viewsOf(vector, layout);
      expect(views).toEqual(tree);
      flattenTree<HostTensor>(views)[0]!.leaf.data[0] = 42;
      expect(vector).toContain(42);
    }),
  );
});

test("traced packing agrees with packing on the host, and so does its gradient", async () => {
  const tree = { a: { w: normal([2, 3], 1), b: normal([3], 2) }, c: [normal([], 3), normal([1, 2], 4)] };
  const layout = layoutOf(tree);
  const vector = { shape: [layout.size], data: pack(tree, layout) };
  await using packed = await wasm.compile<typeof tree, HostTensor>(
    (args: Tree<Tensor>) => packTraced(args, layout),
    tree,
  );
  expect((await packed.run(tree)).data).toEqual(vector.data);
  await using unpacked = await wasm.compile<HostTensor, Tree<HostTensor>>(
    (args: Tensor) => unpack(args, layout),
    vector,
  );
  expect(await unpacked.run(vector)).toEqual(tree);
  await using gradient = await wasm.compile<HostTensor, HostTensor>(
    (args: Tensor) =>
      grad((v: Tensor) => {
        const { a } = unpack(v, layout) as { a: { w: Tensor; b: Tensor } };
        return multiply(sum(square(a.w)), 0.5);
      })(args),
    vector,
  );
  const { data } = await gradient.run(vector);
  const inside = layout.entries.find(({ path }) => path === "a.w")!;
  const expected = vector.data.map((x, i) => (i >= inside.offset && i < inside.offset + inside.size ? x : 0));
  expect(data).toEqual(expected);
});

test("what has no parameters packs into nothing", () => {
  const layout = layoutOf({});
  expect(layout).toEqual({ entries: [], size: 0, matrixSize: 0 });
  expect(pack({}, layout)).toHaveLength(0);
  expect(viewsOf(new Float32Array(0), layout)).toEqual({});
});

test("a tensor of another type or size is refused by its path", () => {
  const layout = layoutOf({ a: { w: { shape: [2] } } });
  expect(() => pack({ a: { w: normal([3]) } }, layout)).toThrow(ConfigError);
  expect(() => pack({ a: { w: { shape: [2], data: new Int32Array(2) } } }, layout)).toThrow(/a\.w/);
});
