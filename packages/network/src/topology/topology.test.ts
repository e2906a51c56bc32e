import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLinkTable, type LinkTable } from "../link.ts";
import { PROFILE_NAMES, PROFILES } from "../profile.ts";
import { createTopology, TOPOLOGY_NAMES } from "./index.ts";

const table = (worldSize: number, seed = 1): LinkTable =>
  createLinkTable(PROFILES.wan, worldSize, createRandom(seed));
const names = fc.constantFrom(...TOPOLOGY_NAMES);

/** Hops from `source` to every node over the topology's links, by breadth-first search. */
function distances(neighbours: readonly (readonly number[])[], source: number): readonly number[] {
  const found = neighbours.map(() => Number.POSITIVE_INFINITY);
  found[source] = 0;
  const queue = [source];
  for (const node of queue)
    for (const next of neighbours[node]!)
      if (found[next] === Number.POSITIVE_INFINITY) {
        found[next] = found[node]! + 1;
        queue.push(next);
      }
  return found;
}

test("a route is a shortest chain of links from source to target", () => {
  fc.assert(
    fc.property(names, fc.integer({ min: 1, max: 9 }), (name, worldSize) => {
      const topology = createTopology(name, table(worldSize));
      const neighbours = Array.from({ length: worldSize }, (_, source) =>
        Array.from({ length: worldSize }, (_, target) => target).filter(
          (target) => topology.link(source, target) !== undefined,
        ),
      );
      const links = Array.from(topology.links());
      expect(links.map(({ source, target }) => `${source}-${target}`)).toEqual([
        ...new Set(links.map(({ source, target }) => `${source}-${target}`)),
      ]);
      expect(2 * links.length).toBe(neighbours.flat().length);
      for (let source = 0; source < worldSize; source++) {
        const hops = distances(neighbours, source);
        for (let target = 0; target < worldSize; target++) {
          const route = topology.route(source, target);
          expect(route.length).toBe(hops[target]);
          const nodes = [source, ...route.map((link) => link.target)];
          expect(nodes.at(-1)).toBe(target);
          for (const [i, link] of route.entries()) expect(link).toBe(topology.link(nodes[i]!, nodes[i + 1]!));
        }
      }
    }),
  );
});

test("a link has the same values both ways, whatever was asked for before, and lies in its profile's ranges", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PROFILE_NAMES),
      fc.nat(),
      fc.nat(30),
      fc.nat(30),
      (profile, seed, a, b) => {
        fc.pre(a !== b);
        const ranges = PROFILES[profile];
        const fresh = createLinkTable(ranges, 31, createRandom(seed));
        const used = createLinkTable(ranges, 31, createRandom(seed));
        for (let other = 0; other < 31; other++) if (other !== a) used.link(other, a);
        const { source: _, target: __, ...values } = fresh.link(a, b);
        const { source, target, ...back } = used.link(b, a);
        expect([source, target]).toEqual([b, a]);
        expect(back).toEqual(values);
        for (const [property, [low, high]] of Object.entries(ranges)) {
          expect(values[property as keyof typeof values]).toBeGreaterThanOrEqual(low);
          expect(values[property as keyof typeof values]).toBeLessThanOrEqual(high);
        }
      },
    ),
  );
});

test("fixing one property of the links leaves the others as they were", () => {
  const fixed = createLinkTable({ ...PROFILES.wan, bandwidth: [5e6, 5e6] }, 2, createRandom(3)).link(0, 1);
  expect(fixed).toEqual({ ...table(2, 3).link(0, 1), bandwidth: 5e6 });
});
