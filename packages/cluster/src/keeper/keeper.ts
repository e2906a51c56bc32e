// The keeper: a shell script that stands beside each rank on its machine, be that this one, one behind ssh or a container.
// It starts the command in a session of its own, reports its start and its end, and ends it when its standard input ends:
// if the launcher asks for that, dies, or can no longer be reached. So nothing stays behind anywhere, and all launchers
// behave alike. It needs /bin/sh and dd, and setsid where sh has no job control.
//
// The script comes over standard input, too, which then stays open: the command line that starts it is always the same,
// so that no login shell has anything to quote, and no token is seen in a list of processes.

import { ConfigError, invariant } from "@atoll/core";
import { quote } from "./quote.ts";

export interface KeeperSpec {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Absent: where the keeper is started. */
  readonly workingDirectory?: string | undefined;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Marks the keeper's own lines among the rank's: a word that the rank cannot know. */
  readonly mark: string;
}

export interface KeeperStart {
  readonly spec: KeeperSpec;
  /** To be run on the machine. Plain enough for any login shell. */
  readonly argv: readonly [program: "/bin/sh", "-c", script: string];
  /** To be written to its standard input, which is to be held open as long as the rank may live. */
  readonly input: Buffer;
}

/** What the keeper reports on the rank's standard error. */
export type KeeperReport =
  | { readonly kind: "started" }
  /** It has asked the rank to stop, since its standard input has ended. */
  | { readonly kind: "stopping" }
  | { readonly kind: "noDirectory" }
  | { readonly kind: "noCommand" }
  /** A shell's status: 128 + n if signal n ended it. */
  | { readonly kind: "ended"; readonly status: number };

/** @throws ConfigError for text that no argument or variable can hold */
export function startKeeper(spec: KeeperSpec): KeeperStart {
  const input = Buffer.from(script(spec));
  return {
    spec,
    argv: ["/bin/sh", "-c", `eval "$(dd bs=1 count=${input.length} 2>/dev/null)"`],
    input,
  };
}

function script({ command, environment, workingDirectory, graceMs, mark }: KeeperSpec): string {
  invariant(/^\w+$/.test(mark) && command.length > 0, "the keeper has a plain mark and a command");
  // In braces, so that a script that comes only in part is not run at all. What sh starts with & ignores SIGINT and SIGQUIT,
  // unless env puts that right.
  return `{
exec 3<&0 4>&2 </dev/null 2>/dev/null
report() { printf '\\036${mark} %s\\n' "$1" >&4; }
${workingDirectory === undefined ? ":" : `cd -- ${quote(workingDirectory)}`} || { report noDirectory; exit 126; }
${Object.entries(environment).map(exported).join("")}set -- ${command.map(quote).join(" ")}
command -v "$1" >/dev/null || { report noCommand; exit 127; }
alone=setsid
command -v setsid >/dev/null || { alone=; set -m; }
! env --default-signal=INT,QUIT true || alone="$alone env --default-signal=INT,QUIT"
report started
{ exec $alone "$@"; } 2>&4 3<&- 4>&- &
rank=$!
(
  trap '' PIPE
  while read -r _; do :; done
  report stopping
  kill -TERM -$rank || kill -TERM $rank
  sleep ${graceMs / 1000} 4>&- &
  pause=$!
  trap 'kill $pause; exit' TERM
  wait $pause
  kill -KILL -$rank || kill -KILL $rank
) <&3 >/dev/null 3<&- &
watch=$!
exec 3<&-
wait $rank
status=$?
kill -KILL -$rank
kill $watch
report "ended $status"
exit $status
}`;
}

function exported([name, value]: readonly [string, string]): string {
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new ConfigError(
      `Expected a name of letters, digits and underscores for an environment variable, got ${JSON.stringify(name)}. A shell knows no other.`,
    );
  return `export ${name}=${quote(value)}\n`;
}

/**
 * Takes a line of standard error apart: the rank's own part, if there is any, and the keeper's report, if there is one.
 * A report follows an unfinished line of the rank without a break.
 */
export function readReport(
  line: string,
  mark: string,
): { readonly text?: string; readonly report?: KeeperReport } {
  const at = line.indexOf(`\x1e${mark} `);
  if (at < 0) return { text: line };
  const [kind, status] = line.slice(at + mark.length + 2).split(" ");
  const report = reportOf(kind!, Number(status));
  return at === 0 ? { report } : { text: line.slice(0, at), report };
}

function reportOf(kind: string, status: number): KeeperReport {
  if (kind === "ended" && Number.isInteger(status)) return { kind, status };
  invariant(
    kind === "started" || kind === "stopping" || kind === "noDirectory" || kind === "noCommand",
    `the keeper does not report "${kind}"`,
  );
  return { kind };
}
