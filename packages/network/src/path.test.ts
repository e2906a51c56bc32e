import { bytesPerSecond, createRandom, seconds } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drawLosses, TransferDraws } from "./draws.ts";
import type { Link } from "./link.ts";
import { Path } from "./path.ts";
import { resolveTcp, SEGMENT_SIZE } from "./tcp.ts";

const links: fc.Arbitrary<readonly Link[]> = fc
  .array(
    fc.record({
      latency: fc.constantFrom(0, 0.01, 0.3).map(seconds),
      jitter: fc.constantFrom(0, 0.1, 0.5),
      loss: fc.constantFrom(0, 0.0001, 0.05, 0.4),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((values) =>
    values.map((value, i) => ({ source: i, target: i + 1, bandwidth: bytesPerSecond(1e6), ...value })),
  );

test("a transfer draws by its number, in any order and for any size", () => {
  const visits = fc.array(
    fc.record({ jump: fc.option(fc.nat(40)), size: fc.oneof(fc.nat(5000), fc.nat(1e7)) }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(fc.nat(), links, visits, fc.constantFrom("cm02", "lv08"), (seed, way, transfers, mode) => {
      const random = createRandom(seed);
      const target = way.length;
      const tcp = resolveTcp({ tcp: mode });
      const path = new Path({
        source: 0,
        target,
        links: way,
        resources: [0],
        capacity: 1e6,
        tcp,
        random,
      });
      const draws = new TransferDraws();
      const { key } = random.derive("transfers", 0, target);
      const latency = way.reduce((sum, link) => sum + link.latency, 0);
      const loss = 1 - way.reduce((kept, link) => kept * (1 - link.loss), 1);
      for (const { jump, size } of transfers) {
        if (jump !== null) path.restore(jump);
        draws.seek(...key, path.transfers);
        let delay = latency;
        if (way.some((link) => link.latency * link.jitter > 0))
          for (const link of way) delay += link.latency * link.jitter * (2 * draws.uniform() - 1);
        const packets = Math.max(1, Math.ceil(size / SEGMENT_SIZE));
        let again = 0;
        let roundTrips = 0;
        for (let lost = packets; loss > 0; roundTrips++) {
          lost = drawLosses(lost, loss, draws);
          if (lost === 0) break;
          again += lost;
        }
        expect(path.draw(size, 0)).toEqual({
          delay: delay * tcp.latencyFactor + roundTrips * 2 * latency,
          size: size * (1 + again / packets),
          limit: Number.POSITIVE_INFINITY,
        });
      }
    }),
  );
});
