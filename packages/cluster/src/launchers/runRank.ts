// One rank of a job, whatever lies between it and this process: starts its keeper there, passes its output on, and finds
// out how it ended. Without the keeper's last report a rank is lost, however its connection has ended.

import type { Exec, ExecOutcome, OutputStream } from "../exec/exec.ts";
import { type ExitReason, reasonOfStatus } from "../exitReason.ts";
import { type KeeperReport, type KeeperStart, readReport } from "../keeper/keeper.ts";

/** How to run a program on a node. */
export interface Route {
  /** For people: "host b". */
  readonly host: string;
  /** @param argv what to run there: the keeper's, so plain that no shell on the way changes it */
  call(argv: readonly string[]): { readonly program: string; readonly argv: readonly string[] };
  /** All of the environment of the program that goes there; the node may have another one. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Why the rank was lost: a sentence without its end, from how the connection ended and its last words. */
  explain(outcome: ExecOutcome, words: readonly string[]): string;
}

export interface RankSinks {
  onLines(stream: OutputStream, lines: readonly string[]): void | Promise<void>;
  onStarted(): void;
}

export interface RunningRank {
  readonly ended: Promise<ExitReason>;
  /** Kept when the command has been started, or will not be. */
  readonly started: Promise<void>;
  /** Asks it to stop: SIGTERM, and SIGKILL after the grace. What cannot be reached any more is given up. */
  stop(): void;
}

/** After the grace, how long a connection may take to tell that the rank has ended. */
const ANSWER_MS = 5_000;

export function runRank(exec: Exec, route: Route, keeper: KeeperStart, sinks: RankSinks): RunningRank {
  const { spec } = keeper;
  const started = Promise.withResolvers<void>();
  const reports = new Map<KeeperReport["kind"], KeeperReport>();
  const channel = keeperChannel(spec.mark, (report) => {
    reports.set(report.kind, report);
    if (report.kind !== "started") return;
    sinks.onStarted();
    started.resolve();
  });
  const giveUp = new AbortController();
  const call = route.call(keeper.argv);
  const connection = exec(call.program, call.argv, {
    environment: route.environment,
    input: "held",
    endsWithInput: true,
    signal: giveUp.signal,
    onLines: (lines, stream) => sinks.onLines(stream, stream === "stderr" ? channel.take(lines) : lines),
  });
  connection.input?.write(keeper.input);
  let patience: NodeJS.Timeout | undefined;
  let over = false;

  const end = async (): Promise<ExitReason> => {
    const outcome = await connection.outcome;
    over = true;
    clearTimeout(patience);
    started.resolve();
    if (reports.has("noCommand")) {
      await sinks.onLines("stderr", [
        `atoll: there is no command ${JSON.stringify(spec.command[0])} on ${route.host}. Install it there, or write its path.`,
      ]);
      return { kind: "exited", code: 127 };
    }
    if (reports.has("noDirectory")) {
      await sinks.onLines("stderr", [
        `atoll: there is no directory ${spec.workingDirectory} on ${route.host} to work in. Make it there, or name another one with --dir.`,
      ]);
      return { kind: "exited", code: 126 };
    }
    const ended = reports.get("ended");
    const asked = patience !== undefined;
    if (asked && (reports.has("stopping") || !ended)) return { kind: "cancelled" };
    // A keeper that stops its rank unasked has lost its connection.
    if (ended?.kind === "ended" && !reports.has("stopping")) return reasonOfStatus(ended.status);
    return { kind: "lost", cause: route.explain(outcome, channel.words()) };
  };
  return {
    started: started.promise,
    ended: end(),
    stop() {
      if (over) return;
      connection.input?.end();
      patience ??= setTimeout(() => giveUp.abort(), spec.graceMs + ANSWER_MS);
    },
  };
}

/** Lines of a connection that is being made: a remote host's greetings, or why it cannot be made. */
const MOST_WORDS = 40;

interface KeeperChannel {
  /** The rank's own lines among these; what comes before its start is held back until then. */
  take(lines: readonly string[]): readonly string[];
  /** The last words: before the start, none of them are the rank's. */
  words(): readonly string[];
}

function keeperChannel(mark: string, onReport: (report: KeeperReport) => void): KeeperChannel {
  let greetings: string[] | undefined = [];
  let last: readonly string[] = [];
  return {
    take(lines) {
      const own: string[] = [];
      for (const line of lines) {
        const { text, report } = readReport(line, mark);
        if (text !== undefined) (greetings ?? own).push(text);
        if (!report) continue;
        onReport(report);
        if (report.kind !== "started") continue;
        own.push(...(greetings ?? []));
        greetings = undefined;
      }
      greetings = greetings?.slice(-MOST_WORDS);
      if (own.length > 0) last = own.slice(-MOST_WORDS);
      return own;
    },
    words: () => greetings ?? last,
  };
}
