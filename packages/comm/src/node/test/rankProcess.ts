// A rank as a process of its own, for tests that need one: to kill, to stop, to see what it gives.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Turn } from "./turns.ts";

export interface Place {
  readonly rank: number;
  readonly worldSize: number;
  readonly port: number;
  readonly heartbeatMs?: number;
  readonly timeoutMs?: number;
}

export type Task =
  /** Makes calls, and answers with what they gave. */
  | { readonly kind: "live"; readonly turns: readonly Turn[]; readonly seed: number }
  /** Sums a vector of ones and answers with its first element, or with what went wrong. */
  | {
      readonly kind: "sum";
      readonly length: number;
      readonly ranks?: readonly number[];
      readonly epoch?: number;
    }
  | { readonly kind: "end" };

export interface RankProcess {
  readonly process: ChildProcess;
  ask(task: Task): Promise<unknown>;
  /** Lets it leave, and waits until it has. */
  end(): Promise<void>;
}

/** Ends once the rank has joined. */
export async function startRank(place: Place): Promise<RankProcess> {
  const script = fileURLToPath(new URL("rankMain.ts", import.meta.url));
  const child = fork(script, [JSON.stringify(place)], { execArgv: [] });
  const answer = async (): Promise<unknown> => {
    const ended = once(child, "exit").then(([code, signal]) => {
      throw new Error(`Rank ${place.rank} ended with ${signal ?? code}.`);
    });
    ended.catch(() => undefined);
    const [said] = (await Promise.race([once(child, "message"), ended])) as [{ readonly value: unknown }];
    return said.value;
  };
  await answer();
  return {
    process: child,
    ask(task) {
      child.send(task);
      return answer();
    },
    async end() {
      const exit = once(child, "exit");
      child.send({ kind: "end" } satisfies Task);
      const [code] = await exit;
      if (code !== 0) throw new Error(`Rank ${place.rank} ended with ${code}.`);
    },
  };
}
