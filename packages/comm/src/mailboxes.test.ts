import { seconds } from "@atoll/core";
import { createVirtualClock, type Network } from "@atoll/network";
import { expect, test } from "vitest";
import type { Exchanges } from "./exchanges.ts";
import { Mailboxes } from "./mailboxes.ts";

const NEVER = seconds(Number.POSITIVE_INFINITY);

/** Messages to the ranks of `cutOff` never leave; all others take a second. */
function mailboxes(worldSize: number, cutOff: readonly number[]): Mailboxes {
  const network = {
    topology: { worldSize },
    send(_: number, target: number, __: number, start: number) {
      const end = cutOff.includes(target) ? NEVER : seconds(start + 1);
      return { left: end, arrived: end };
    },
  } as unknown as Network;
  const exchanges = { of: () => undefined } as unknown as Exchanges;
  return new Mailboxes({ network, clock: createVirtualClock() }, exchanges);
}

const letter = (target: number) => ({
  source: 0,
  target,
  group: "",
  tag: 0,
  sent: seconds(0),
  vector: Float32Array.of(1),
});

test("a message that never arrives does not arrive after a snapshot either", () => {
  const [first, second] = [mailboxes(2, [1]), mailboxes(2, [1])];
  first.send(letter(1));
  const saved = first.snapshot();
  expect(saved).toMatchObject({ parcels: [{ arrived: NEVER }], busyUntil: [0, 0] });
  second.restore(JSON.parse(JSON.stringify(saved)));
  expect(second.snapshot()).toEqual(saved);
});

test("a message that never leaves holds up what is sent to the same rank, and nothing else", () => {
  const cutOff = [1];
  const boxes = mailboxes(3, cutOff);
  expect(boxes.send(letter(2)).arrived).toBe(1);
  expect(boxes.send(letter(1)).arrived).toBe(NEVER);
  expect(boxes.send(letter(2)).arrived).toBe(2);
  cutOff.length = 0;
  expect(boxes.send(letter(1)).arrived, "in their order").toBe(NEVER);
  boxes.drop(0);
  expect(boxes.send(letter(1)).arrived, "once the sender has been lost and is back").toBe(4);
});
