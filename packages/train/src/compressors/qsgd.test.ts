import { createRandom } from "@atoll/core";
import { createHeap } from "@atoll/tensor";
import fc from "fast-check";
import { expect, test } from "vitest";
import { codesAreBytes, qsgdEncode, qsgdMean, stochastic } from "./qsgd.ts";
import { fromWords, toWords } from "./wire.ts";

const blockSize = 32;
const levels = 128;

function vector(length: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const x = Float32Array.from({ length }, () => random.normal());
  const block = blockSize * random.integer(Math.ceil(length / blockSize) + 1);
  if (seed % 3 === 0) x.fill(0, block, block + blockSize);
  if (seed % 7 === 0 && length > 0) x[random.integer(length)] = seed % 2 === 0 ? Number.NaN : -Infinity;
  return x;
}

test("codes of a byte are the codec's, in shared memory and in plain arrays, and so is the mean of several", () => {
  expect(codesAreBytes(levels, blockSize)).toBe(true);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(),
      (length, members, seed) => {
        const heap = createHeap();
        const random = createRandom(seed).derive("rounding");
        const [key0, key1] = random.key;
        const codec = stochastic({ levels, blockSize, random });
        const words = Math.ceil(codec.bytes(length) / 4);
        const expected = new Float64Array(length);
        const places = [(n: number) => new Float32Array(n), (n: number) => heap.alloc(n)];
        const all = places.map((place) => place(members * words));
        for (let m = 0; m < members; m++) {
          const x = vector(length, seed + m);
          const bytes = stochastic({ levels, blockSize, random }).encode(x);
          const decoded = new Float32Array(length);
          codec.decode(bytes, decoded);
          for (let i = 0; i < length; i++) expected[i]! += decoded[i]! / members;
          places.forEach((place, which) => {
            const gradients = place(length);
            gradients.set(x);
            const message = all[which]!.subarray(m * words, (m + 1) * words);
            qsgdEncode({ gradients, message }, { blockSize, key0, key1 });
            const padded = new Uint8Array(toWords(bytes).buffer);
            expect([...fromWords(message, 4 * words)]).toEqual([...padded]);
          });
        }
        const means = places.map((place, which) => {
          const mean = place(length);
          const messages = Object.fromEntries(
            Array.from({ length: members }, (_, m) => [
              `${m}`,
              all[which]!.subarray(m * words, (m + 1) * words),
            ]),
          );
          for (let first = 0; first < length; first += 2 * blockSize)
            qsgdMean(
              {
                ...messages,
                mean: mean.subarray(first, first + 2 * blockSize),
                scratch: place(2 * members),
              },
              { count: members, length, first, blockSize },
            );
          return [...mean];
        });
        expect(means[1]).toEqual(means[0]);
        for (const [i, value] of means[0]!.entries())
          if (Number.isNaN(expected[i])) expect(value).toBeNaN();
          else expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5);
      },
    ),
  );
});
