// Who of a run's ranks goes on when some are gone, by each policy.

import type { RunEvent } from "@atoll/core";
import { expect, test } from "vitest";
import type { MissingPolicy } from "../../strategies/whenMissing.ts";
import { Presence } from "./presence.ts";

function presenceOf(
  policy: MissingPolicy,
  returnMs = 0,
): { presence: Presence; events: RunEvent[]; gone: readonly AbortController[] } {
  const events: RunEvent[] = [];
  const emit = (event: RunEvent): void => void events.push(event);
  const ends = Array.from({ length: 4 }, () => new AbortController());
  const gone = (rank: number): AbortSignal => ends[rank]!.signal;
  const presence = new Presence({ worldSize: 4, policy, survives: true, returnMs, gone, emit });
  return { presence, events, gone: ends };
}

test("a quorum goes on while it is one, and ends the run when it is none any more", async () => {
  const { presence, events } = presenceOf({ kind: "quorum", fraction: 0.5, seconds: 60 });
  presence.lost(1, "it was killed", 3);
  presence.lost(3, "it was killed", 3);
  await presence.permission(7);
  expect(presence.present).toEqual([0, 2]);
  presence.lost(2, "it was killed", 4);
  await expect(presence.permission(8)).rejects.toThrow(
    "The run cannot go on after step 8: rank 0 of 4 is left, and a quorum needs 2.",
  );
  expect(events.map((event) => event.type === "fault" && [event.kind, event.ranks])).toEqual([
    ["crash", [1]],
    ["crash", [3]],
    ["crash", [2]],
  ]);
});

test("a quorum waits longer than it is patient for ranks that come back, and is short until they have a state", async () => {
  const { presence } = presenceOf({ kind: "quorum", fraction: 0.75, seconds: 0 }, 3_600_000);
  presence.lost(1, "it was killed", 3);
  expect(presence.isShort).toBe(false);
  presence.lost(3, "it was killed", 3);
  expect(presence.isShort).toBe(true);
  const permission = presence.permission(7);
  presence.isBack(3);
  await permission;
  expect(presence.isShort).toBe(true);
  presence.recovered(3, { from: 0, step: 5, bytes: 8 }, 4);
  expect(presence.isShort).toBe(false);
});

test("those that wait for all go on when the last is back, however late, and not before", async () => {
  const { presence } = presenceOf({ kind: "wait" }, 3_600_000);
  presence.lost(1, "it was killed", 0);
  presence.lost(2, "it was killed", 0);
  let isOver = false;
  const permission = presence.permission(1).then(() => {
    isOver = true;
  });
  presence.isBack(2);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isOver).toBe(false);
  presence.isBack(1);
  await permission;
  expect(presence.present).toEqual([0, 3]);
  expect(presence.back).toEqual([1, 2]);
  expect(presence.isShort).toBe(true);
  presence.recovered(1, { from: 0, step: 2, bytes: 8 }, 1);
  expect(presence.present).toEqual([0, 1, 3]);
  presence.recovered(2, { from: 0, step: 2, bytes: 8 }, 1);
  expect(presence.isShort).toBe(false);
});

test("those that wait for all, where nobody can come back, end the run", async () => {
  const { presence } = presenceOf({ kind: "wait" });
  presence.lost(1, "it was killed", 0);
  await expect(presence.permission(1)).rejects.toThrow(
    "ranks 0, 2, 3 of 4 are left, and all have to be there",
  );
});

test("who will not come back is not waited for: before, or once that is known", async () => {
  const refused = "ranks 0, 2, 3 of 4 are left, and all have to be there";
  for (const when of ["before", "while the others wait"]) {
    const { presence, gone } = presenceOf({ kind: "wait" }, 3_600_000);
    presence.lost(1, "it was killed", 0);
    if (when === "before") gone[1]!.abort();
    const permission = presence.permission(1);
    gone[1]!.abort();
    await expect(permission, when).rejects.toThrow(refused);
  }
});

test("a quorum waits for those that can come back, whoever else cannot", async () => {
  const { presence, gone } = presenceOf({ kind: "quorum", fraction: 0.75, seconds: 3600 }, 3_600_000);
  for (const rank of [1, 2]) presence.lost(rank, "it was killed", 0);
  const permission = presence.permission(1);
  gone[1]!.abort();
  presence.isBack(2);
  await permission;
  expect(presence.back).toEqual([2]);
});

test.each<MissingPolicy>([{ kind: "timeout", seconds: 60 }, { kind: "none" }])(
  "a timeout and nodes that wait for nobody go on with whoever is left: %j",
  async (policy) => {
    const { presence } = presenceOf(policy);
    for (const rank of [1, 2, 3]) presence.lost(rank, "it was killed", 0);
    await presence.permission(1);
    expect(presence.present).toEqual([0]);
  },
);
