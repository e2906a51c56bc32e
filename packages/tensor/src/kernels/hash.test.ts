import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createHeap } from "../memory.ts";
import { addAndHashBlocks, hashBlocks } from "./hash.ts";

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
  hashBlocks(bytes, key, (some) => void all.push(...numbersOf(some)));
  return all;
}

function numbersOf(hashes: Uint8Array): readonly bigint[] {
  const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.length);
  return Array.from({ length: hashes.length / 8 }, (_, i) => view.getBigUint64(8 * i, true));
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

test("in one pass with adding, hashes are those of what is added and of the sum, and sums the same bits", () => {
  fc.assert(
    fc.property(fc.nat(50_000), fc.nat(40), fc.nat(), fc.boolean(), (length, start, seed, isSmall) => {
      const random = createRandom(seed);
      const vector = (): Float32Array => {
        const x = heap.alloc(start + (isSmall ? length % 100 : length)).subarray(start);
        for (let i = 0; i < x.length; i++) x[i] = random.normal();
        return x;
      };
      const [sum, added] = [vector(), vector()];
      const expected = sum.map((x, i) => x + added[i]!);
      const got: bigint[] = [];
      const isDone = addAndHashBlocks(sum, added, key, (some) => void got.push(...numbersOf(some)));
      expect(isDone).toBe(true);
      expect(Buffer.compare(Buffer.from(expected.buffer), Buffer.from(sum.slice().buffer))).toBe(0);
      const [ofAdded, ofSum] = [added, sum].map((x) =>
        hashesByDefinition(new Uint8Array(x.buffer, x.byteOffset, x.byteLength)),
      );
      expect(got).toEqual(ofAdded!.flatMap((hash, block) => [hash, ofSum![block]!]));
    }),
    { numRuns: 40 },
  );
});

test("vectors that do not share a memory are not added in one pass", () => {
  const [shared, plain] = [heap.alloc(100), new Float32Array(100).fill(1)];
  for (const [a, b] of [
    [plain, shared],
    [shared, plain],
    [plain, plain],
  ] as const)
    expect(addAndHashBlocks(a, b, key, () => expect.unreachable())).toBe(false);
  expect([...plain]).toEqual(new Array(100).fill(1));
});

test("in a memory that has no room left, bytes have the same hashes, nothing is written over, and room is taken once", () => {
  // So much room that the key would still fit, and the hashes would not.
  for (const left of [0, 2048, 65_536]) {
    const full = createHeap({ bytesPerMemory: 4 * 65_536 });
    const x = full.alloc((4 * 65_536 - left) / 4);
    const random = createRandom(left);
    for (let i = 0; i < x.length; i++) x[i] = random.normal();
    const [before, bytes] = [x.slice(), new Uint8Array(x.buffer, 0, x.byteLength)];
    const expected = hashesByDefinition(bytes);
    const places = Array.from({ length: 3 }, () => {
      expect(hashes(bytes), `${left} bytes left`).toEqual(expected);
      return full.addressOf(full.alloc(1));
    });
    expect(x, `${left} bytes left`).toEqual(before);
    // A vector after each takes the next place: nothing else was allocated since the first.
    const [first, second, third] = places.map(({ byteOffset }) => byteOffset);
    expect(places.every(({ memory }) => memory === places[0]!.memory)).toBe(true);
    expect([second! - first!, third! - second!], `${left} bytes left`).toEqual([64, 64]);
  }
});
