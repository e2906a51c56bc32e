// Computes what a schedule leaves with each member, once for all of them. A first pass runs the schedule on names instead
// of numbers: it finds the additions, in the schedule's own order, and which of them each member ends up holding. Members
// that end with the same chunks share one result. A second pass does the additions on real vectors: N − 1 a chunk for an
// all-reduce. So the bits are those that a transport would produce that moves every chunk and adds as it receives.

import { invariant } from "@atoll/core";
import type { Schedule } from "./schedule.ts";

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
  const additions = countAdditions(schedule);
  const left = new Int32Array(additions);
  const right = new Int32Array(additions);
  const chunk = new Int32Array(additions);
  const bytesSent = new Float64Array(members);
  const held = initialNames(schedule, chunkCount);
  let next = 0;
  let sent = new Int32Array(members);
  for (const { action, sources, targets, chunks } of schedule.rounds()) {
    if (sources.length > sent.length) sent = new Int32Array(sources.length);
    for (let i = 0; i < sources.length; i++) {
      const name = held[sources[i]! * chunkCount + chunks[i]!]!;
      invariant(name !== NOTHING, `member ${sources[i]} sends chunk ${chunks[i]} before it has it`);
      sent[i] = name;
      bytesSent[sources[i]!]! += chunkBytes[chunks[i]!]!;
    }
    for (let i = 0; i < sources.length; i++) {
      const slot = targets[i]! * chunkCount + chunks[i]!;
      if (action === "reduce") {
        left[next] = held[slot]!;
        right[next] = sent[i]!;
        chunk[next] = chunks[i]!;
        held[slot] = members + next++;
      } else {
        held[slot] = sent[i]!;
      }
    }
  }
  const { results, resultOf } = distinctRows(held, members, chunkCount);
  const { lane, lanes } = assignLanes({ members, chunkCount, left, right, chunk, results });
  return { members, chunkStarts, left, right, chunk, lane, lanes, results, resultOf, bytesSent };
}

function countAdditions({ rounds }: Schedule): number {
  let count = 0;
  for (const { action, sources } of rounds()) if (action === "reduce") count += sources.length;
  return count;
}

/** [members, chunkCount], row by row: at first a member holds its own input, whole or one chunk of it. */
function initialNames({ ranks, initially }: Schedule, chunkCount: number): Int32Array {
  const held = new Int32Array(ranks.length * chunkCount).fill(NOTHING);
  for (let member = 0; member < ranks.length; member++) {
    if (initially === "whole") held.fill(member, member * chunkCount, (member + 1) * chunkCount);
    else held[member * chunkCount + member] = member;
  }
  return held;
}

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
}): { readonly lane: Int32Array; readonly lanes: number } {
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
 * Does the additions of a schedule of whole vectors.
 * @param inputs each member's vector, [length]; not changed
 * @returns the different results, [length] each; a result that is one member's own input is that very array
 */
export function evaluate(traced: Trace, inputs: readonly Float32Array[]): readonly Float32Array[] {
  const { members, chunkStarts, left, right, chunk, lane } = traced;
  const length = chunkStarts.at(-1)!;
  const lanes = Array.from({ length: traced.lanes }, () => new Float32Array(length));
  const vectorOf = (name: number): Float32Array =>
    name < members ? inputs[name]! : lanes[lane[name - members]!]!;
  for (let k = 0; k < left.length; k++) {
    const start = chunkStarts[chunk[k]!]!;
    const end = chunkStarts[chunk[k]! + 1]!;
    add(lanes[lane[k]!]!, vectorOf(left[k]!), vectorOf(right[k]!), start, end);
  }
  return traced.results.map((names) => {
    const whole = vectorOf(names[0]!);
    if (names.every((name) => vectorOf(name) === whole)) return whole;
    const result = new Float32Array(length);
    names.forEach((name, at) => {
      const start = chunkStarts[at]!;
      result.set(vectorOf(name).subarray(start, chunkStarts[at + 1]!), start);
    });
    return result;
  });
}

function add(out: Float32Array, a: Float32Array, b: Float32Array, start: number, end: number): void {
  for (let i = start; i < end; i++) out[i] = a[i]! + b[i]!;
}
