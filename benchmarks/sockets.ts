// All-reduce among processes over loopback, against what plain sockets do with the same bytes between the same processes, and
// against PyTorch's gloo where a Python with torch is found (PYTHON, or python3). The three take turns in one run.
// A ring all-reduce of n bytes moves 2(N−1)/N · n from each rank to the next, and so do the plain sockets.

import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Answer, Task } from "./socketsRank.ts";
import { median, printTable, type Row } from "./table.ts";

const MEGABYTES = Number(process.env.MEGABYTES ?? 100);
const TURNS = Number(process.env.TURNS ?? 7);
const WORLD_SIZE = 4;

class Ranks {
  readonly #children: readonly ChildProcess[];
  readonly ports: Promise<readonly number[]>;

  constructor() {
    const script = join(import.meta.dirname, "socketsRank.ts");
    this.#children = Array.from({ length: WORLD_SIZE }, (_, rank) =>
      fork(script, [String(rank), String(WORLD_SIZE)]),
    );
    this.ports = Promise.all(this.#children.map(nextAnswer)).then((answers) =>
      answers.map(({ port }) => port!),
    );
  }

  /** Asks all ranks for a task at once. */
  async ask(task: (rank: number) => Task): Promise<readonly Answer[]> {
    const answers = this.#children.map(nextAnswer);
    this.#children.forEach((child, rank) => void child.send(task(rank)));
    return Promise.all(answers);
  }

  async joinWorld(): Promise<void> {
    const [first, ...others] = this.#children as [ChildProcess, ...ChildProcess[]];
    const listening = nextAnswer(first);
    first.send({ kind: "join", port: 0, allReduce: "ring" } satisfies Task);
    const { port } = await listening;
    const joined = this.#children.map(nextAnswer);
    for (const child of others) child.send({ kind: "join", port: port!, allReduce: "ring" } satisfies Task);
    await Promise.all(joined);
  }

  async end(): Promise<void> {
    const ended = this.#children.map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#children) child.send({ kind: "end" } satisfies Task);
    await Promise.all(ended);
  }
}

function nextAnswer(child: ChildProcess): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const ended = (code: number | null): void => reject(new Error(`A rank ended with exit code ${code}.`));
  child.once("exit", ended);
  child.once("message", (answer: Answer) => {
    child.off("exit", ended);
    resolve(answer);
  });
  return promise;
}

/** Gloo's ranks as one Python process that starts the others; a turn a line. */
function startGloo(python: string): { turn(): Promise<Answer>; end(): void } {
  const child = spawn(
    python,
    [join(import.meta.dirname, "glooAllReduce.py"), String(WORLD_SIZE), String(MEGABYTES)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async turn() {
      child.stdin.write("turn\n");
      return JSON.parse((await lines.next()).value as string) as Answer;
    },
    end: () => void child.stdin.end(),
  };
}

const seconds = (answers: readonly Answer[]): number => Math.max(...answers.map((answer) => answer.seconds!));
const cpu = (answers: readonly Answer[]): number => answers.reduce((sum, answer) => sum + answer.cpu!, 0);

const python = process.env.PYTHON ?? "python3";
const hasGloo =
  spawnSync(python, ["-c", "import torch.distributed as d; assert d.is_gloo_available()"]).status === 0;

const ranks = new Ranks();
const ports = await ranks.ports;
await ranks.ask((rank) => ({ kind: "connect", previous: ports[(rank + WORLD_SIZE - 1) % WORLD_SIZE]! }));
await ranks.joinWorld();
const gloo = hasGloo ? startGloo(python) : undefined;
const elements = (MEGABYTES * 1e6) / 4;
const moved = ((2 * (WORLD_SIZE - 1)) / WORLD_SIZE) * MEGABYTES * 1e6;
const took: Record<string, { seconds: number[]; cpu: number[] }> = {};
const note = (name: string, answers: readonly Answer[]): void => {
  took[name] ??= { seconds: [], cpu: [] };
  took[name].seconds.push(seconds(answers));
  took[name].cpu.push(cpu(answers));
};
for (let turn = 0; turn <= TURNS; turn++) {
  const raw = await ranks.ask(() => ({ kind: "raw", bytes: moved, bufferBytes: 4 * elements }));
  const ring = await ranks.ask(() => ({ kind: "allReduce", algorithm: "ring", elements }));
  const halving = await ranks.ask(() => ({ kind: "allReduce", algorithm: "halving-doubling", elements }));
  const theirs = await gloo?.turn();
  if (turn === 0) continue; // Warm-up.
  note("plain sockets, same bytes", raw);
  note("ring", ring);
  note("halving-doubling", halving);
  if (theirs !== undefined) note("gloo", [theirs]);
}
gloo?.end();
await ranks.end();

const raw = median(took["plain sockets, same bytes"]!.seconds);
const theirs = took.gloo && median(took.gloo.seconds);
printTable(
  `All-reduce of ${MEGABYTES} MB among ${WORLD_SIZE} processes over loopback, median of ${TURNS}`,
  Object.entries(took).map(
    ([name, times]): Row => ({
      what: name,
      seconds: median(times.seconds).toFixed(3),
      "CPU seconds": median(times.cpu).toFixed(3),
      "GB/s a rank": (moved / 1e9 / median(times.seconds)).toFixed(2),
      "of plain sockets": (raw / median(times.seconds)).toFixed(2),
      "of gloo":
        theirs === undefined ? "not measured: no torch" : (theirs / median(times.seconds)).toFixed(2),
    }),
  ),
);
