import { bytesPerSecond, createRandom, seconds } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Link } from "./link.ts";
import { Path } from "./path.ts";
import { Senders } from "./senders.ts";
import { resolveTcp, type TcpOptions } from "./tcp.ts";

const MEMBERS = 4;

const links: fc.Arbitrary<readonly Link[]> = fc
  .array(
    fc.record({
      latency: fc.constantFrom(0, 0.01, 0.3).map(seconds),
      jitter: fc.constantFrom(0, 0.1, 0.5),
      loss: fc.constantFrom(0, 0, 0.0001, 0.05, 0.4),
    }),
    { minLength: 1, maxLength: 2 },
  )
  .map((values) =>
    values.map((value, i) => ({ source: i, target: i + 1, bandwidth: bytesPerSecond(1e6), ...value })),
  );

const tcps: fc.Arbitrary<TcpOptions> = fc.constantFrom(
  { tcp: "cm02" },
  { tcp: "lv08" },
  { tcp: "cm02", slowStart: true },
  { tcp: "rounds" },
);

const transfers = fc.array(
  fc.record({
    source: fc.nat(MEMBERS - 1),
    distance: fc.oneof(fc.constant(1), fc.constant(1), fc.integer({ min: 1, max: MEMBERS - 1 })),
    size: fc.oneof(fc.nat(5000), fc.nat(1e6)),
  }),
  { maxLength: 200, size: "max" },
);

test("what senders take of what was drawn ahead is what each path would draw, in any order and for any size", () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(links, { minLength: MEMBERS, maxLength: MEMBERS }),
      tcps,
      transfers,
      (seed, ways, options, sent) => {
        const random = createRandom(seed);
        const tcp = resolveTcp(options);
        const lookup = (): ((source: number, target: number) => Path) => {
          const paths = new Map<string, Path>();
          return (source, target) => {
            const name = `${source} ${target}`;
            const made = {
              links: ways[source]!,
              resources: [0],
              capacity: 1e6,
              tcp,
              random,
            };
            const path = paths.get(name) ?? new Path({ source, target, ...made });
            paths.set(name, path);
            return path;
          };
        };
        const ranks = Array.from({ length: MEMBERS }, (_, member) => member);
        const [together, alone] = [lookup(), lookup()];
        const senders = new Senders(ranks, together);
        const { targetOf, ahead, places, ends, stride } = senders;
        for (const [at, { source, distance, size }] of sent.entries()) {
          const target = (source + distance) % MEMBERS;
          if (targetOf[source] !== target) senders.turnTo(source, target);
          if (places[source] === ends[source]) senders.foresee(source);
          const place = places[source]!;
          places[source] = place + stride;
          const taken =
            size > ahead[place + 1]!
              ? senders.draw(source, size, at)
              : { delay: ahead[place]!, size, limit: Number.POSITIVE_INFINITY };
          expect(taken).toEqual(alone(source, target).draw(size, at));
        }
        senders.leave();
        for (const source of ranks)
          for (const target of ranks)
            if (source !== target)
              expect(together(source, target).snapshot()).toEqual(alone(source, target).snapshot());
      },
    ),
  );
});
