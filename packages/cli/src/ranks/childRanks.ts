// The processes of a run on this machine, but for rank 0, which is the one that starts them. Each is `atoll node`, and
// has a channel to its parent, by which it learns of the run, and of the parent's end.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { RunError } from "@atoll/core";
import type { RankOrder } from "./parentProcess.ts";

export interface ChildRanksOptions {
  readonly experiment: string;
  readonly nodes: number;
  /** How often ranks that have ended are started again, all together. */
  readonly restarts: number;
  readonly order: RankOrder;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** Gets each line that a rank prints. */
  readonly onLine: (rank: number, line: string) => void;
}

/** How long ranks have to end by themselves when the run is over, and after they were asked to. */
const PATIENCE_MS = 5000;
/** How much later than that of its connections the end of a process may be told. */
const FATE_MS = 2000;
/** What a rank printed last is kept to tell why it ended. */
const KEPT_LINES = 5;

interface Child {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly lines: string[];
}

const ENTRY = fileURLToPath(new URL("../../bin/atoll.mjs", import.meta.url));

export class ChildRanks implements AsyncDisposable {
  readonly #options: ChildRanksOptions;
  readonly #children = new Map<number, Child>();
  /** How processes ended that were started again, by rank, until it is asked for. */
  readonly #untold = new Map<number, string>();
  readonly #gone = new Map<number, AbortController>();
  readonly #abandoned = new AbortController();
  #isOver = false;
  #restarts = 0;

  constructor(options: ChildRanksOptions) {
    this.#options = options;
  }

  /** Aborted, with the reason, when a rank has ended before the run. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** Starts ranks 1 to nodes − 1, which meet at a port of this machine. */
  start(port: number): void {
    for (let rank = 1; rank < this.#options.nodes; rank++) {
      this.#gone.set(rank, new AbortController());
      this.#children.set(rank, this.#spawn(rank, port));
    }
  }

  #spawn(rank: number, port: number): Child {
    const { experiment, nodes, order, environment, workingDirectory, onLine } = this.#options;
    const flags = [
      "--master_addr",
      "127.0.0.1",
      "--master_port",
      port,
      "--nnodes",
      nodes,
      "--node_rank",
      rank,
    ];
    const child = spawn(process.execPath, [ENTRY, "node", experiment, ...flags.map(String)], {
      cwd: workingDirectory,
      env: environment,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const lines: string[] = [];
    createInterface({ input: child.stderr! }).on("line", (line) => {
      if (lines.push(line) > KEPT_LINES) lines.shift();
      onLine(rank, line);
    });
    const ended = once(child, "close").catch((error: Error) => lines.push(error.message));
    child.on("error", () => {});
    ended.then(() => this.#onEnd(rank, port));
    child.send(order, () => {});
    return { process: child, ended, lines };
  }

  #onEnd(rank: number, port: number): void {
    if (this.#isOver) return;
    const ending = endingOf(this.#children.get(rank)!);
    if (this.#restarts < this.#options.restarts) {
      this.#restarts++;
      this.#untold.set(rank, ending);
      this.#children.set(rank, this.#spawn(rank, port));
    } else {
      this.#gone.get(rank)!.abort();
      this.#abandoned.abort(new RunError(`Rank ${rank} is lost: ${ending}.`));
    }
  }

  /** Aborted once a rank has ended and is not started again. */
  gone(rank: number): AbortSignal {
    return this.#gone.get(rank)!.signal;
  }

  /** Why a rank is lost, as the end of a sentence about it; undefined while its process runs. */
  async fate(rank: number): Promise<string | undefined> {
    const child = this.#children.get(rank);
    if (child === undefined) return undefined;
    const untold = this.#untold.get(rank);
    if (untold === undefined) {
      // The end of a process may be told a little later than that of its connections.
      const hasEnded = child.ended.then(() => true);
      if (!(await Promise.race([hasEnded, setTimeout(FATE_MS, false, { ref: false })])))
        return `its process ${child.process.pid} runs, and does not answer`;
    }
    this.#untold.delete(rank);
    return untold ?? endingOf(child);
  }

  /** The run is over: waits for the ranks to end, and ends those that do not. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    const children = [...this.#children.values()];
    const all = Promise.all(children.map(({ ended }) => ended));
    const isDone = await Promise.race([all.then(() => true), setTimeout(PATIENCE_MS, false, { ref: false })]);
    if (isDone) return;
    for (const { process: child } of children)
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await all;
  }
}

function endingOf({ process: child, lines }: Child): string {
  const said = lines.length === 0 ? "" : `; it said: ${lines.at(-1)!.replace(/\.$/, "")}`;
  const name = `its process ${child.pid}`;
  if (child.signalCode !== null) return `${name} was ended by ${child.signalCode}`;
  return `${name} ended with exit code ${child.exitCode}${said}`;
}
