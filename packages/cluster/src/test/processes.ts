// Processes of this machine, as tests look after them.

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Resolves when the process has ended; one that nobody has waited for yet has. */
export async function ended(pid: number): Promise<void> {
  for (;;) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "State: gone");
    if (/^State:\s*([ZX]|gone)/m.test(status)) return;
    await sleep(20);
  }
}

export async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s*(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}
