// A job: its ranks side by side, each behind its own route. One that fails stops the others; output, events and the worst
// end are the whole job's. All launchers are this and a list of routes.

import { createHmac } from "node:crypto";
import type { Exec } from "../exec/exec.ts";
import { type ExitReason, exitCodeOf } from "../exitReason.ts";
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

export function runJob(
  exec: Exec,
  job: JobSpec,
  placements: readonly Placement[],
  signal: AbortSignal | undefined,
): Job {
  const log = outputLog();
  const events = eventLog<JobEvent>();
  const running: RunningRank[] = [];
  /** Why ranks are asked to stop, once they are. */
  let stopped: "failure" | ExitReason | undefined;
  const stopAll = (why: "failure" | ExitReason): void => {
    stopped ??= why;
    for (const rank of running) rank.stop();
  };

  const start = ({ environment, route }: Placement): RunningRank => {
    const { rank } = environment;
    const started = runRank(exec, route, keeperSpec(job, environment), {
      onStarted: () => events.push({ kind: "rankStarted", rank, host: route.host }),
      onLines: (stream, texts) => log.push(texts.map((text): LogLine => ({ rank, stream, text }))),
    });
    running.push(started);
    return started;
  };
  const follow = async (
    { environment: { rank }, route: { host } }: Placement,
    ended: Promise<ExitReason>,
  ) => {
    const end = await ended;
    const reason = end.kind === "cancelled" && typeof stopped === "object" ? stopped : end;
    events.push({ kind: "rankEnded", rank, host, reason });
    if (exitCodeOf(reason) !== 0) stopAll("failure");
    return reason;
  };
  const runHost = async (onHost: readonly Placement[]): Promise<readonly ExitReason[]> => {
    const ends: Promise<ExitReason>[] = [];
    for (let next = 0; next < onHost.length; next += MOST_STARTING) {
      const batch = onHost.slice(next, next + MOST_STARTING).map((placement) => {
        const rank = stopped === undefined ? start(placement) : undefined;
        ends.push(follow(placement, rank?.ended ?? Promise.resolve({ kind: "cancelled" })));
        return rank?.started;
      });
      await Promise.all(batch);
    }
    return Promise.all(ends);
  };

  const cancel = (): void => stopAll({ kind: "cancelled" });
  const run = async (): Promise<ExitReason> => {
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel);
    const { timeoutMs } = job;
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => stopAll({ kind: "timedOut", afterMs: timeoutMs }), timeoutMs);
    try {
      const hosts = Map.groupBy(placements, ({ route }) => route.host).values();
      const reasons = (await Promise.all([...hosts].map(runHost))).flat();
      return worst(reasons);
    } finally {
      signal?.removeEventListener("abort", cancel);
      clearTimeout(timer);
      log.close();
      events.close();
    }
  };
  const ended = run();
  return {
    events: events.read,
    logs: log.read,
    wait() {
      log.discard();
      return ended;
    },
    async stop() {
      cancel();
      log.discard();
      await ended;
    },
  };
}

function keeperSpec(job: JobSpec, environment: RankEnvironment): Parameters<typeof runRank>[2] {
  return {
    command: job.command,
    environment: { ...job.environment, ...writeRankEnvironment(environment) },
    workingDirectory: job.workingDirectory,
    graceMs: job.graceMs ?? GRACE_MS,
    mark: createHmac("sha256", job.token).update(`keeper of rank ${environment.rank}`).digest("hex"),
  };
}

/** Ranks that were stopped count only where nothing else has gone wrong. */
function worst(reasons: readonly ExitReason[]): ExitReason {
  const severity = (reason: ExitReason): number => {
    if (reason.kind === "cancelled") return 0.5;
    return exitCodeOf(reason);
  };
  return reasons.reduce((most, reason) => (severity(reason) > severity(most) ? reason : most));
}
