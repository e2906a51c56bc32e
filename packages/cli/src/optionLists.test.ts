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
  [
    "holds where that value is, and nowhere else",
    ["network.topology=ring,torus", "torus:network.dimensions=[4,8]", "nodes=32"],
    ["network.topology=ring nodes=32", "network.topology=torus nodes=32 network.dimensions=[4,8]"],
    ["network.topology=ring", "network.topology=torus"],
  ],
  [
    "takes the place of what is given for all",
    ["diloco:strategy.H=50,100", "strategy=fedavg,diloco", "strategy.H=20,50"],
    [
      "strategy=fedavg strategy.H=20",
      "strategy=fedavg strategy.H=50",
      "strategy=diloco strategy.H=50",
      "strategy=diloco strategy.H=100",
    ],
    undefined,
  ],
  [
    "may name the option whose value it is, where another one has the same",
    ["nodes=2,4", "batchSize=2,8", "nodes=4:network.nic=1e6"],
    [
      "nodes=2 batchSize=2",
      "nodes=2 batchSize=8",
      "nodes=4 batchSize=2 network.nic=1e6",
      "nodes=4 batchSize=8 network.nic=1e6",
    ],
    ["nodes=2 batchSize=2", "nodes=2 batchSize=8", "nodes=4 batchSize=2", "nodes=4 batchSize=8"],
  ],
])("an option for one value %s", (_, given, pairs, labels) => {
  const made = combinations(given);
  expect(made.map((one) => one.pairs.join(" "))).toEqual(pairs);
  expect(made.map(labelOf)).toEqual(labels ?? pairs);
});

test("an option for one value is as if the combinations with that value were given by themselves", () => {
  const value = fc.constantFrom("1", "2", "3", "[1,2]");
  const values = fc.uniqueArray(value, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(values, values, values, fc.nat(2), (deciding, plain, own, which) => {
      const decided = deciding[which % deciding.length]!;
      const given = [`a=${deciding.join(",")}`, `b=${plain.join(",")}`];
      const made = combinations([
        ...given,
        `a=${decided}:c=${own.join(",")}`,
        `a=${decided}:b=${own.join(",")}`,
      ]);
      const apart = deciding.flatMap((one) =>
        combinations(
          one === decided
            ? [`a=${one}`, `b=${own.join(",")}`, `c=${own.join(",")}`]
            : [`a=${one}`, `b=${plain.join(",")}`],
        ),
      );
      const sorted = (all: typeof made): readonly string[] => all.map(({ pairs }) => pairs.join(" ")).sort();
      expect(sorted(made)).toEqual(sorted(apart));
      expect(new Set(made.map(labelOf)).size).toBe(made.length);
    }),
  );
});

test("what only looks like one is a value", () => {
  const given = ['faults.schedule=[{"kind":"crash","node":1,"at":1}]', "track.url=http://host:5000/?a=b"];
  expect(combinations(given)).toMatchObject([{ pairs: given }]);
});

test.each([
  [["nodes"], /Expected key=value/],
  [["nodes=4,"], /Option "nodes": expected values with commas between them, got "4,"/],
  [["nodes=4,16,4"], /Option "nodes": value "4" is given twice/],
  [["nodes=4", "nodes=16"], /Option "nodes" is given twice/],
  [["a=1,2", "1:b=1", "1:b=2"], /Option "1:b" is given twice/],
  [["a=1,2", "1:b=1,"], /Option "1:b": expected values with commas between them/],
  [
    ["a=ring,torus", "tours:b=1"],
    /Option "tours:b": no option has the value "tours"\. Did you mean "torus"\?/,
  ],
  [["torus:b=1"], /no option has the value "torus"\. Write the value of one before the colon, as /],
  [["a=1,2", "c=2,3", "2:b=1"], /2 is a value of a and of c\. Write a=2:b or c=2:b\./],
  [
    ["a=1,2", "c=3,4", "1:b=1", "3:b=2"],
    /Options "1:b" and "3:b": both hold where c=3\. Give the option for one/,
  ],
  [["a=1,2", "1:a=3"], /Option "1:a": where 1:a holds is decided by a, which is given for all/],
  [["a=1,2", "b=3,4", "1:b=5", "3:c=6"], /Option "1:b": where 3:c holds is decided by b/],
])("refused: %s", (pairs, message) => {
  expect(() => combinations(pairs)).toThrow(message);
});
