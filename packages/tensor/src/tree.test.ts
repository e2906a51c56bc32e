import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { flattenTree, leafAt, mapTree, type Tree, unflattenTree } from "./tree.ts";

const name = fc.stringMatching(/^[a-z]{1,3}$/);
const { tree } = fc.letrec<{ tree: Tree<number> }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    fc.integer(),
    fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
    fc.dictionary(name, tie("tree"), { minKeys: 1, maxKeys: 3, noNullPrototype: true }),
  ),
}));

test("a tree is the same after taking it apart and putting it together, in the same order", () => {
  fc.assert(
    fc.property(tree, (original) => {
      const entries = flattenTree(original);
      const again = unflattenTree(entries);
      expect(again).toEqual(original);
      expect(flattenTree(again)).toEqual(entries);
      for (const { path, leaf } of entries) expect(leafAt(original, path)).toBe(leaf);
    }),
  );
});

test("mapping keeps structure and order", () => {
  fc.assert(
    fc.property(tree, (original) => {
      const visited: string[] = [];
      const mapped = mapTree(original, (leaf, path) => {
        visited.push(path);
        return -leaf;
      });
      expect(visited).toEqual(flattenTree(original).map(({ path }) => path));
      expect(mapTree(mapped, (leaf) => -leaf)).toEqual(original);
    }),
  );
});

test("paths name branches by name and by number; what has a shape is a leaf", () => {
  const weight = { shape: [2], data: new Float32Array(2) };
  const parameters = { blocks: [{ weight }, { weight }], empty: {}, bias: weight };
  expect(flattenTree<typeof weight>(parameters).map(({ path }) => path)).toEqual([
    "blocks.0.weight",
    "blocks.1.weight",
    "bias",
  ]);
});

test("ambiguous names and paths are refused", () => {
  expect(() => flattenTree({ "a.b": 1 })).toThrow(ConfigError);
  const at = (...paths: string[]) => paths.map((path) => ({ path, leaf: 1 }));
  expect(() => unflattenTree(at("a", "a.b"))).toThrow(ConfigError);
  expect(() => unflattenTree(at("a", "a"))).toThrow(ConfigError);
});
