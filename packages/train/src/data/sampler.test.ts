import { ConfigError, createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createSampler, type SamplerOptions } from "./sampler.ts";

const samplers: fc.Arbitrary<Omit<SamplerOptions, "random"> & { readonly seed: number }> = fc
  .record({
    size: fc.integer({ min: 1, max: 40 }),
    batch: fc.nat(),
    shuffle: fc.boolean(),
    seed: fc.nat(),
    rank: fc.nat({ max: 5 }),
  })
  .map(({ size, batch, ...rest }) => ({
    indices: Uint32Array.from({ length: size }, (_, i) => 100 + 3 * i),
    batchSize: 1 + (batch % size),
    ...rest,
  }));

const sampler = ({ seed, ...options }: Omit<SamplerOptions, "random"> & { seed: number }) =>
  createSampler({ ...options, random: createRandom(seed) });

test("an epoch shows each example at most once, and only those of the incomplete last batch not at all", () => {
  fc.assert(
    fc.property(samplers, (options) => {
      const own = sampler(options);
      for (let epoch = 0; epoch < 3; epoch++) {
        expect(own.position).toEqual({ epoch, offset: 0 });
        const seen = own.next(own.batchesPerEpoch);
        expect(new Set(seen).size).toBe(own.batchesPerEpoch * options.batchSize);
        for (const index of seen) expect(options.indices).toContain(index);
        expect(options.indices.length - seen.length).toBeLessThan(options.batchSize);
        if (!options.shuffle) expect(seen).toEqual(options.indices.slice(0, seen.length));
      }
    }),
  );
});

test("the batches do not depend on how many are asked for at once, nor on stopping and going on", () => {
  fc.assert(
    fc.property(samplers, fc.array(fc.nat({ max: 7 }), { maxLength: 8 }), (options, runs) => {
      const total = runs.reduce((sum, steps) => sum + steps, 0);
      const atOnce = sampler(options).next(total);
      let own = sampler(options);
      const inRuns = runs.flatMap((steps) => {
        const batches = [...own.next(steps)];
        const position = JSON.parse(JSON.stringify(own.position));
        own = sampler({ ...options, position });
        return batches;
      });
      expect(inRuns).toEqual([...atOnce]);
    }),
  );
});

test("the order changes with the epoch, the rank and the seed, and with nothing else", () => {
  const indices = Uint32Array.from({ length: 100 }, (_, i) => i);
  const base = { indices, batchSize: 100, shuffle: true, rank: 0, seed: 1 };
  const own = sampler(base);
  const orders = [
    own.next(1),
    own.next(1),
    sampler({ ...base, rank: 1 }).next(1),
    sampler({ ...base, seed: 2 }).next(1),
  ].map((order) => order.join());
  expect(new Set(orders).size).toBe(4);
  expect(sampler(base).next(1).join()).toBe(orders[0]);
});

test("every example is equally likely to come first", () => {
  const indices = Uint32Array.of(0, 1, 2, 3);
  const counts = [0, 0, 0, 0];
  const own = sampler({ indices, batchSize: 4, shuffle: true, rank: 0, seed: 5 });
  for (let epoch = 0; epoch < 4000; epoch++) counts[own.next(1)[0]!]!++;
  // Five standard deviations of Binomial(4000, 1/4); the seed is fixed, so the outcome is too.
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(137);
});

test("a batch larger than the share is refused with the numbers and the remedy", () => {
  const options = { indices: new Uint32Array(10), shuffle: true, rank: 3, seed: 0 };
  expect(() => sampler({ ...options, batchSize: 11 })).toThrow(
    /batchSize 11 is larger than node 3's share of 10 examples; use batchSize=10/,
  );
  expect(() => sampler({ ...options, batchSize: 0 })).toThrow(ConfigError);
});
