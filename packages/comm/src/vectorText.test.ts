import fc from "fast-check";
import { expect, test } from "vitest";
import { textOfVector, vectorOfText } from "./vectorText.ts";

const wordsOf = (vector: Float32Array): Uint32Array =>
  new Uint32Array(vector.buffer, vector.byteOffset, vector.length);

test("any vector comes back to the bit, also a part of another", () => {
  fc.assert(
    fc.property(fc.uint32Array({ maxLength: 50 }), fc.nat(50), (words, start) => {
      const vector = new Float32Array(words.buffer, words.byteOffset, words.length).subarray(start);
      expect(wordsOf(vectorOfText(textOfVector(vector)))).toEqual(wordsOf(vector));
    }),
  );
});

test("a long vector takes 16 characters for three floats", () => {
  const vector = Float32Array.from({ length: 30_000 }, (_, i) => Math.sin(i));
  const text = textOfVector(vector);
  expect(text.length).toBe(160_000);
  expect(vectorOfText(text)).toEqual(vector);
});
