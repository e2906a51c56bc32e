// Processes of this machine, as Linux tells of them: whose children there are, and whether one still runs.

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

interface Listed {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

function stat(pid: string): Listed | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name is in brackets, and may hold anything.
    const [state, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(pid), parent: Number(parent), state: state! };
  } catch {
    return undefined;
  }
}

/** Processes that a process has started and that run, in the order in which it started them. */
export const childrenOf = (parent: number): readonly number[] =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(stat)
    .filter((listed) => listed?.parent === parent && listed.state !== "Z")
    .map((listed) => listed!.pid)
    .sort((a, b) => a - b);

const runs = (pid: number): boolean => {
  const listed = stat(String(pid));
  return listed !== undefined && listed.state !== "Z";
};

/** Waits until none of these processes runs; the test's own time limit is the guard. */
export async function ended(pids: readonly number[]): Promise<void> {
  while (pids.some(runs)) await setTimeout(20);
}
