// A state on its way from one rank to those that are back and have none, through rank 0, which asks the one and tells the
// others.

import { type Rank, RunError } from "@atoll/core";
import type { Presence } from "./presence.ts";
import type { Moment } from "./processLife.ts";
import type { RankCommands, RankStatus } from "./rank.ts";
import { withBytes } from "./worldSnapshot.ts";

export interface HandOverOptions {
  readonly from: Rank;
  readonly moment: Moment;
  readonly ranks: readonly RankCommands[];
  /** By rank. */
  readonly statuses: readonly RankStatus[];
  readonly presence: Presence;
  /** Seconds of the run. */
  readonly time: number;
}

/**
 * Gives all that are back what a rank has now, or had when it began the round that it stands in.
 * @returns those that have it, but for ranks that are lost again, and after how many steps it is
 * @throws RunError if the rank has not kept what it began its round with
 */
export async function handOver({
  from,
  moment,
  ranks,
  statuses,
  presence,
  time,
}: HandOverOptions): Promise<{ readonly to: readonly Rank[]; readonly step: number }> {
  const { exchanges, ...status } = statuses[from]!;
  const step = moment === "now" ? status.step : status.begin;
  if (step === null) throw noBegin(status.step);
  const saved = await ranks[from]!.snapshot(moment);
  const bytes = Object.values(saved.node.tensors()).reduce((sum, { data }) => sum + data.byteLength, 0);
  const to: Rank[] = [];
  for (const rank of presence.back) {
    // What it has spent and sent is its own.
    const { spent, bytesSent } = statuses[rank]!;
    const given = { ...saved, spent, world: withBytes(saved.world, bytesSent) };
    try {
      await ranks[rank]!.takeOver(step, exchanges, given);
    } catch (error) {
      if (!presence.back.includes(rank)) continue;
      throw error;
    }
    presence.recovered(rank, { from, step, bytes }, time);
    to.push(rank);
  }
  return { to, step };
}

const noBegin = (step: number): RunError =>
  new RunError(
    `The run cannot go on after step ${step}: those that are left are no quorum, and ranks that are back cannot join them, since calls of the strategy were under way when the round began. Go on from its last checkpoint, or use faults.whenMissing=timeout.`,
  );
