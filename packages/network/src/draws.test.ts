import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drawLosses, TransferDraws } from "./draws.ts";

test("losses have the binomial distribution's mean and variance, on both sides of the normal approximation", () => {
  for (const [packets, loss] of [
    [1, 0.3],
    [20, 0.01],
    [500, 0.05],
    [4000, 0.05],
  ] as const) {
    const draws = new TransferDraws();
    const { key } = createRandom(7);
    const samples = Array.from({ length: 20_000 }, (_, transfer) => {
      draws.seek(...key, transfer);
      return drawLosses(packets, loss, draws);
    });
    const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length;
    const variance = samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length;
    const deviation = Math.sqrt(packets * loss * (1 - loss));
    expect(Math.abs(mean - packets * loss)).toBeLessThan((4 * deviation) / Math.sqrt(samples.length));
    expect(variance / deviation ** 2).toBeGreaterThan(0.9);
    expect(variance / deviation ** 2).toBeLessThan(1.1);
  }
});

test("a transfer's numbers depend on its place alone", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(5))), (visits) => {
      const { key } = createRandom(9);
      const draws = new TransferDraws();
      for (const [transfer, count] of visits) {
        draws.seek(...key, transfer);
        const fresh = new TransferDraws();
        fresh.seek(...key, transfer);
        for (let i = 0; i < count; i++) expect(draws.uniform()).toBe(fresh.uniform());
      }
    }),
  );
});
