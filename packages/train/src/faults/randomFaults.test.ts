// Two hundred runs with random faults: each comes to its end or ends with a reason that holds of it (test/faultEnds.ts),
// none hangs, and what it does follows from its seed alone, however it is cut and resumed.

import { createFaultSchedule } from "@atoll/network";
import { describe, expect, test } from "vitest";
import { objectionTo, refusalOf } from "../test/faultEnds.ts";
import { randomFaultyRun } from "../test/randomFaults.ts";
import {
  happenings,
  numbersOf,
  type Rehearsal,
  type RehearsalOptions,
  rehearse,
  stepsOf,
} from "../test/runs.ts";
import { quorumOf } from "./policy.ts";

const RUNS = 200;
const FIRST = Number(process.env.ATOLL_FAULT_SEED ?? 0);

async function outcomeOf(seed: number): Promise<Rehearsal | Error> {
  try {
    return await rehearse(randomFaultyRun(seed));
  } catch (error) {
    return error as Error;
  }
}

describe.each(Array.from({ length: RUNS / 10 }, (_, block) => FIRST + 10 * block))(
  "faults, seeds from %i",
  (from) => {
    test.each(Array.from({ length: 10 }, (_, i) => from + i))("seed %i", expectSense);
  },
);

/**
 * Nodes that learn of a break when the others have begun again (310); one that is back after those that stand have come (392), or
 * was given a later state while a pair waited for it (70196). Senders that have a message for a node that is gone for good (4101,
 * 4119), or crash before an outage that holds one up was too long (100066). A crash that ends the run, learnt of from a message
 * that never comes (101703, 102388). The largest part of the network, in which no node has a state (102448, 104412); a node that is
 * cut off while it waits for an exchange to begin again, and that the others have gone on without (103619), or ended without (9023;
 * at an earlier moment, 700013). A pair whose half is gone for good (7037), a message that a crash of the hub cuts off (5095), or all
 * messages that anybody waits for (900981).
 */
test.each([
  310, 392, 4101, 4119, 70196, 100066, 101703, 102388, 102448, 103619, 104412, 5095, 7037, 9023, 700013,
  900981,
])("seed %i, which stood still for ever or broke", expectSense);

async function expectSense(seed: number): Promise<void> {
  const first = await outcomeOf(seed);
  if (first instanceof Error) {
    const objection = await objectionTo(first, randomFaultyRun(seed));
    expect(objection, `seed ${seed}: ${first.stack}`).toBeUndefined();
    return;
  }
  expect(refusalOf(randomFaultyRun(seed)), `seed ${seed} should have been refused`).toBeUndefined();
  expectWhole(first, seed);
  if (seed % 3 === 0)
    expect(numbersOf(await rehearse(randomFaultyRun(seed))), `seed ${seed}, again`).toEqual(numbersOf(first));
  if (seed % 2 === 0) await expectResumable(first, seed);
}

/** A run that has come to its end has done all its steps, in order but for roll-backs, and its times make sense. */
function expectWhole({ result, events }: Rehearsal, seed: number): void {
  const { nodes, faults, maxSteps } = randomFaultyRun(seed);
  const note = `seed ${seed}`;
  expect(stepsOf(events).at(-1)!.step, note).toBe(maxSteps);
  let last = 0;
  for (const event of events) {
    if (event.type === "fault" && event.kind === "rolledBack") last = 0;
    // What JSON would make null of, no reader of the log would take.
    if (event.type === "collective")
      expect([...event.ready, ...event.end].every(Number.isFinite), note).toBe(true);
    if (event.type !== "step") continue;
    expect(event.step, note).toBe(last === 0 ? event.step : last + 1);
    last = event.step;
    expect(Number.isFinite(event.loss), note).toBe(true);
  }
  for (const { compute, communication, waiting } of result.nodes) {
    expect(Math.min(compute, communication, waiting), note).toBeGreaterThanOrEqual(0);
    expect(compute + communication + waiting, note).toBeLessThanOrEqual(result.simulatedSeconds * (1 + 1e-9));
  }
  expectAll(events, randomFaultyRun(seed), note);
  expectQuorums(events, randomFaultyRun(seed), note);
  expectNobodyDownTakesPart(events, { nodes: nodes!, faults: faults! }, note);
}

/** Exchanges of these overlap with computing: what a node began a round with is not whole, and nobody can be given it. */
const OVERLAPPING: readonly string[] = ["eagerdiloco", "streamingdiloco"];

/** Where nodes wait for all, nobody goes on without one, unless what they began with cannot be handed on. */
function expectAll(events: Rehearsal["events"], { strategy, faults }: RehearsalOptions, note: string): void {
  const policy = faults?.whenMissing ?? strategy.whenMissing;
  if (policy?.kind !== "wait" || OVERLAPPING.includes(strategy.name)) return;
  const without = events.filter((event) => event.type === "fault" && event.kind === "goneOn");
  expect(without, note).toEqual([]);
}

/** Under a quorum, those that go on are one; a group of those that had met, or one whose message is lost, may go on without. */
function expectQuorums(
  events: Rehearsal["events"],
  { strategy, faults, nodes }: RehearsalOptions,
  note: string,
): void {
  const policy = faults?.whenMissing ?? strategy.whenMissing;
  const inGroups = ["noloco", "sgp"].includes(strategy.name) || strategy.config.islandSize !== undefined;
  if (policy?.kind !== "quorum" || inGroups) return;
  for (const event of events) {
    const [, there] = (event.type === "fault" && /^(\d+) of \d+ nodes exchange/.exec(event.message)) || [];
    if (there !== undefined)
      expect(Number(there), note).toBeGreaterThanOrEqual(quorumOf(policy.fraction, nodes!));
  }
}

/** No node is in a collective while it is down: what would have been, breaks off. */
function expectNobodyDownTakesPart(
  events: Rehearsal["events"],
  { nodes, faults }: { readonly nodes: number; readonly faults: { readonly schedule?: unknown } },
  note: string,
): void {
  const scheduled = { schedule: faults.schedule } as Parameters<typeof createFaultSchedule>[0];
  const never = { derive: () => never } as never;
  const schedule = createFaultSchedule(scheduled, { worldSize: nodes, random: never });
  for (const event of events) {
    if (event.type !== "collective" || event.operation === "send") continue;
    event.ranks.forEach((rank, member) => {
      const downtime = schedule.nextDowntime(rank, event.ready[member]!);
      // What it begins at the very moment of its crash comes to nothing.
      const overlaps = downtime !== undefined && downtime.from < event.ready[member]!;
      expect(overlaps, `${note}: rank ${rank} in ${event.operation} at ${event.ready[member]} s`).toBe(false);
    });
  }
}

/** Any checkpoint leads to the same end, by the same happenings. */
async function expectResumable({ result, events, snapshots }: Rehearsal, seed: number): Promise<void> {
  const steps = [...snapshots.keys()];
  if (steps.length === 0) return;
  const step = steps[seed % steps.length]!;
  const resumed = await rehearse({ ...randomFaultyRun(seed), resume: snapshots.get(step)! });
  const cut = events.findIndex((event) => event.type === "checkpoint" && event.step === step);
  expect(happenings(resumed.events), `seed ${seed}, resumed at ${step}`).toEqual(
    happenings(events.slice(cut + 1)),
  );
  expect({ ...resumed.result, wallSeconds: 0 }, `seed ${seed}, resumed at ${step}`).toEqual({
    ...result,
    wallSeconds: 0,
  });
}
