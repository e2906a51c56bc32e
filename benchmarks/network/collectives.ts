// What the network simulator costs as the world grows: timing a ring all-reduce (the recurrence over ranks), computing its
// values once for all ranks, and timing transfers that share a star's hub or a member's NIC (flow by flow).
// Run: node benchmarks/network/collectives.ts. The table goes to stderr, the same figures as JSON to stdout.

import { type AllReduceAlgorithm, evaluate, type Schedule, scheduleOf, trace } from "@atoll/comm";
import { createRandom, seconds } from "@atoll/core";
import { type Network, type NetworkOptions, resolveNetwork } from "@atoll/network";

interface Row {
  readonly what: string;
  readonly nodes: number;
  /** The first call: it draws the links, and its code is not compiled yet. */
  readonly first: number;
  /** Median over the repetitions. */
  readonly milliseconds: number;
  readonly transfersPerSecond?: number;
}

/** Parameters of an MLP 784-256-10. */
const LENGTH = 203_530;
const REPETITIONS = 5;
/** Milliseconds for which a row is repeated at least: runs time the same schedule at every step. */
const LEAST_DURATION = 300;

const exact: NetworkOptions = { profile: "wan", jitter: 0, loss: 0 };
const drawn: NetworkOptions = { profile: "wan" };

const ranksOf = (nodes: number): readonly number[] => Array.from({ length: nodes }, (_, rank) => rank);

function timed(run: () => void, repetitions: number): Pick<Row, "first" | "milliseconds"> {
  const times: number[] = [];
  for (let spent = 0; times.length < repetitions || spent < LEAST_DURATION; spent += times.at(-1)!) {
    const start = performance.now();
    run();
    times.push(performance.now() - start);
  }
  const milliseconds = times.toSorted((a, b) => a - b)[times.length >> 1]!;
  return { first: times[0]!, milliseconds };
}

/** A row that makes `transfers` transfers. */
function rowOf(
  row: Pick<Row, "what" | "nodes">,
  transfers: number,
  run: () => void,
  repetitions = REPETITIONS,
): Row {
  const times = timed(run, repetitions);
  return { ...row, ...times, transfersPerSecond: (transfers / times.milliseconds) * 1000 };
}

function allReduce(nodes: number, network: Network): Schedule {
  const members = { ranks: ranksOf(nodes), topology: network.topology };
  return scheduleOf({ operation: "allReduce", length: LENGTH, op: "sum" }, [], members);
}

function timing(what: string, nodes: number, options: NetworkOptions, transfers: number): Row {
  const network = resolveNetwork(options, { worldSize: nodes, random: createRandom(1) });
  const schedule = allReduce(nodes, network);
  const ready = ranksOf(nodes).map(() => seconds(0));
  const repetitions = nodes > 2000 ? 3 : REPETITIONS;
  return rowOf({ what, nodes }, transfers, () => void network.time(schedule, ready), repetitions);
}

function contended(nodes: number): Row {
  const options: NetworkOptions = { ...drawn, topology: "star" };
  const network = resolveNetwork(options, { worldSize: nodes, random: createRandom(1) });
  const lengths = ranksOf(nodes).map(() => 1000);
  const members = { ranks: ranksOf(nodes), topology: network.topology };
  const schedule = scheduleOf({ operation: "allGather", length: 1000 }, lengths, members);
  const ready = ranksOf(nodes).map(() => seconds(0));
  const row = { what: "ring all-gather through a star, drawn", nodes };
  const repetitions = nodes > 300 ? 1 : REPETITIONS;
  return rowOf(row, nodes * (nodes - 1), () => void network.time(schedule, ready), repetitions);
}

/** Incast: all send to one at once, and every transfer that begins or ends changes the share of all others. */
function gather(what: string, nodes: number, options: NetworkOptions, root: number): Row {
  const network = resolveNetwork(options, { worldSize: nodes, random: createRandom(1) });
  const lengths = ranksOf(nodes).map(() => LENGTH);
  const members = { ranks: ranksOf(nodes), topology: network.topology };
  const schedule = scheduleOf({ operation: "gather", length: LENGTH, root }, lengths, members);
  const ready = ranksOf(nodes).map(() => seconds(0));
  return rowOf({ what, nodes }, nodes - 1, () => void network.time(schedule, ready));
}

/** Algorithms whose partners change from round to round, so that NICs are shared. */
function byName(nodes: number, algorithm: AllReduceAlgorithm, options: NetworkOptions): readonly Row[] {
  const network = resolveNetwork(options, { worldSize: nodes, random: createRandom(1) });
  const members = { ranks: ranksOf(nodes), topology: network.topology };
  const schedule = scheduleOf({ operation: "allReduce", length: LENGTH, op: "sum", algorithm }, [], members);
  const ready = ranksOf(nodes).map(() => seconds(0));
  let transfers = 0;
  for (const { sources } of schedule.rounds()) transfers += sources.length;
  const row = { what: `${algorithm} all-reduce, drawn`, nodes };
  return [
    rowOf(row, transfers, () => void network.time(schedule, ready), 3),
    { what: `trace ${algorithm} (once)`, nodes, ...timed(() => void trace(schedule), 3) },
  ];
}

function values(nodes: number): readonly Row[] {
  const network = resolveNetwork(exact, { worldSize: nodes, random: createRandom(1) });
  const schedule = allReduce(nodes, network);
  const vectors = ranksOf(nodes).map((rank) => new Float32Array(LENGTH).fill(rank / 7));
  const traced = trace(schedule);
  return [
    {
      what: "trace a ring all-reduce (once)",
      nodes,
      ...timed(() => void trace(schedule), REPETITIONS),
    },
    {
      what: "sum 203,530 floats over all ranks",
      nodes,
      ...timed(() => void evaluate(traced, vectors), REPETITIONS),
    },
  ];
}

const ring = (nodes: number): number => 2 * nodes * (nodes - 1);
const rows: readonly Row[] = [
  ...[10, 100, 1000, 4096].map((nodes) => timing("ring all-reduce, exact links", nodes, exact, ring(nodes))),
  ...[10, 100, 1000, 4096].map((nodes) =>
    timing("ring all-reduce, jitter and loss", nodes, drawn, ring(nodes)),
  ),
  ...[10, 100, 1000].map((nodes) =>
    timing("star all-reduce, drawn", nodes, { ...drawn, topology: "star" }, 2 * (nodes - 1)),
  ),
  ...[10, 100, 1000, 4096].map((nodes) => gather("gather to one node, drawn", nodes, drawn, 0)),
  ...[10, 100, 1000].map((nodes) =>
    gather("gather through a star to a leaf, drawn", nodes, { ...drawn, topology: "star" }, 1),
  ),
  ...[10, 100, 1000].map(contended),
  ...[16, 128, 1024].flatMap((nodes) => byName(nodes, "halving-doubling", drawn)),
  ...[16, 128, 1024].flatMap((nodes) => byName(nodes, "recursive-doubling", drawn)),
  ...[16, 128, 1024].flatMap((nodes) =>
    byName(nodes, "hierarchical", { ...drawn, topology: "islands", islandSize: Math.min(32, nodes / 4) }),
  ),
  ...[10, 100, 1000].flatMap(values),
];

const line = (cells: readonly [string, ...string[]]): string =>
  cells[0].padEnd(40) +
  cells
    .slice(1)
    .map((cell) => cell.padStart(14))
    .join("");

console.error(line(["", "nodes", "first ms", "ms", "transfers/s"]));
for (const { what, nodes, first, milliseconds, transfersPerSecond } of rows) {
  const rate = transfersPerSecond === undefined ? "" : Math.round(transfersPerSecond).toLocaleString("en");
  console.error(line([what, String(nodes), first.toFixed(2), milliseconds.toFixed(2), rate]));
}
console.log(JSON.stringify({ benchmark: "network", node: process.version, rows }));
