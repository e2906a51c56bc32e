// Executions of all members of a schedule, without sockets: what they hand out is delivered in any order that connections allow.

import { createRandom, type Random } from "@atoll/core";
import { resolveNetwork } from "@atoll/network";
import fc from "fast-check";
import { expect, test } from "vitest";
import { plainArithmetic } from "../arithmetic.ts";
import { scheduleOf } from "../collective.ts";
import type { Schedule } from "../schedule.ts";
import { ALL_REDUCE_ALGORITHMS } from "../schedules/allReduce.ts";
import { execute } from "../test/execute.ts";
import { Execution, type Outgoing, type Place } from "./execution.ts";
import { planMember } from "./memberPlan.ts";
import { type Elements, Staging } from "./staging.ts";

const bytesOf = ({ buffer, byteOffset, byteLength }: Elements): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A part on its way: its bytes as they were when it was handed out. */
interface Sent {
  readonly part: Outgoing;
  readonly bytes: Uint8Array;
}

/** Carries the schedule out on the vectors. @returns the parts that were handed out with a digest */
function run(schedule: Schedule, vectors: readonly Float32Array[], random: Random): number {
  const done = new Set<number>();
  let withDigest = 0;
  const executions = vectors.map(
    (x, member) =>
      new Execution({
        plan: planMember(schedule, member),
        vectors: x,
        staging: new Staging(),
        inRounds: false,
        add: (a, b) => plainArithmetic.add(a as Float32Array, a as Float32Array, b as Float32Array),
        addWithDigests(a, b) {
          if (random.integer(2) === 0) return undefined;
          const added = bytesOf(b).slice();
          plainArithmetic.add(a as Float32Array, a as Float32Array, b as Float32Array);
          return { added, sum: bytesOf(a).slice() };
        },
        onProgress: () => undefined,
        onDone: () => void done.add(member),
      }),
  );
  for (const execution of executions) execution.open(0);
  const lines = executions.flatMap((sender, source) =>
    executions.flatMap((receiver, target) =>
      source === target ? [] : [{ sender, receiver, source, target, sent: [] as Sent[] }],
    ),
  );
  for (let idle = 0; idle < 10_000; idle++) {
    const { sender, receiver, source, target, sent } = lines[random.integer(lines.length)]!;
    const part = random.integer(2) === 0 ? sender.next(target) : undefined;
    if (part !== undefined) {
      const bytes = bytesOf(part.payload).slice();
      // Here the digest of bytes is the bytes.
      if (part.digest !== undefined) {
        withDigest++;
        expect(part.digest).toEqual(bytes);
      }
      sent.push({ part, bytes });
      part.left(false, 0);
      idle = 0;
    } else if (sent.length > 0) {
      const next = sent.shift()!;
      const place = receiver.receive(source, next.part, next.bytes.length);
      bytesOf(place.elements).set(next.bytes);
      const digest = random.integer(2) === 0 ? undefined : place.digest?.();
      if (digest !== undefined) expect(digest).toEqual(next.bytes);
      place.complete(0, next.bytes);
      idle = 0;
    }
  }
  expect(done.size).toBe(vectors.length);
  return withDigest;
}

test.each(ALL_REDUCE_ALGORITHMS)("%s: a digest is that of the bytes it goes with", (algorithm) => {
  fc.assert(
    fc.property(fc.constantFrom(2, 4, 8), fc.integer({ min: 8, max: 50 }), fc.nat(), (size, length, seed) => {
      const random = createRandom(seed);
      const { topology, tryOut } = resolveNetwork({}, { worldSize: size, random: createRandom(1) });
      const ranks = Array.from({ length: size }, (_, rank) => rank);
      const schedule = scheduleOf({ operation: "allReduce", length, op: "sum", algorithm }, [], {
        ranks,
        topology,
        tryOut,
      });
      const inputs = ranks.map(() => Float32Array.from({ length }, () => random.normal()));
      const vectors = inputs.map((x) => x.slice());
      const withDigest = run(schedule, vectors, random);
      expect(vectors).toEqual(execute(schedule, inputs));
      // Around a ring sums are sent on as they come.
      if (algorithm === "ring" && size > 2) expect(withDigest).toBeGreaterThan(0);
    }),
    { numRuns: 30 },
  );
});

/** Members of an all-reduce, and how many staged cells they hold. */
function counted(): { readonly executions: readonly Execution[]; taken(): number } {
  const size = 8;
  const { topology, tryOut } = resolveNetwork({}, { worldSize: size, random: createRandom(1) });
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const call = { operation: "allReduce", length: 40, op: "sum", algorithm: "recursive-doubling" } as const;
  const schedule = scheduleOf(call, [], { ranks, topology, tryOut });
  let taken = 0;
  class Counted extends Staging {
    override take(like: Elements) {
      const cell = super.take(like);
      taken++;
      const release = (): void => {
        taken--;
        cell.release();
      };
      return { ...cell, release };
    }
  }
  const executions = ranks.map(
    (member) =>
      new Execution({
        plan: planMember(schedule, member),
        vectors: new Float32Array(40),
        staging: new Counted(),
        inRounds: false,
        add: (a, b) => plainArithmetic.add(a as Float32Array, a as Float32Array, b as Float32Array),
        onProgress: () => undefined,
        onDone: () => undefined,
      }),
  );
  return { executions, taken: () => taken };
}

test("what was staged when a collective is given up is free for the next one", () => {
  const { executions, taken } = counted();
  // The last member has not sent anything, so what comes to it waits.
  for (const execution of executions) execution.open(0);
  for (const [source, sender] of executions.slice(0, -1).entries())
    for (const [target, receiver] of executions.entries()) {
      const part = source === target ? undefined : sender.next(target);
      part?.left(false, 0);
      if (part !== undefined) receiver.receive(source, part, part.payload.byteLength).complete(0);
    }
  expect(taken()).toBeGreaterThan(0);
  for (const execution of executions) void execution.cancel();
  expect(taken()).toBe(0);
});

test.each([
  ["its connections end", (receiver: Execution, _: Place, sender: number) => receiver.lose(sender)],
  ["it has come after all", (_: Execution, place: Place) => place.complete(0)],
])("a part that is under way holds its cell, and who gives up, until %s", async (_, end) => {
  const { executions, taken } = counted();
  for (const execution of executions) execution.open(0);
  const [receiver, sender] = executions as [Execution, Execution];
  const part = sender.next(0)!;
  const place = receiver.receive(1, part, part.payload.byteLength);
  let isGivenUp = false;
  const givenUp = receiver.cancel().then(() => {
    isGivenUp = true;
  });
  await Promise.resolve();
  expect([taken(), isGivenUp]).toEqual([1, false]);
  end(receiver, place, 1);
  await givenUp;
  expect(taken()).toBe(0);
});

test("a part that has been read and counts later holds its cell until then, whatever becomes of its connections", async () => {
  const { executions, taken } = counted();
  for (const execution of executions) execution.open(0);
  const [receiver, sender] = executions as [Execution, Execution];
  const part = sender.next(0)!;
  const place = receiver.receive(1, part, part.payload.byteLength);
  place.read();
  receiver.lose(1);
  expect(taken()).toBe(1);
  await receiver.cancel();
  place.complete(0);
  expect(taken()).toBe(0);
});
