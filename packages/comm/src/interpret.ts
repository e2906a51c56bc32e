// Computes what a schedule leaves with each member, once for all of them. A first pass runs the schedule on names instead
// of numbers: it finds the additions, in the schedule's own order, and which of them each member ends up holding. Members
// that end with the same chunks share one result. A second pass does the additions on real vectors: N − 1 a chunk for an
// all-reduce. So the bits are those that a transport would produce that moves every chunk and adds as it receives.

import { invariant } from "@atoll/core";
import { plainArithmetic, type VectorArithmetic } from "./arithmetic.ts";
import { bytesSentBy, type Schedule } from "./schedule.ts";

/**
 * A schedule run on names. A value's name is the number of the member whose input it is, or N + k for addition k.
 * Additions are by number: operands, chunk, and the lane (a scratch vector as long as the input) that takes the result.
 */
export interface Trace {
  readonly members: number;
  readonly chunkStarts: Int32Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly chunk: Int32Array;
  readonly lane: Int32Array;
  readonly lanes: number;
  /** The different results: a name for each chunk. */
  readonly results: readonly Int32Array[];
  /** Which of the results each member ends with. */
  readonly resultOf: Int32Array;
  /** Bytes that each member sends. */
  readonly bytesSent: Float64Array;
}

const NOTHING = -1;

/** Runs a schedule on names. */
export function trace(schedule: Schedule): Trace {
  const members = schedule.ranks.length;
  const { chunkStarts, chunkBytes } = schedule;
  const chunkCount = chunkBytes.length;
  const { held, left, right, chunk } = runOnNames(schedule, chunkCount);
  const { results, resultOf } =
    schedule.finally === "ownChunk"
      ? { results: [diagonal(held, members)], resultOf: new Int32Array(members) }
      : distinctRows(held, members, chunkCount);
  const bytesSent = bytesSentBy(schedule);
  // Sums in one order (`ordersOf`) need no lanes, which take as long as the rest of a large world's trace.
  let assigned: Lanes | undefined;
  const lanesOf = (): Lanes => {
    assigned ??= assignLanes({ members, chunkCount, left, right, chunk, results });
    return assigned;
  };
  return {
    members,
    chunkStarts,
    left,
    right,
    chunk,
    get lane() {
      return lanesOf().lane;
    },
    get lanes() {
      return lanesOf().lanes;
    },
    results,
    resultOf,
    bytesSent,
  };
}

type Lanes = Pick<Trace, "lane" | "lanes">;

interface Names {
  /** What each member ends up holding, [members, chunkCount]. */
  readonly held: Int32Array;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly chunk: Int32Array;
}

function runOnNames(schedule: Schedule, chunkCount: number): Names {
  const { most, largestRound } = countMoves(schedule);
  const additions = new Additions(schedule.ranks.length, chunkCount, most);
  const held = initialNames(schedule, chunkCount);
  const sent = new Int32Array(largestRound);
  for (const { action, sources, targets, chunks, chunkCounts } of schedule.rounds()) {
    let move = 0;
    for (let i = 0; i < sources.length; i++) {
      const end = chunks[i]! + (chunkCounts?.[i] ?? 1);
      for (let chunk = chunks[i]!; chunk < end; chunk++) {
        const name = held[sources[i]! * chunkCount + chunk]!;
        invariant(name !== NOTHING, `member ${sources[i]} sends chunk ${chunk} before it has it`);
        sent[move++] = name;
      }
    }
    move = 0;
    for (let i = 0; i < sources.length; i++) {
      const end = chunks[i]! + (chunkCounts?.[i] ?? 1);
      for (let chunk = chunks[i]!; chunk < end; chunk++) {
        const slot = targets[i]! * chunkCount + chunk;
        const name = sent[move++]!;
        held[slot] = action === "copy" ? name : additions.nameOf(held[slot]!, name, chunk);
      }
    }
  }
  return { held, ...additions.list() };
}

/**
 * The additions, each under one name. Neighbours may add the same two sums in one round (recursive doubling), in either
 * order: a + b has the bits of b + a, so it is computed once.
 */
class Additions {
  readonly #members: number;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #chunk: Int32Array;
  /** The latest addition of each chunk. */
  readonly #latest: Int32Array;
  #count = 0;

  constructor(members: number, chunkCount: number, most: number) {
    this.#members = members;
    this.#left = new Int32Array(most);
    this.#right = new Int32Array(most);
    this.#chunk = new Int32Array(most);
    this.#latest = new Int32Array(chunkCount).fill(NOTHING);
  }

  nameOf(a: number, b: number, chunk: number): number {
    const latest = this.#latest[chunk]!;
    if (latest !== NOTHING) {
      const left = this.#left[latest]!;
      const right = this.#right[latest]!;
      if ((left === a && right === b) || (left === b && right === a)) return this.#members + latest;
    }
    const k = this.#count++;
    this.#left[k] = a;
    this.#right[k] = b;
    this.#chunk[k] = chunk;
    this.#latest[chunk] = k;
    return this.#members + k;
  }

  list(): Pick<Names, "left" | "right" | "chunk"> {
    return {
      left: this.#left.slice(0, this.#count),
      right: this.#right.slice(0, this.#count),
      chunk: this.#chunk.slice(0, this.#count),
    };
  }
}

/** Additions of all rounds at most, and the most chunks that move in one round. */
function countMoves({ rounds }: Schedule): { readonly most: number; readonly largestRound: number } {
  let most = 0;
  let largestRound = 0;
  for (const { action, sources, chunkCounts } of rounds()) {
    const moves = chunkCounts?.reduce((sum, count) => sum + count, 0) ?? sources.length;
    if (action === "reduce") most += moves;
    largestRound = Math.max(largestRound, moves);
  }
  return { most, largestRound };
}

/** [members, chunkCount], row by row: at first a member holds its own input, whole or some chunks of it. */
function initialNames({ ranks, initially }: Schedule, chunkCount: number): Int32Array {
  const members = ranks.length;
  const held = new Int32Array(members * chunkCount).fill(NOTHING);
  for (let member = 0; member < members; member++) {
    const row = member * chunkCount;
    if (initially === "whole") held.fill(member, row, row + chunkCount);
    else if (initially === "ownChunk") held[row + member] = member;
    else held.fill(member, row + member * members, row + (member + 1) * members);
  }
  return held;
}

/** The chunk with each member's own number. */
const diagonal = (held: Int32Array, members: number): Int32Array =>
  Int32Array.from({ length: members }, (_, member) => held[member * members + member]!);

function distinctRows(
  held: Int32Array,
  members: number,
  chunkCount: number,
): { readonly results: readonly Int32Array[]; readonly resultOf: Int32Array } {
  const results: Int32Array[] = [];
  const resultOf = new Int32Array(members);
  for (let member = 0; member < members; member++) {
    const row = held.subarray(member * chunkCount, (member + 1) * chunkCount);
    const same = results.findIndex((result) => result.every((name, chunk) => name === row[chunk]));
    resultOf[member] = same === -1 ? results.push(row.slice()) - 1 : same;
  }
  return { results, resultOf };
}

/** Gives each addition the lane of an operand that nobody needs afterwards, or else a free one. */
function assignLanes(parts: {
  readonly members: number;
  readonly chunkCount: number;
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly chunk: Int32Array;
  readonly results: readonly Int32Array[];
}): Lanes {
  const { members, chunkCount, left, right, chunk, results } = parts;
  const lane = new Int32Array(left.length);
  const uses = new Int32Array(left.length);
  const use = (name: number, count: number): void => {
    if (name >= members) uses[name - members]! += count;
  };
  for (let k = 0; k < left.length; k++) {
    use(left[k]!, 1);
    use(right[k]!, 1);
  }
  for (const result of results) for (const name of result) use(name, 1);
  const free: number[][] = Array.from({ length: chunkCount }, () => []);
  const opened = new Int32Array(chunkCount);
  for (let k = 0; k < left.length; k++) {
    const own = free[chunk[k]!]!;
    for (const name of [left[k]!, right[k]!]) {
      use(name, -1);
      if (name >= members && uses[name - members] === 0) own.push(lane[name - members]!);
    }
    lane[k] = own.pop() ?? opened[chunk[k]!]!++;
  }
  return { lane, lanes: opened.reduce((most, count) => Math.max(most, count), 0) };
}

/**
 * For schedules that add every member's chunk to a sum, one after the other, and leave all with the same: the order of the
 * members for each chunk, [chunks, members]. Undefined for others, which add sums to sums.
 */
export function ordersOf(traced: Trace): Int32Array | undefined {
  if (!orders.has(traced)) orders.set(traced, findOrders(traced));
  return orders.get(traced);
}

const orders = new WeakMap<Trace, Int32Array | undefined>();

function findOrders({ members, left, right, chunkStarts, results }: Trace): Int32Array | undefined {
  const [names] = results;
  if (results.length !== 1 || names!.length !== chunkStarts.length - 1) return undefined;
  const found = new Int32Array(names!.length * members);
  for (let chunk = 0; chunk < names!.length; chunk++) {
    const first = chunk * members;
    let at = first + members - 1;
    let name = names![chunk]!;
    for (; name >= members && at > first; at--) {
      const [a, b] = [left[name - members]!, right[name - members]!];
      if (a >= members && b >= members) return undefined;
      // Sums of two are the same either way round.
      found[at] = b < members ? b : a;
      name = b < members ? a : b;
    }
    if (name >= members || at !== first) return undefined;
    found[first] = name;
  }
  return found;
}

/**
 * Does the additions of a schedule of whole vectors.
 * @param inputs each member's vector, [length]; not changed
 * @returns the different results, [length] each; a result that is one member's own input is that very array, and others
 *   are the arithmetic's scratch
 */
export function evaluate(
  traced: Trace,
  inputs: readonly Float32Array[],
  arithmetic: VectorArithmetic = plainArithmetic,
): readonly Float32Array[] {
  const { members, chunkStarts, left, right, chunk, lane } = traced;
  const length = chunkStarts.at(-1)!;
  const lanes = Array.from({ length: traced.lanes }, (_, number) =>
    arithmetic.scratch(number, length, inputs[0]!),
  );
  const vectorOf = (name: number): Float32Array =>
    name < members ? inputs[name]! : lanes[lane[name - members]!]!;
  for (let k = 0; k < left.length; k++) {
    const start = chunkStarts[chunk[k]!]!;
    const end = chunkStarts[chunk[k]! + 1]!;
    const part = (vector: Float32Array): Float32Array => vector.subarray(start, end);
    arithmetic.add(part(lanes[lane[k]!]!), part(vectorOf(left[k]!)), part(vectorOf(right[k]!)));
  }
  return traced.results.map((names, number) => {
    const whole = vectorOf(names[0]!);
    if (names.every((name) => vectorOf(name) === whole)) return whole;
    const result = arithmetic.scratch(traced.lanes + number, length, inputs[0]!);
    names.forEach((name, at) => {
      const start = chunkStarts[at]!;
      result.set(vectorOf(name).subarray(start, chunkStarts[at + 1]!), start);
    });
    return result;
  });
}
