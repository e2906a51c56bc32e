import { RunError } from "@atoll/core";
import { expect, test } from "vitest";
import { Futility } from "./futility.ts";

/** Does something until the run is given up; how often that took, and what is said then. */
function untilGivenUp(action: (count: number) => void): { readonly count: number; readonly message: string } {
  for (let count = 1; ; count++) {
    try {
      action(count);
    } catch (error) {
      expect(error).toBeInstanceOf(RunError);
      return { count, message: (error as Error).message };
    }
    if (count > 10_000) throw new Error("never given up");
  }
}

test("a run is given up after 40 faults a node without a step, or many more changes of links, and says what they were", () => {
  const lost = new Futility(3);
  expect(untilGivenUp((count) => lost.lost(count))).toEqual({
    count: 321,
    message: expect.stringMatching(
      /^The run cannot go on: nodes were lost 321 times since step 0 was done, by 5 min 21 s\./,
    ),
  });
  // An exchange that breaks off is in vain for all of its members.
  const broken = new Futility(1000);
  const { count, message } = untilGivenUp((time) => {
    broken.lost(time);
    broken.brokeOff(999, time);
  });
  expect(count).toBe(41);
  expect(message).toMatch(/nodes were lost 41 times, exchanges broke off 41 times since step 0 was done/);
  const cut = new Futility(3);
  expect(untilGivenUp((time) => cut.linksChanged(time)).message).toMatch(
    /nodes were lost 0 times, links came or went 8001 times/,
  );
});

test("a further step forgets what was in vain; the same one again does not", () => {
  const futility = new Futility(3);
  for (let step = 1; step <= 5; step++) {
    for (let i = 0; i < 300; i++) futility.lost(step);
    futility.progress(step);
  }
  for (let i = 0; i < 300; i++) futility.lost(6);
  futility.progress(5);
  expect(untilGivenUp(() => futility.lost(6)).message).toMatch(/since step 5 was done/);
});
