// Any rank but 0, from its coming to the end of the run.

import { type Rank, RunError } from "@atoll/core";
import { inRunTime, type Joined } from "./joined.ts";
import type { RunFailure } from "./messages.ts";
import { LocalRank } from "./rank.ts";
import { COMMANDER, Reporter, serveRank, type Welcome } from "./serveRank.ts";

/** @returns why the run has not come to its end; null if it has. @throws RunError if rank 0 is lost */
export async function follow(joined: Joined): Promise<RunFailure | null> {
  const { setup, executor, world, links, channel, identity, nowMs, collectives, signal } = joined;
  const { rank } = world;
  const reporter = new Reporter(channel);
  const own = new LocalRank({
    rank,
    setup,
    executor,
    world,
    nowMs,
    signal,
    report: (report) => reporter.step(report),
    survives: joined.survives,
    plan: joined.plan,
  });
  collectives.onPart = (part) => reporter.collective(inRunTime(own, joined.epoch.ms, part));
  const lost = Promise.withResolvers<never>();
  const lose = ({ rank: gone, cause }: { readonly rank: Rank; readonly cause: string }): void => {
    if (gone === COMMANDER)
      lost.reject(new RunError(`Rank ${rank} stops: rank 0, which drives the run, is lost (${cause}).`));
  };
  world.onLost(lose);
  world.losses().forEach(lose);
  const tell = (): void => channel.send(COMMANDER, { kind: "interrupted" });
  setup.options.signal?.addEventListener("abort", tell, { once: true });
  if (setup.options.signal?.aborted) tell();
  channel.send(COMMANDER, { kind: "hello", identity, offer: links.offer });
  const begin = async ({ epochMs, shaping }: Welcome): Promise<void> => {
    joined.epoch.ms = epochMs;
    await links.settle(shaping);
  };
  try {
    return await Promise.race([serveRank(own, channel, begin), lost.promise]);
  } finally {
    setup.options.signal?.removeEventListener("abort", tell);
  }
}
