// Networks with exact links, and how long schedules take on them.

import { type Call, type Schedule, scheduleOf } from "@atoll/comm";
import { createRandom, type Rank, seconds } from "@atoll/core";
import { type Network, type NetworkOptions, resolveNetwork, type TransferSchedule } from "@atoll/network";

export const SEED = 1;

export const ranksOf = (worldSize: number): readonly Rank[] =>
  Array.from({ length: worldSize }, (_, rank) => rank);

/** A network whose links neither jitter nor lose anything, unless the options say so. */
export const exactNetwork = (options: NetworkOptions, worldSize: number): Network =>
  resolveNetwork({ jitter: 0, loss: 0, ...options }, { worldSize, random: createRandom(SEED) });

/** A collective of all nodes. @param lengths each member's part, in elements, where parts differ */
export function planned(call: Call, network: Network, lengths: readonly number[] = []): Schedule {
  const { topology } = network;
  return scheduleOf(call, lengths, { ranks: ranksOf(topology.worldSize), topology });
}

/** Simulated seconds until each member is done, all ready at 0. */
export const endsOf = (schedule: TransferSchedule, network: Network): readonly number[] =>
  network.time(
    schedule,
    schedule.ranks.map(() => seconds(0)),
  );

/** Simulated seconds until the last member is done. */
export const duration = (schedule: TransferSchedule, network: Network): number =>
  Math.max(...endsOf(schedule, network));

/** One message each, all sent at once: [source, target, bytes]. */
export function messages(
  worldSize: number,
  sent: readonly (readonly [source: Rank, target: Rank, bytes: number])[],
): TransferSchedule {
  return {
    ranks: ranksOf(worldSize),
    chunkBytes: Float64Array.from(sent, ([, , bytes]) => bytes),
    rounds: () => [
      {
        sources: Int32Array.from(sent, ([source]) => source),
        targets: Int32Array.from(sent, ([, target]) => target),
        chunks: Int32Array.from(sent, (_, chunk) => chunk),
      },
    ],
  };
}
