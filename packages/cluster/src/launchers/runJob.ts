// A job: its ranks side by side, each behind its own route. One that fails stops the others; output, events and the worst
// end are the whole job's. All launchers are this and a list of routes.

import { createHmac } from "node:crypto";
import type { Exec } from "../exec/exec.ts";
import { type ExitReason, exitCodeOf } from "../exitReason.ts";
import { type KeeperSpec, startKeeper } from "../keeper/keeper.ts";
import type { Job, JobEvent, JobSpec, LogLine } from "../launcher.ts";
import { type RankEnvironment, writeRankEnvironment } from "../rank/rankEnvironment.ts";
import { eventLog } from "./eventLog.ts";
import { outputLog } from "./outputLog.ts";
import { type Route, type RunningRank, runRank } from "./runRank.ts";

export interface Placement {
  readonly environment: RankEnvironment;
  readonly route: Route;
}

const GRACE_MS = 10_000;
/** sshd refuses some of more than ten connections that are being made at a time (MaxStartups). */
const MOST_STARTING = 8;

/**
 * @throws ConfigError for a command or a variable that no program can be given, before anything has started
 */
export function runJob(
  exec: Exec,
  job: JobSpec,
  placements: readonly Placement[],
  signal: AbortSignal | undefined,
): Job {
  const log = outputLog();
  const events = eventLog<JobEvent>();
  const ranks = placements.map(({ environment, route }): GroupedRank => {
    const { rank } = environment;
    const { host } = route;
    const keeper = startKeeper(keeperSpec(job, environment));
    return {
      host,
      start: () =>
        runRank(exec, route, keeper, {
          onStarted: () => events.push({ kind: "rankStarted", rank, host }),
          onLines: (stream, texts) => log.push(texts.map((text): LogLine => ({ rank, stream, text }))),
        }),
      onEnded: (reason) => events.push({ kind: "rankEnded", rank, host, reason }),
    };
  });
  const group = rankGroup(ranks);
  const ended = within(group, job.timeoutMs, signal).finally(() => {
    log.close();
    events.close();
  });
  return {
    events: events.read,
    logs: log.read,
    wait() {
      log.discard();
      return ended;
    },
    async stop() {
      group.stop({ kind: "cancelled" });
      log.discard();
      await ended;
    },
  };
}

/** Runs the group to its end, and no longer than it may. */
async function within(
  group: RankGroup,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<ExitReason> {
  const cancel = (): void => group.stop({ kind: "cancelled" });
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => group.stop({ kind: "timedOut", afterMs: timeoutMs }), timeoutMs);
  try {
    return worst(await group.run());
  } finally {
    signal?.removeEventListener("abort", cancel);
    clearTimeout(timer);
  }
}

interface GroupedRank {
  readonly host: string;
  start(): RunningRank;
  onEnded(reason: ExitReason): void;
}

interface RankGroup {
  run(): Promise<readonly ExitReason[]>;
  /** @param why what the ranks that end for it are said to have ended by */
  stop(why: ExitReason): void;
}

function rankGroup(ranks: readonly GroupedRank[]): RankGroup {
  const running: RunningRank[] = [];
  let stopped: ExitReason | undefined;
  const stop = (why: ExitReason): void => {
    stopped ??= why;
    for (const rank of running) rank.stop();
  };
  const follow = async (rank: GroupedRank, ended: Promise<ExitReason>): Promise<ExitReason> => {
    const end = await ended;
    const reason = end.kind === "cancelled" ? (stopped ?? end) : end;
    rank.onEnded(reason);
    if (exitCodeOf(reason) !== 0) stop({ kind: "cancelled" });
    return reason;
  };
  const runHost = async (onHost: readonly GroupedRank[]): Promise<readonly ExitReason[]> => {
    const ends: Promise<ExitReason>[] = [];
    for (let next = 0; next < onHost.length; next += MOST_STARTING) {
      const batch = onHost.slice(next, next + MOST_STARTING).map((rank) => {
        const started = stopped === undefined ? rank.start() : undefined;
        if (started) running.push(started);
        ends.push(follow(rank, started?.ended ?? Promise.resolve({ kind: "cancelled" })));
        return started?.started;
      });
      await Promise.all(batch);
    }
    return Promise.all(ends);
  };
  return {
    stop,
    async run() {
      const hosts = Map.groupBy(ranks, ({ host }) => host).values();
      return (await Promise.all([...hosts].map(runHost))).flat();
    },
  };
}

function keeperSpec(job: JobSpec, environment: RankEnvironment): KeeperSpec {
  return {
    command: job.command,
    environment: { ...job.environment, ...writeRankEnvironment(environment) },
    workingDirectory: job.workingDirectory,
    graceMs: job.graceMs ?? GRACE_MS,
    mark: createHmac("sha256", job.token).update(`keeper of rank ${environment.rank}`).digest("hex"),
  };
}

/** The highest code; ranks that were stopped count only where nothing else has gone wrong. */
function worst(reasons: readonly ExitReason[]): ExitReason {
  const severity = (reason: ExitReason): number => (reason.kind === "cancelled" ? 0.5 : exitCodeOf(reason));
  return reasons.reduce((most, reason) => (severity(reason) > severity(most) ? reason : most));
}
