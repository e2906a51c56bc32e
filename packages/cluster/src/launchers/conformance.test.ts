// What every launcher promises, on a real machine of its kind: a new launcher is one file and one row in test/rigs.ts.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExitReason } from "../exitReason.ts";
import type { Job, JobEvent, JobSpec, LogLine } from "../launcher.ts";
import { bytesInUse } from "../test/memory.ts";
import { type Rig, rigOrSkip, rigs } from "../test/rigs.ts";
import { anyText } from "../test/text.ts";

const spec: Omit<JobSpec, "command"> = {
  runId: "run-1",
  token: "c0ffee-c0ffee-c0ffee",
  masterPort: 29_500,
  graceMs: 300,
};

interface Ran {
  readonly reason: ExitReason;
  readonly lines: readonly LogLine[];
  readonly events: readonly JobEvent[];
}

/** Runs the job to its end. @param onLine is shown each line as it comes */
async function follow(job: Job, onLine: (line: LogLine) => void = () => {}): Promise<Ran> {
  const lines: LogLine[] = [];
  for await (const batch of job.logs())
    for (const line of batch) {
      lines.push(line);
      onLine(line);
    }
  const events: JobEvent[] = [];
  for await (const event of job.events()) events.push(event);
  return { reason: await job.wait(), lines, events };
}

const textsOf = (lines: readonly LogLine[], rank: number, stream = "stdout"): readonly string[] =>
  lines.filter((line) => line.rank === rank && line.stream === stream).map(({ text }) => text);

/** Of the processes whose numbers the ranks have printed. */
async function allEnded(rig: Rig, lines: readonly LogLine[]): Promise<void> {
  for (const { rank, stream, text } of lines)
    if (stream === "stdout") for (const pid of text.split(" ")) await rig.ended(rank, Number(pid));
}

const reasonsOf = (events: readonly JobEvent[]): Readonly<Record<number, ExitReason>> =>
  Object.fromEntries(
    events.flatMap((event) => (event.kind === "rankEnded" ? [[event.rank, event.reason]] : [])),
  );

/** An image may have to be built. */
const SETUP_MS = 600_000;

describe.each(rigs)("$name", ({ make }) => {
  let made: Rig | string | undefined;
  beforeAll(async () => {
    made = await make();
  }, SETUP_MS);
  afterAll(async () => {
    if (made !== undefined && typeof made !== "string") await made[Symbol.asyncDispose]();
  }, SETUP_MS);

  /** A test of jobs of `sh -c <script>`. */
  const conforms = (
    name: string,
    body: (run: {
      readonly rig: Rig;
      launch(nodes: number, script: string, job?: Partial<JobSpec>, signal?: AbortSignal): Promise<Job>;
    }) => Promise<void>,
  ): void =>
    test(name, async (context) => {
      const rig = rigOrSkip(made, context);
      await body({
        rig,
        launch: (nodes, script, job, signal) =>
          rig
            .launcher(nodes)
            .launch({ ...spec, command: ["sh", "-c", script], ...job }, signal ? { signal } : {}),
      });
    });

  conforms("every rank has the rank environment, and all end with 0", async ({ launch }) => {
    const names =
      "RANK WORLD_SIZE LOCAL_RANK NODE_INDEX NUM_NODES MASTER_PORT SKYPILOT_NODE_RANK SKYPILOT_NUM_NODES ATOLL_RUN_ID ATOLL_TOKEN MINE";
    const script = `for name in ${names}; do eval "echo \\"$name=\\$$name\\""; done; echo "$DIST_URL"; echo "$SKYPILOT_NODE_IPS" | wc -l`;
    const { reason, lines, events } = await follow(
      await launch(3, script, { environment: { MINE: "a  b" } }),
    );
    expect(reason).toEqual({ kind: "exited", code: 0 });
    for (const rank of [0, 1, 2])
      expect(textsOf(lines, rank)).toEqual([
        `RANK=${rank}`,
        "WORLD_SIZE=3",
        "LOCAL_RANK=0",
        `NODE_INDEX=${rank}`,
        "NUM_NODES=3",
        "MASTER_PORT=29500",
        `SKYPILOT_NODE_RANK=${rank}`,
        "SKYPILOT_NUM_NODES=3",
        "ATOLL_RUN_ID=run-1",
        `ATOLL_TOKEN=${spec.token}`,
        "MINE=a  b",
        expect.stringMatching(/^tcp:\/\/\S+:29500$/),
        expect.stringMatching(/^\s*3$/),
      ]);
    expect(
      events
        .filter(({ kind }) => kind === "rankStarted")
        .map(({ rank }) => rank)
        .sort(),
    ).toEqual([0, 1, 2]);
    expect(reasonsOf(events)).toEqual({ 0: reason, 1: reason, 2: reason });
  });

  conforms("the token is in no list of processes", async ({ launch }) => {
    const script = `printf %s "$ATOLL_TOKEN" | grep -la -f - /proc/[0-9]*/cmdline || echo none`;
    const { lines } = await follow(await launch(1, script));
    expect(textsOf(lines, 0)).toEqual(["none"]);
  });

  conforms("codes and signals are told apart", async ({ launch }) => {
    const ends: Readonly<Record<string, ExitReason>> = {
      "exit 0": { kind: "exited", code: 0 },
      "exit 3": { kind: "exited", code: 3 },
      "exit 255": { kind: "exited", code: 255 },
      "kill -SEGV $$": { kind: "killed", signal: "SIGSEGV" },
      "kill -KILL $$": { kind: "killed", signal: "SIGKILL" },
    };
    const run = async (script: string) => [script, (await follow(await launch(1, script))).reason];
    expect(Object.fromEntries(await Promise.all(Object.keys(ends).map(run)))).toEqual(ends);
  });

  conforms("arguments arrive as they are", async ({ rig }) => {
    const special = [
      "",
      " ",
      "two words",
      "a\nb\n",
      "it's",
      '"',
      "$HOME `id` $(id)",
      "\\",
      "*",
      "-n",
      "ü 漢 🏝",
      "!x",
    ];
    const drawn = fc.sample(anyText, { numRuns: 60, seed: 5 });
    const sent = [...special, ...drawn];
    // No text has the byte ff.
    const script = `for each; do printf '%s\\377' "$each"; done | od -An -v -tx1 | tr -d ' \\n'`;
    const launcher = rig.launcher(1);
    const { lines } = await follow(
      await launcher.launch({ ...spec, command: ["sh", "-c", script, "sh", ...sent] }),
    );
    const arrived = Buffer.from(textsOf(lines, 0).join(""), "hex")
      .toString("latin1")
      .split("\xff")
      .slice(0, -1);
    expect(arrived.map((text) => Buffer.from(text, "latin1").toString())).toEqual(sent);
  });

  conforms("the working directory is the one asked for", async ({ launch }) => {
    const { lines } = await follow(await launch(1, "pwd", { workingDirectory: "/usr/share" }));
    expect(textsOf(lines, 0)).toEqual(["/usr/share"]);
  });

  conforms("a directory that is not there is said", async ({ launch }) => {
    const { reason, lines } = await follow(await launch(1, "pwd", { workingDirectory: "/no where" }));
    expect(reason).toEqual({ kind: "exited", code: 126 });
    expect(textsOf(lines, 0, "stderr")).toEqual([
      expect.stringMatching(/^atoll: there is no directory \/no where on .* to work in\. Make it there/),
    ]);
  });

  conforms("a command that does not exist is said", async ({ rig }) => {
    const { reason, lines } = await follow(
      await rig.launcher(1).launch({ ...spec, command: ["no-such-program", "x"] }),
    );
    expect(reason).toEqual({ kind: "exited", code: 127 });
    expect(textsOf(lines, 0, "stderr")).toEqual([
      expect.stringMatching(/^atoll: there is no command "no-such-program" on .*\. Install it there/),
    ]);
  });

  conforms("no signal is ignored that programs are stopped by", async ({ launch }) => {
    // Bits n − 1 of SIGHUP, SIGINT, SIGQUIT, SIGPIPE and SIGTERM.
    const bits = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 12) | (1 << 14);
    const { lines } = await follow(await launch(1, "grep SigIgn /proc/$$/status"));
    const ignored = Number(`0x${/[0-9a-f]+$/.exec(textsOf(lines, 0)[0] ?? "")?.[0]}`);
    expect(ignored & bits).toBe(0);
  });

  conforms("what no program can be given is refused before anything starts", async ({ launch }) => {
    await expect(launch(2, "true", { environment: { "A B": "" } })).rejects.toThrow(
      /environment variable, got "A B"/,
    );
    await expect(launch(2, "true\0")).rejects.toThrow(/without a NUL character/);
  });

  conforms("standard input is empty", async ({ launch }) => {
    const { lines } = await follow(await launch(1, "cat; echo end"));
    expect(textsOf(lines, 0)).toEqual(["end"]);
  });

  conforms(
    "lines keep their order, streams are kept apart, and unfinished lines are lines",
    async ({ launch }) => {
      const script =
        "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; echo e$i >&2; done; printf last; printf laste >&2";
      const { lines } = await follow(await launch(2, script));
      const numbers = Array.from({ length: 2000 }, (_, i) => i + 1);
      for (const rank of [0, 1]) {
        expect(textsOf(lines, rank)).toEqual([...numbers.map(String), "last"]);
        expect(textsOf(lines, rank, "stderr")).toEqual([...numbers.map((i) => `e${i}`), "laste"]);
      }
    },
  );

  conforms("100 MB of output pass through while memory stays", async ({ launch }) => {
    const size = 100 * 1024 * 1024;
    const job = await launch(1, `yes 'a line of some length, as programs print them' | head -c ${size}`);
    const before = bytesInUse();
    let characters = 0;
    let batches = 0;
    for await (const batch of job.logs()) {
      for (const { text } of batch) characters += text.length + 1;
      if (++batches % 300 === 0) expect(bytesInUse() - before).toBeLessThan(40e6);
    }
    expect(await job.wait()).toEqual({ kind: "exited", code: 0 });
    expect(Math.abs(characters - size)).toBeLessThanOrEqual(1);
    expect(batches).toBeGreaterThan(300);
  });

  conforms("a job that is waited for without a reader ends, too", async ({ launch }) => {
    const job = await launch(1, "yes 'a line' | head -c 3000000; exit 4");
    expect(await job.wait()).toEqual({ kind: "exited", code: 4 });
  });

  conforms("one rank that fails stops the others, with all that they started", async ({ rig, launch }) => {
    const script = `sleep 600 & echo $$ $!
[ $RANK = 1 ] || exec sleep 600
exit 7`;
    const { reason, lines, events } = await follow(await launch(3, script));
    expect(reason).toEqual({ kind: "exited", code: 7 });
    expect(reasonsOf(events)).toEqual({
      0: { kind: "cancelled" },
      1: { kind: "exited", code: 7 },
      2: { kind: "cancelled" },
    });
    await allEnded(rig, lines);
  });

  conforms("cancelled, even ranks that ignore SIGTERM end, and their children", async ({ rig, launch }) => {
    const cancel = new AbortController();
    const script = `trap "" TERM; sleep 600 & echo $$ $!; while :; do sleep 600; done`;
    const job = await launch(2, script, {}, cancel.signal);
    let ready = 0;
    const { reason, lines } = await follow(job, () => {
      if (++ready === 2) cancel.abort();
    });
    expect(reason).toEqual({ kind: "cancelled" });
    await allEnded(rig, lines);
  });

  conforms("a rank has the grace to end in good order", async ({ launch }) => {
    const script = 'trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.05; done';
    const job = await launch(1, script, { graceMs: 60_000 });
    const { reason, lines } = await follow(job, ({ text }) => {
      if (text === "ready") void job.stop();
    });
    expect(reason).toEqual({ kind: "cancelled" });
    expect(textsOf(lines, 0)).toEqual(["ready", "bye"]);
  });

  conforms("a job that was cancelled before it began runs nothing", async ({ launch }) => {
    const { reason, lines } = await follow(await launch(2, "echo ran", {}, AbortSignal.abort()));
    expect(reason).toEqual({ kind: "cancelled" });
    expect(lines).toEqual([]);
  });

  conforms("a job that takes too long is stopped", async ({ launch }) => {
    const { reason } = await follow(await launch(2, "exec sleep 600", { timeoutMs: 300 }));
    expect(reason).toEqual({ kind: "timedOut", afterMs: 300 });
  });

  conforms("a rank that is lost ends on its machine, and the others are stopped", async ({ rig, launch }) => {
    const job = await launch(2, "echo $PPID $$; exec sleep 600");
    const { reason, lines, events } = await follow(job, ({ rank, stream, text }) => {
      if (rank === 1 && stream === "stdout") void rig.lose(rank, Number(text.split(" ")[0]));
    });
    expect(reason).toEqual({ kind: "lost", cause: expect.any(String) });
    expect(reasonsOf(events)).toEqual({ 0: { kind: "cancelled" }, 1: reason });
    await allEnded(rig, lines);
  });
});
