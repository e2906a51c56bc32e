// Options with several values: all combinations, each once, and none where the input is bad.

import fc from "fast-check";
import { expect, test } from "vitest";
import { combinations, labelOf } from "./optionLists.ts";

test("all combinations, the last option fastest; what does not vary is not in the label", () => {
  const made = combinations(["strategy=ddp,diloco", "seed=3", "nodes=4,16"]);
  expect(made.map(labelOf)).toEqual([
    "strategy=ddp nodes=4",
    "strategy=ddp nodes=16",
    "strategy=diloco nodes=4",
    "strategy=diloco nodes=16",
  ]);
  expect(made[1]!.pairs).toEqual(["strategy=ddp", "seed=3", "nodes=16"]);
});

test("as many as the product of the numbers of values, all of them different", () => {
  const value = fc.oneof(
    fc.integer().map(String),
    fc.array(fc.integer(), { maxLength: 3 }).map((list) => JSON.stringify(list)),
    fc
      .array(fc.record({ from: fc.nat(9), note: fc.constantFrom("a,b", "[") }))
      .map((list) => JSON.stringify(list)),
  );
  const options = fc.array(fc.uniqueArray(value, { minLength: 1, maxLength: 3 }), { maxLength: 4 });
  fc.assert(
    fc.property(options, (lists) => {
      const made = combinations(lists.map((values, i) => `option${i}=${values.join(",")}`));
      expect(made).toHaveLength(lists.reduce((product, { length }) => product * length, 1));
      expect(new Set(made.map(({ pairs }) => pairs.join(" "))).size).toBe(made.length);
      for (const { pairs } of made)
        expect(pairs.every((pair, i) => lists[i]!.some((given) => pair === `option${i}=${given}`))).toBe(
          true,
        );
    }),
  );
});

test.each([
  [["nodes"], /Expected key=value/],
  [["nodes=4,"], /Option "nodes": expected values with commas between them, got "4,"/],
  [["nodes=4,16,4"], /Option "nodes": value "4" is given twice/],
  [["nodes=4", "nodes=16"], /Option "nodes" is given twice/],
])("refused: %s", (pairs, message) => {
  expect(() => combinations(pairs)).toThrow(message);
});
