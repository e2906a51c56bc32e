import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap } from "../memory.ts";
import { hashBlocks } from "./hash.ts";

const WORDS = 16;
const BLOCK_BYTES = 4 * WORDS;
const key = Uint32Array.from({ length: WORDS }, (_, i) => 0x9e3779b9 * (i + 1));

/** By the definition, in integers of any size. */
function hashesByDefinition(bytes: Uint8Array): readonly bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.floor(bytes.length / BLOCK_BYTES) }, (_, block) => {
    const keyed = (word: number): bigint =>
      BigInt.asUintN(32, BigInt(view.getUint32(block * BLOCK_BYTES + 4 * word, true)) + BigInt(key[word]!));
    let sum = 0n;
    for (let word = 0; word < WORDS; word++) if (word % 8 < 4) sum += keyed(word) * keyed(word + 4);
    return BigInt.asUintN(64, sum);
  });
}

function hashes(bytes: Uint8Array): readonly bigint[] {
  const all: bigint[] = [];
  hashBlocks(bytes, key, (some) => {
    const view = new DataView(some.buffer, some.byteOffset, some.length);
    for (let at = 0; at < some.length; at += 8) all.push(view.getBigUint64(at, true));
  });
  return all;
}

const heap = createHeap();
const places: Readonly<Record<string, (length: number) => Uint8Array>> = {
  "shared memory": (length) => {
    const { buffer, byteOffset } = heap.alloc(Math.ceil(length / 4));
    return new Uint8Array(buffer, byteOffset, length);
  },
  "a plain array": (length) => new Uint8Array(length),
  "shared memory of no heap": (length) => new Uint8Array(new SharedArrayBuffer(length)),
};

test.each(Object.keys(places))("hashes are those of the definition for bytes in %s", (place) => {
  fc.assert(
    fc.property(fc.nat(200_000), fc.nat(70), fc.nat(), fc.boolean(), (length, start, seed, isSmall) => {
      const random = createRandom(seed);
      const whole = places[place]!((isSmall ? length % 300 : length) + start);
      for (let i = 0; i < whole.length; i++) whole[i] = random.integer(256);
      const bytes = whole.subarray(start);
      expect(hashes(bytes)).toEqual(hashesByDefinition(bytes));
    }),
    { numRuns: 40 },
  );
});

test("words of ones, whose products are the largest, are added up without loss", () => {
  const bytes = new Uint8Array(BLOCK_BYTES).fill(0xff);
  expect(hashes(bytes)).toEqual(hashesByDefinition(bytes));
});
