import { seconds } from "@atoll/core";
import { createVirtualClock, type Network } from "@atoll/network";
import { expect, test } from "vitest";
import type { Exchanges } from "./exchanges.ts";
import { Mailboxes } from "./mailboxes.ts";

test("a message that never arrives does not arrive after a snapshot either", () => {
  const never = seconds(Number.POSITIVE_INFINITY);
  const network = {
    topology: { worldSize: 2 },
    send: () => ({ left: never, arrived: never }),
  } as unknown as Network;
  const make = (): Mailboxes =>
    new Mailboxes({ network, clock: createVirtualClock() }, { of: () => undefined } as unknown as Exchanges);
  const [first, second] = [make(), make()];
  const letter = { source: 0, target: 1, group: "", tag: 0, sent: seconds(0) };
  first.send({ ...letter, vector: Float32Array.of(1) });
  const saved = first.snapshot();
  expect(saved).toMatchObject({ parcels: [{ arrived: never }], busyUntil: [never, 0] });
  second.restore(JSON.parse(JSON.stringify(saved)));
  expect(second.snapshot()).toEqual(saved);
});
