import { ConfigError, createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Dataset, gather, tableDataset, whole, windowsDataset } from "./dataset.ts";
import { holdOut } from "./split.ts";
import { characterVocabulary } from "./vocabulary.ts";

const text = (length: number, blockSize: number): Dataset =>
  windowsDataset({
    name: "w",
    tokens: Uint16Array.from({ length }, (_, i) => i),
    blockSize,
    vocabulary: characterVocabulary(["a"]),
  });

/** A table whose i-th example is (i, i + ½), of class i modulo 3. */
const numbered = (size: number): Dataset =>
  tableDataset({
    name: "t",
    x: Float32Array.from({ length: 2 * size }, (_, k) => k / 2),
    xShape: [2],
    y: Int32Array.from({ length: size }, (_, i) => i % 3),
    classes: 3,
    scale: 2,
    shift: 1,
  });

/** The numbers of a part's examples, read back through gather; checks that each kept its values and its label. */
function examples(part: Dataset): number[] {
  const x = new Float32Array(2 * part.size);
  const y = new Int32Array(part.size);
  gather(part.source, whole(part).indices, x, y);
  return Array.from(y, (label, row) => {
    const example = (x[2 * row]! - 1) / 2;
    expect([x[2 * row + 1], label]).toEqual([2 * (example + 0.5) + 1, example % 3]);
    return example;
  });
}

test("a table splits without overlap or loss", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.nat(), (size, held, seed) => {
      const count = 1 + (held % (size - 1));
      const { train, validation } = holdOut(numbered(size), count, createRandom(seed));
      expect([train.size, validation.size, train.classes]).toEqual([size - count, count, 3]);
      const all = [...examples(train), ...examples(validation)].sort((a, b) => a - b);
      expect(all).toEqual(Array.from({ length: size }, (_, i) => i));
    }),
  );
});

test("what a table holds out is drawn from all of it", () => {
  const { validation } = holdOut(numbered(1000), 100, createRandom(0));
  const tenths = new Set(examples(validation).map((example) => Math.floor(example / 100)));
  expect(tenths.size).toBe(10);
});

test("windows split at one token: the last `size` windows are held out, none is trained on with a token of theirs", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 20 }),
      fc.nat(),
      (block, held, more) => {
        const tokens = 2 * block + held + 1 + (more % 30);
        const { train, validation } = holdOut(text(tokens, block), held, createRandom(0));
        expect(validation.size).toBe(held);
        if (train.source.kind !== "windows" || validation.source.kind !== "windows")
          throw new Error("expected windows");
        expect([...train.source.tokens, ...validation.source.tokens]).toEqual(
          Array.from({ length: tokens }, (_, i) => i),
        );
        expect(train.vocabulary).toEqual({ kind: "characters", size: 1, symbols: ["a"] });
      },
    ),
  );
});

test("something must be left on both sides", () => {
  const random = createRandom(0);
  expect(() => holdOut(numbered(5), 5, random)).toThrow(/holding out 5 of 5 examples leaves none/);
  expect(() => holdOut(text(12, 4), 4, random)).toThrow(ConfigError);
  expect(holdOut(text(12, 4), 3, random).train.size).toBe(1);
  expect(() => holdOut(numbered(5), 0, random)).toThrow(/positive number of examples to hold out, got 0/);
});
