// A run's ranks as rank 0 drives them, where some are lost in the middle of what they are asked to do.

import type { RunEvent } from "@atoll/core";
import { expect, test } from "vitest";
import type { FitSetup } from "../../fit.ts";
import { ddp } from "../../strategies/index.ts";
import { Presence } from "./presence.ts";
import { ProcessGroup } from "./processGroup.ts";
import { type RankCommands, type RankSnapshot, statusBefore } from "./rank.ts";
import { RanksLostError } from "./remoteRank.ts";
import { settledWorld } from "./worldSnapshot.ts";

const NODES = 3;
const SPENT = { compute: 0, communication: 0, waiting: 0 };

/** What a rank saves: its number, as the time. */
const savedBy = (rank: number): RankSnapshot => ({
  node: {
    state: { time: rank, computeSeconds: 0, sampler: { epoch: 0, offset: 0 }, strategy: {} },
    tensors: () => ({}),
  },
  world: settledWorld(0),
  spent: SPENT,
});

interface Rig {
  readonly group: ProcessGroup;
  /** What each does, which may change. */
  readonly ranks: readonly RankCommands[];
  /** Which ranks were told to go on, and from where. */
  readonly asked: readonly string[];
  readonly events: readonly RunEvent[];
  /** The rank is lost before it answers. @throws RanksLostError always */
  lose(rank: number): never;
}

/** @param override what single ranks do otherwise than to do what they are asked */
function rigOf(override: (rig: Rig) => Readonly<Record<number, Partial<RankCommands>>>): Rig {
  const events: RunEvent[] = [];
  const asked: string[] = [];
  const emit = (event: RunEvent): void => void events.push(event);
  const obedient = (rank: number): RankCommands => ({
    advance: async ({ step }) => ({ ...statusBefore(rank, step, 0), exchanges: step }),
    hold: async () => ({ step: 0, committed: 0 }),
    retarget: async () => {},
    weights: async () => ({ parameters: new Float32Array(0), buffers: new Float32Array(0) }),
    snapshot: async () => savedBy(rank),
    restore: async () => {},
    regroup: async () => {},
    haveCallsEnded: async () => true,
    takeOver: async () => {},
  });
  const ranks = Array.from({ length: NODES }, (_, rank) => obedient(rank));
  const watched = ranks.map((commands, rank) => ({
    ...commands,
    advance: (...given: Parameters<RankCommands["advance"]>) => {
      asked.push(`${rank} advances`);
      return ranks[rank]!.advance(...given);
    },
    hold: () => ranks[rank]!.hold(),
    retarget: (...given: Parameters<RankCommands["retarget"]>) => ranks[rank]!.retarget(...given),
    snapshot: (...given: Parameters<RankCommands["snapshot"]>) => ranks[rank]!.snapshot(...given),
    haveCallsEnded: () => ranks[rank]!.haveCallsEnded(),
    regroup: (...given: Parameters<RankCommands["regroup"]>) => ranks[rank]!.regroup(...given),
    takeOver: (...given: Parameters<RankCommands["takeOver"]>) => {
      asked.push(`${rank} takes over step ${given[0]}`);
      return ranks[rank]!.takeOver(...given);
    },
  }));
  const options = { strategy: ddp(), batchSize: 8, emit };
  const group = new ProcessGroup({
    setup: { options, prepared: { maxSteps: 10, layout: { size: 0 } } } as unknown as FitSetup,
    executor: {} as never,
    network: { snapshot: () => null } as never,
    ranks: watched,
    config: () => ({}),
    fate: async () => "it was killed",
    presence: new Presence({
      worldSize: NODES,
      policy: { kind: "quorum", fraction: 0.6, seconds: 0 },
      survives: true,
      returnMs: 3_600_000,
      emit,
    }),
    nowMs: () => 0,
    timeoutMs: 3_600_000,
  });
  const rig: Rig = {
    group,
    ranks,
    asked,
    events,
    lose(rank) {
      group.lose(rank, "its connection closed");
      throw new RanksLostError(`Rank ${rank} is lost.`, [rank]);
    },
  };
  for (const [rank, commands] of Object.entries(override(rig))) Object.assign(ranks[Number(rank)]!, commands);
  return rig;
}

test("a rank that is lost while it is saved is saved as rank 0 is", async () => {
  const { group } = rigOf(({ lose }) => ({ 1: { snapshot: async () => lose(1) } }));
  const { nodes } = await group.snapshot();
  expect(nodes.map(({ state }) => state.time)).toEqual([0, 0, 2]);
});

test("where a loss has broken off what overlaps with computing, the others begin it again before they are saved", async () => {
  const told: string[] = [];
  const { group } = rigOf(({ group, ranks }) => {
    const regroup = (rank: number): Partial<RankCommands> => ({
      regroup: async (members, _, cause) => void told.push(`${rank} among ${members} after a ${cause}`),
    });
    return {
      0: {
        ...regroup(0),
        haveCallsEnded: async () => {
          group.lose(1, "its connection closed");
          ranks[0]!.haveCallsEnded = async () => true;
          return false;
        },
      },
      2: regroup(2),
    };
  });
  const { nodes } = await group.snapshot();
  expect(told).toEqual(["0 among 0,2 after a loss", "2 among 0,2 after a loss"]);
  expect(nodes.map(({ state }) => state.time)).toEqual([0, 0, 2]);
});

test("a rank that is lost again while it gets its state is none of the quorum; the next that is back is", async () => {
  const { group, asked, events } = rigOf(({ lose, group, ranks }) => {
    const advanceOf = [0, 1, 2].map((rank) => ranks[rank]!.advance);
    return {
      0: {
        // Once, it stands in the exchange of step 4.
        advance: async () => {
          ranks[0]!.advance = advanceOf[0]!;
          return { ...statusBefore(0, 4, 0), exchanges: 3, isStanding: true, begin: 3 };
        },
      },
      1: {
        advance: async () => lose(1),
        takeOver: async () => {
          setImmediate(() => group.returned(2));
          lose(1);
        },
      },
      2: {
        advance: async () => {
          ranks[2]!.advance = advanceOf[2]!;
          setImmediate(() => group.returned(1));
          return lose(2);
        },
      },
    };
  });
  await group.advance(10, undefined);
  expect(asked).toEqual([
    "0 advances",
    "1 advances",
    "2 advances",
    "1 takes over step 3",
    "2 takes over step 3",
    "0 advances",
    "2 advances",
  ]);
  const told = events.flatMap((event) => (event.type === "fault" ? [[event.kind, event.ranks]] : []));
  expect(told).toEqual([
    ["crash", [1]],
    ["crash", [2]],
    ["crash", [1]],
    ["recovered", [2]],
    ["goneOn", [1]],
  ]);
});

test("where a rank is lost while all are held to stop early, the others are told to go on", async () => {
  const told: number[] = [];
  const { group, events } = rigOf(({ lose, ranks }) => {
    const advanceOf = [0, 1, 2].map((rank) => ranks[rank]!.advance);
    const untilTold = (rank: number) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      return {
        // The others cannot end before they have been told where.
        advance: async (...given: Parameters<RankCommands["advance"]>) => {
          await promise;
          ranks[rank]!.advance = advanceOf[rank]!;
          return advanceOf[rank]!(...given);
        },
        retarget: async () => {
          told.push(rank);
          resolve();
        },
      };
    };
    const lost = Promise.withResolvers<void>();
    return {
      0: untilTold(0),
      1: untilTold(1),
      2: {
        advance: async () => {
          await lost.promise;
          return lose(2);
        },
        hold: async () => {
          lost.resolve();
          return lose(2);
        },
        retarget: async () => lose(2),
      },
    };
  });
  await group.advance(10, AbortSignal.abort());
  // Once more when they have begun again what rank 2 broke off, since the run is to stop still.
  expect(told).toEqual([0, 1, 0, 1]);
  expect(events.filter((event) => event.type === "fault").map(({ kind }) => kind)).toContain("crash");
});
