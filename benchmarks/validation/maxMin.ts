// Max-min fairness on random networks against a brute force that shares no code with the network: all rates rise together
// until something is used up. Flows cross several links and NICs, have round trips of their own (weights 1/RTT, windows), and
// come and go. Source: Bertsekas and Gallager, "Data Networks" (2nd ed.), 6.5.2.

import { createRandom, type Random, type Rank, seconds } from "@atoll/core";
import type { GivenLink, Network, NetworkOptions } from "@atoll/network";
import { type Check, Deviations } from "./row.ts";
import { exactNetwork, messages, ranksOf, SEED } from "./world.ts";

interface Flow {
  readonly source: Rank;
  readonly target: Rank;
  /** Names of the capacities that it takes. */
  readonly takes: readonly string[];
  /** The most that its window lets through, in bytes per second. */
  readonly most: number;
  readonly weight: number;
  readonly latency: number;
}

interface Case {
  readonly network: Network;
  readonly flows: readonly Flow[];
  /** Bytes per second by name. */
  readonly capacities: ReadonlyMap<string, number>;
}

/** Capacities are few whole numbers, so that several are often used up at once. */
const MEGABYTE = 1e6;
const megabytes = (random: Random): number => MEGABYTE * (1 + random.integer(20));

/** A random tree with some more edges, each direction with a capacity of its own. */
function randomCase(number: number): Case {
  const random = createRandom(SEED).derive("maxMin", number);
  const nodes = 3 + random.integer(6);
  const pairs = new Map<string, readonly [Rank, Rank]>();
  const join = (a: Rank, b: Rank): void => void pairs.set(`${Math.min(a, b)} ${Math.max(a, b)}`, [a, b]);
  for (let node = 1; node < nodes; node++) join(node, random.integer(node));
  for (let extra = random.integer(3); extra > 0; extra--) {
    const a = random.integer(nodes);
    join(a, (a + 1 + random.integer(nodes - 1)) % nodes);
  }
  const edges = [...pairs.values()];
  const links: GivenLink[] = edges.flatMap(([a, b]) => {
    const latency = 0.001 * (1 + random.integer(50));
    return [
      { from: a, to: b, bandwidth: megabytes(random), latency, oneWay: true },
      { from: b, to: a, bandwidth: megabytes(random), latency, oneWay: true },
    ];
  });
  const nic = { up: megabytes(random), down: megabytes(random) };
  const window = 2 ** (14 + random.integer(8));
  const rttWeights = random.integer(2) === 0;
  const options: NetworkOptions = { topology: "custom", edges, links, nic, window, rttWeights };
  const network = exactNetwork(options, nodes);
  const flows = randomFlows(random, network, { window, rttWeights });
  const capacities = new Map(links.map(({ from, to, bandwidth }) => [`${from} to ${to}`, bandwidth!]));
  for (const rank of ranksOf(nodes)) capacities.set(`up ${rank}`, nic.up).set(`down ${rank}`, nic.down);
  return { network, flows, capacities };
}

/** Some nodes send one message each, to the others: a sender's end is then its flow's. */
function randomFlows(
  random: Random,
  { topology }: Network,
  { window, rttWeights }: { readonly window: number; readonly rttWeights: boolean },
): readonly Flow[] {
  const order = [...random.permutation(topology.worldSize)];
  const senders = order.splice(0, 1 + random.integer(order.length - 1));
  return senders.map((source) => {
    const target = order[random.integer(order.length)]!;
    const route = topology.route(source, target);
    const latency = route.reduce((sum, link) => sum + link.latency, 0);
    return {
      source,
      target,
      takes: route.flatMap((link) => [
        `up ${link.source}`,
        `${link.source} to ${link.target}`,
        `down ${link.target}`,
      ]),
      most: window / (2 * latency),
      weight: rttWeights ? 1 / (2 * latency) : 1,
      latency,
    };
  });
}

/** Rates of the flows by progressive filling, in bytes per second. */
function bruteForce(flows: readonly Flow[], capacities: ReadonlyMap<string, number>): Map<Flow, number> {
  const rates = new Map(flows.map((flow) => [flow, 0]));
  const left = new Map(capacities);
  const open = new Set(flows);
  while (open.size > 0) {
    const weightOn = (name: string): number =>
      [...open].reduce((sum, flow) => sum + (flow.takes.includes(name) ? flow.weight : 0), 0);
    const steps = [
      ...[...open].map((flow) => (flow.most - rates.get(flow)!) / flow.weight),
      ...[...left].flatMap(([name, amount]) => (weightOn(name) === 0 ? [] : [amount / weightOn(name)])),
    ];
    const step = Math.min(...steps);
    for (const [name, amount] of left) left.set(name, amount - step * weightOn(name));
    for (const flow of open) rates.set(flow, rates.get(flow)! + step * flow.weight);
    const usedUp = (name: string): boolean => left.get(name)! <= 1e-9 * capacities.get(name)!;
    for (const flow of [...open])
      if (rates.get(flow)! >= flow.most * (1 - 1e-9) || flow.takes.some(usedUp)) open.delete(flow);
  }
  return rates;
}

/** When each flow ends that begins at its latency, by brute force between one start or end and the next. */
function bruteForceEnds(
  flows: readonly Flow[],
  sizes: readonly number[],
  capacities: Case["capacities"],
): readonly number[] {
  const left = new Map(flows.map((flow, i) => [flow, sizes[i]!]));
  const ends = new Map<Flow, number>();
  let now = 0;
  while (ends.size < flows.length) {
    const active = flows.filter((flow) => flow.latency <= now && !ends.has(flow));
    const rates = bruteForce(active, capacities);
    const starts = flows.filter((flow) => flow.latency > now).map((flow) => flow.latency);
    const next = Math.min(...starts, ...active.map((flow) => now + left.get(flow)! / rates.get(flow)!));
    for (const flow of active) {
      const rest = left.get(flow)! - rates.get(flow)! * (next - now);
      left.set(flow, rest);
      if (rest <= 1e-6) ends.set(flow, next);
    }
    now = next;
  }
  return flows.map((flow) => ends.get(flow)!);
}

/** The rate that the network gives a flow: it alone is short, and all begin to take bandwidth at one moment. */
function measuredRate({ network, flows }: Case, measured: Flow): number {
  const { worldSize } = network.topology;
  const [short, long, begin] = [MEGABYTE, 1e15, 1];
  const sent = flows.map((flow) => [flow.source, flow.target, flow === measured ? short : long] as const);
  const latency = new Map(flows.map((flow) => [flow.source, flow.latency]));
  const ready = ranksOf(worldSize).map((rank) => seconds(begin - (latency.get(rank) ?? begin)));
  return short / (network.time(messages(worldSize, sent), ready)[measured.source]! - begin);
}

/** How far a capacity is overdrawn, and how far the flow is from its limit or from being a largest on a full capacity. */
function violations(
  { flows, capacities }: Case,
  rates: ReadonlyMap<Flow, number>,
): { readonly overdrawn: number; readonly unbounded: number } {
  const on = (name: string): readonly Flow[] => flows.filter((flow) => flow.takes.includes(name));
  const load = (name: string): number =>
    on(name).reduce((sum, flow) => sum + rates.get(flow)!, 0) / capacities.get(name)!;
  const level = (flow: Flow): number => rates.get(flow)! / flow.weight;
  const distance = (flow: Flow): number =>
    Math.min(
      1 - rates.get(flow)! / flow.most,
      ...flow.takes.map((name) =>
        Math.max(1 - load(name), ...on(name).map((other) => level(other) / level(flow) - 1)),
      ),
    );
  return {
    overdrawn: Math.max(0, ...[...capacities.keys()].map((name) => load(name) - 1)),
    unbounded: Math.max(0, ...flows.map(distance)),
  };
}

export const maxMin: Check = ({ randomCases }) => {
  const rate = new Deviations();
  const overdrawn = new Deviations();
  const unbounded = new Deviations();
  const end = new Deviations();
  for (let number = 0; number < randomCases; number++) {
    const drawn = randomCase(number);
    const { network, flows, capacities } = drawn;
    const expected = bruteForce(flows, capacities);
    const rates = new Map(flows.map((flow) => [flow, measuredRate(drawn, flow)]));
    for (const flow of flows) rate.compare(rates.get(flow)!, expected.get(flow)!);
    const found = violations(drawn, rates);
    overdrawn.add(found.overdrawn);
    unbounded.add(found.unbounded);

    const random = createRandom(SEED).derive("sizes", number);
    const sizes = flows.map(() => 1000 * (1 + random.integer(1000)));
    const { worldSize } = network.topology;
    const sent = flows.map(({ source, target }, i) => [source, target, sizes[i]!] as const);
    const ends = network.time(
      messages(worldSize, sent),
      ranksOf(worldSize).map(() => seconds(0)),
    );
    for (const [i, expectedEnd] of bruteForceEnds(flows, sizes, capacities).entries())
      end.compare(ends[flows[i]!.source]!, expectedEnd);
  }
  return [
    rate.row("max-min: rates on random networks against brute force", 1e-9),
    overdrawn.row("max-min: no capacity is overdrawn", 1e-9),
    unbounded.row("max-min: every flow is at its window's rate or has a bottleneck", 1e-9),
    end.row("max-min: ends of flows that come and go against brute force", 1e-9),
  ];
};
