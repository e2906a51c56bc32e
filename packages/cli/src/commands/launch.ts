// atoll launch: the same command on every node, with the rank environment, as a cluster's own launcher would do it.

import { randomBytes } from "node:crypto";
import { describeExit, exitCodeOf, type Job, type LogLine } from "@atoll/cluster";
import { ConfigError } from "@atoll/core";
import { table } from "../help.ts";
import { type LaunchedCommand, parseLaunch } from "../launch/launchArguments.ts";
import { type LaunchTarget, targetOf } from "../launch/launchTarget.ts";
import type { Command, Terminal } from "../terminal.ts";

export const launchCommand: Command = {
  whenInterrupted: "Stopping all ranks",
  help: () => Promise.resolve(launchHelp()),
  async run(argv, terminal) {
    const given = parseLaunch(argv);
    refuseSweeps(given.command);
    const target = await targetOf(given, terminal);
    await using meeting = await target.meetingPort(terminal.interrupted);
    const { note, port: masterPort } = meeting;
    const random = randomBytes(32).toString("hex");
    const job = await target.launcher.launch(
      {
        command: commandOn(target, given.command),
        runId: `launch-${Math.floor(terminal.now() / 1000).toString(36)}-${random.slice(0, 6)}`,
        token: random.slice(6),
        masterPort,
        ...(given.graceMs === undefined ? {} : { graceMs: given.graceMs }),
      },
      { signal: terminal.interrupted },
    );
    terminal.error(`Launching on ${target.description}${note === undefined ? "" : `; ${note}`}.\n`);
    const [isRead] = await Promise.all([printLines(job, terminal), tellEnds(job, terminal)]);
    const code = exitCodeOf(await job.wait());
    if (terminal.interrupted.aborted) return 130;
    return isRead ? code : READER_GONE;
  },
};

function refuseSweeps({ kind, argv }: LaunchedCommand): void {
  if (kind === "atoll" && argv[0] === "sweep")
    throw new ConfigError(
      "Sweeps are not there yet: this version launches train, node and any program. Write npx atoll launch train … for one run.",
    );
}

function commandOn(
  { atoll }: LaunchTarget,
  { kind, argv }: LaunchedCommand,
): readonly [program: string, ...argv: string[]] {
  const [program = "", ...rest] = kind === "atoll" ? [...atoll, ...argv] : argv;
  return [program, ...rest];
}

/** As of a program that SIGPIPE ends: `atoll launch … | head`. */
const READER_GONE = 141;

/** @returns whether someone has read all of it; if the reader goes, the ranks are stopped */
async function printLines(job: Job, terminal: Terminal): Promise<boolean> {
  let isRead = true;
  const text = (lines: readonly LogLine[], stream: LogLine["stream"]): string =>
    lines
      .filter((line) => line.stream === stream)
      .map((line) => `[${line.rank}] ${line.text}\n`)
      .join("");
  for await (const lines of job.logs()) {
    terminal.output(text(lines, "stdout"));
    terminal.error(text(lines, "stderr"));
    if ((await terminal.drained()) || !isRead) continue;
    isRead = false;
    void job.stop();
  }
  return isRead;
}

/** Says which ranks have failed, and that others were stopped for it. */
async function tellEnds(job: Job, terminal: Terminal): Promise<void> {
  const stopped: number[] = [];
  let failed = false;
  for await (const event of job.events()) {
    if (event.kind !== "rankEnded") continue;
    const { rank, host, reason } = event;
    if (reason.kind === "cancelled") stopped.push(rank);
    else if (exitCodeOf(reason) !== 0) {
      failed = true;
      terminal.error(`atoll: rank ${rank} on ${host} ${describeExit(reason)}.\n`);
    }
  }
  if (failed && stopped.length > 0)
    terminal.error(
      `atoll: ${stopped.length === 1 ? "rank" : "ranks"} ${stopped.sort((a, b) => a - b).join(", ")} stopped for that.\n`,
    );
}

const launchHelp = (): string => `Runs the same command on every node, with the rank environment.

Usage: npx atoll launch [flags] -- <program> [arguments]
       npx atoll launch [flags] <atoll command> [arguments]

What the ranks print comes with their number before each line: [0] … . When one fails, the others
are stopped, and so are all at Ctrl-C: SIGTERM, then SIGKILL. Nothing stays behind on any node, even
if launch itself is killed.

Flags:
${table([
  ["--nodes N", "how many nodes; for atoll train, nodes=N says it, too"],
  ["--on docker", "the nodes of a running sandbox: npx atoll sandbox setup (the default if one runs)"],
  ["--on local", "processes of this machine (the default otherwise)"],
  [
    "--on ssh:FILE",
    "the hosts of a file, one a line: [user@]host[:port] [slots=N] and more, see docs/launch.md",
  ],
  ["--name NAME", "which sandbox"],
  ["--engine docker|podman", "the engine of the sandbox, instead of the first that answers"],
  ["--port P", "where ranks meet on the first node (29500, or the next that is free; by ssh 29500)"],
  ["--grace SECONDS", "between SIGTERM and SIGKILL, when ranks are stopped (10)"],
  ["--dir PATH", "where the command works: by default here; in a sandbox, where its image does"],
])}

Set for each rank:
  RANK WORLD_SIZE LOCAL_RANK NODE_INDEX NUM_NODES MASTER_ADDR MASTER_PORT DIST_URL
  SKYPILOT_NODE_RANK SKYPILOT_NODE_IPS SKYPILOT_NUM_NODES SKYPILOT_NUM_GPUS_PER_NODE
  SKYPILOT_TASK_ID ATOLL_RUN_ID ATOLL_TOKEN

Exit codes: the worst rank's (128 + n if signal n ended it); 1 a node was lost, 2 the command line is wrong,
126 no such directory, 127 no such program, 130 interrupted.

Examples:
  npx atoll launch --nodes 3 -- hostname
  npx atoll launch train mnist nodes=3 network.profile=wan
  npx atoll launch --on ssh:hosts.txt -- python train.py --epochs 3
`;
