// The keeper's script in the shells of this machine, by itself.

import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exec } from "../exec/exec.ts";
import { ended } from "../test/processes.ts";
import { type KeeperReport, readReport, startKeeper } from "./keeper.ts";

const mark = "mark";
const keep = (script: string, graceMs = 100) =>
  startKeeper({ command: ["sh", "-c", script], environment: {}, graceMs, mark });

interface Kept {
  readonly output: readonly string[];
  readonly reports: readonly KeeperReport[];
}

/** @param onOutput may end the keeper's input, as a broken connection does */
async function run(
  [shell, ...before]: readonly string[],
  input: Buffer,
  argv: readonly string[],
  onOutput: (end: () => void) => void = () => {},
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Kept> {
  const output: string[] = [];
  const reports: KeeperReport[] = [];
  const keeper = exec(shell!, [...before, ...argv.slice(1)], {
    environment,
    input: "held",
    endsWithInput: true,
    onLines: (lines, stream) => {
      for (const line of lines) {
        const { text, report } = stream === "stderr" ? readReport(line, mark) : { text: line };
        if (text !== undefined) output.push(text);
        if (report) reports.push(report);
      }
      if (output.length > 0) onOutput(() => keeper.input?.end());
    },
  });
  keeper.input?.write(input);
  await keeper.outcome;
  return { output, reports };
}

/** With a socket for its input, it thinks of sshd and would read ~/.bashrc. */
const bash = ["/bin/bash", "--norc"];
const shells = [["/bin/sh"], bash, ["/bin/dash"], ["/bin/busybox", "sh"]].filter(([path]) =>
  existsSync(path!),
);

test.each(shells)("%s keeps a rank to its end", async (...shell) => {
  const { argv, input } = keep("echo out; echo err >&2; exit 3");
  const { output, reports } = await run(shell, input, argv);
  expect([...output].sort()).toEqual(["err", "out"]);
  expect(reports).toEqual([{ kind: "started" }, { kind: "ended", status: 3 }]);
});

test.each(shells)("%s stops a rank and what it has started when its input ends", async (...shell) => {
  const { argv, input } = keep('trap "" TERM; sleep 600 & echo $$; echo $!; while :; do sleep 600; done');
  const { output, reports } = await run(shell, input, argv, (end) => end());
  expect(reports).toEqual([{ kind: "started" }, { kind: "stopping" }, { kind: "ended", status: 137 }]);
  for (const pid of output) await ended(Number(pid));
});

test("where there is no setsid, a shell's own job control serves, as on macOS", async (context) => {
  if (!existsSync("/bin/bash")) context.skip("no bash here");
  const directory = await mkdtemp(join(tmpdir(), "atoll-keeper-"));
  for (const name of ["dd", "sleep", "sh"]) await symlink(`/bin/${name}`, join(directory, name));
  const { argv, input } = keep('trap "" TERM; sleep 600 & echo $$; echo $!; while :; do sleep 600; done');
  const { output, reports } = await run(bash, input, argv, (end) => end(), { PATH: directory });
  await rm(directory, { recursive: true });
  expect(reports).toEqual([{ kind: "started" }, { kind: "stopping" }, { kind: "ended", status: 137 }]);
  expect(output.length).toBeGreaterThan(0);
  for (const pid of output) await ended(Number(pid));
});

test("a script that comes only in part runs nothing", async () => {
  const { argv, input } = keep("echo ran");
  for (const length of [1, input.length >> 1, input.length - 1]) {
    const shell = exec("/bin/sh", argv.slice(1), {
      environment: process.env,
      input: "held",
      onLines: (lines) => expect(lines.join()).not.toMatch(/ran|started/),
    });
    shell.input?.end(input.subarray(0, length));
    expect(await shell.outcome).toMatchObject({ kind: "exited" });
  }
});

test("a report after an unfinished line leaves the line to the rank", () => {
  expect(readReport(`half a line\x1e${mark} ended 7`, mark)).toEqual({
    text: "half a line",
    report: { kind: "ended", status: 7 },
  });
  expect(readReport(`\x1e${mark}s are fine`, mark)).toEqual({ text: `\x1e${mark}s are fine` });
});
