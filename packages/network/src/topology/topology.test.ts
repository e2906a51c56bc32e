import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLinkTable, type LinkTable } from "../link.ts";
import { PROFILE_NAMES, PROFILES } from "../profile.ts";
import { chooseTopology, createTopology, TOPOLOGY_NAMES, type TopologyOptions } from "./index.ts";
import type { Topology, TopologyName } from "./topology.ts";

const table = (worldSize: number, seed = 1): LinkTable =>
  createLinkTable(PROFILES.wan, worldSize, createRandom(seed));
const names = fc.constantFrom(...TOPOLOGY_NAMES);

/** A random connected graph: every node but the first joins an earlier one, and some more edges. */
const graph = (worldSize: number, seed: number): readonly (readonly [number, number])[] => {
  const random = createRandom(seed);
  const tree = Array.from({ length: worldSize - 1 }, (_, i) => [random.integer(i + 1), i + 1] as const);
  const more = Array.from({ length: random.integer(worldSize) }, () => random.permutation(worldSize));
  return [...tree, ...more.flatMap(([a, b]) => (b === undefined ? [] : [[a!, b] as const]))];
};

const create = (name: TopologyName, worldSize: number, options: TopologyOptions = {}): Topology =>
  createTopology(chooseTopology(name, options, worldSize), table(worldSize));

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
    fc.property(names, fc.integer({ min: 1, max: 13 }), fc.nat(), (name, worldSize, seed) => {
      const edges = name === "custom" ? graph(worldSize, seed) : undefined;
      const topology = create(name, worldSize, { edges });
      const neighbours = Array.from({ length: worldSize }, (_, source) =>
        Array.from({ length: worldSize }, (_, target) => target).filter(
          (target) => topology.link(source, target) !== undefined,
        ),
      );
      for (const [rank, others] of neighbours.entries())
        expect([...topology.neighbours(rank)]).toEqual(others);
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

test("a torus has any number of dimensions: each node two neighbours along each, one where only two nodes are", () => {
  const topology = create("torus", 24, { dimensions: [2, 3, 4] });
  const neighbours = Array.from({ length: 24 }, (_, rank) => rank).filter((rank) => topology.link(0, rank));
  expect(neighbours).toEqual([1, 3, 4, 8, 12]);
  expect(Array.from(topology.links()).length).toBe(12 + 24 + 24);
  expect(topology.route(0, 23).length).toBe(1 + 1 + 1);
  expect(Array.from(create("torus", 12).links()).length).toBe(24);
});

test("islands are runs of ranks; without a size two halves", () => {
  const ranks = [0, 1, 2, 3, 4];
  expect(ranks.map((rank) => create("islands", 5).island!(rank))).toEqual([0, 0, 0, 1, 1]);
  expect(ranks.map((rank) => create("islands", 5, { islandSize: 2 }).island!(rank))).toEqual([0, 0, 1, 1, 2]);
});

test.each([
  ["ring", { edges: [] }, 'Option "network.edges" does not go with the topology ring.'],
  ["torus", { dimensions: [2, 2] }, "whole numbers whose product is the number of nodes, 5, got [2,2]"],
  ["islands", { islandSize: 0 }, "expected a whole number from 1 to the number of nodes, 5, got 0."],
  ["islands", { islandSize: 6 }, "expected a whole number from 1 to the number of nodes, 5, got 6."],
  ["custom", {}, 'The topology custom needs the option "network.edges"'],
  ["custom", { edges: [[0, 5]] }, "expected pairs of two different nodes from 0 to 4, got [0,5]"],
  [
    "custom",
    {
      edges: [
        [0, 1],
        [2, 3],
      ],
    },
    "no way from node 0 to nodes 2, 3, 4.",
  ],
] as const)("bad options of %s %j are refused", (name, options, message) => {
  expect(() => create(name, 5, options)).toThrow(message);
});
