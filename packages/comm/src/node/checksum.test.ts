import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { hashBlocksPlainly } from "./checksum.ts";

const WORDS = 24;

/** By the definition, in integers of any size. */
function hashByDefinition(block: Uint32Array, key: Uint32Array): bigint {
  const keyed = (word: number): bigint => BigInt.asUintN(32, BigInt(block[word]!) + BigInt(key[word]!));
  let sum = 0n;
  for (let word = 0; word < WORDS; word++) if (word % 8 < 4) sum += keyed(word) * keyed(word + 4);
  return BigInt.asUintN(64, sum);
}

test("the loops' hashes are those of the definition", () => {
  const word = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
  const words = fc.array(word, { minLength: WORDS, maxLength: WORDS });
  fc.assert(
    fc.property(words, fc.array(words, { maxLength: 3 }), fc.nat(4 * WORDS - 1), (of, blocks, rest) => {
      const key = Uint32Array.from(of);
      const bytes = new Uint8Array([
        ...new Uint8Array(Uint32Array.from(blocks.flat()).buffer),
        ...new Uint8Array(rest),
      ]);
      const hashes: bigint[] = [];
      hashBlocksPlainly(bytes, key, (hash) => hashes.push(...new BigUint64Array(hash.slice().buffer)));
      expect(hashes).toEqual(blocks.map((block) => hashByDefinition(Uint32Array.from(block), key)));
    }),
  );
});

test("bytes that do not begin at a word are hashed alike", () => {
  const random = createRandom(1);
  const key = Uint32Array.from({ length: WORDS }, () => random.integer(2 ** 32));
  const bytes = Uint8Array.from({ length: 4 * WORDS }, () => random.integer(256));
  const hashesOf = (from: Uint8Array): readonly number[] => {
    const all: number[] = [];
    hashBlocksPlainly(from, key, (hash) => all.push(...hash));
    return all;
  };
  const moved = new Uint8Array(bytes.length + 3);
  moved.set(bytes, 3);
  expect(hashesOf(moved.subarray(3))).toEqual(hashesOf(bytes));
});
