// A run that records is the run that does not, for every strategy; what it records is checked in quantities.test.ts.

import type { Recorded, RecordedQuantity, RunEvent } from "@atoll/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startWorkers, type Workers, workerThreads } from "../node/workerThreads.ts";
import type { FitOptions } from "../options.ts";
import { ddp, type Strategy, streamingDiLoCo } from "../strategies/index.ts";
import { busyRun } from "../test/busyRun.ts";
import { happenings, numbersOf, type RehearsalOptions, rehearse } from "../test/runs.ts";
import { type StrategyRow, strategyRows } from "../test/strategyRows.ts";

let workers: Workers;
beforeAll(() => {
  workers = startWorkers(2);
});
afterAll(() => workers[Symbol.asyncDispose]());
const run = (options: RehearsalOptions): ReturnType<typeof rehearse> =>
  rehearse({ executor: workerThreads(workers), ...options });

const busy = { ...busyRun, seed: 7 };
const taking = ({ asynchronous }: StrategyRow): Pick<RehearsalOptions, "compute"> =>
  asynchronous ? { compute: { kind: "measured", durations: [0.1, 0.3, 1] } } : {};

const recordedOf = (events: readonly RunEvent[]): readonly Recorded[] =>
  events.filter((event) => event.type === "recorded");
/** A cut of the run, at which correlations are taken, may change what is written first of two nodes' events, and no more. */
const others = (events: readonly RunEvent[]): readonly string[] =>
  happenings(events)
    .filter(({ type }) => type !== "recorded")
    .map((event) => JSON.stringify(event))
    .sort();

/** All that can be recorded of a strategy. */
const all = (
  { records = [] }: Strategy,
  interval?: number,
): { readonly record: FitOptions["record"] & {} } => ({
  record: { quantities: ["correlation", "gradientNorm", ...records], interval },
});

describe.each(strategyRows)("$name", (row) => {
  const options = { ...busy, ...taking(row) };

  test("learns and takes what it does without being recorded, to the bit, and records what it has", async () => {
    const strategy = row.create();
    const plain = await run({ ...options, strategy });
    const recorded = await run({ ...options, strategy, ...all(strategy, 1) });
    expect(numbersOf(recorded)).toEqual(numbersOf(plain));
    expect(others(recorded.events)).toEqual(others(plain.events));
    const records = recordedOf(recorded.events);
    const quantities = new Set(records.map(({ quantity }) => quantity));
    const expected = new Set<RecordedQuantity>(["correlation", "gradientNorm", ...(strategy.records ?? [])]);
    expect(quantities).toEqual(expected);
    for (const { mean, range, nodes, quantity } of records) {
      expect(nodes, quantity).toBe(3);
      if (range === null) expect(Math.abs(mean)).toBeLessThanOrEqual(1);
      else expect(range.min <= mean && mean <= range.max && range.min >= 0, quantity).toBe(true);
    }
  });

  test("goes on recording after a resume as if it had never stopped", async () => {
    const strategy = row.create();
    const whole = await run({ ...options, strategy, ...all(strategy, 2), checkpointInterval: 1 });
    const resume = whole.snapshots.get(5)!;
    const resumed = await run({ ...options, strategy, ...all(strategy, 2), checkpointInterval: 1, resume });
    const cut = whole.events.findIndex((event) => event.type === "checkpoint" && event.step === 5);
    expect(happenings(resumed.events)).toEqual(happenings(whole.events.slice(cut + 1)));
  });

  const isSimple = row.create().records === undefined && row.name !== "ddp";
  test.skipIf(isSimple)(
    "is recorded through a crash, and takes the times that it takes unrecorded",
    async () => {
      const strategy = row.create();
      const { result } = await run({ ...options, strategy });
      const time = result.simulatedSeconds;
      const schedule = [{ kind: "crash", node: 1, at: 0.4 * time, rejoin: 0.6 * time }] as const;
      const faulty = { ...options, strategy, faults: { schedule }, checkpointInterval: 1 };
      const plain = await run(faulty);
      const recorded = await run({ ...faulty, ...all(strategy, 1) });
      expect(others(recorded.events)).toEqual(others(plain.events));
      expect(numbersOf(recorded)).toEqual(numbersOf(plain));
    },
  );
});

describe("refusals", () => {
  const refusal = (options: Pick<FitOptions, "strategy" | "record" | "nodes">): Promise<unknown> =>
    rehearse({ nodes: 3, maxSteps: 1, ...options }).catch(
      (error: Error) => `${error.name}: ${error.message}`,
    );

  test("say which strategies have what is asked for", async () => {
    expect(await refusal({ strategy: ddp(), record: { quantities: ["outerCosine"] } })).toBe(
      'ConfigError: Option "record": strategy "ddp" has no outerCosine: its nodes have no rounds at whose end they exchange changes. Leave outerCosine out, or choose one of fedavg, fedprox, fedadam, fedyogi, fedadagrad, diloco, spartadiloco, noloco, sparseloco, muloco, eagerdiloco, streamingdiloco.',
    );
    const plain = streamingDiLoCo({ quantise: false });
    expect(await refusal({ strategy: plain, record: { quantities: ["compressionError"] } })).toBe(
      'ConfigError: Option "record": strategy "streamingdiloco" has no compressionError: with these options its nodes send numbers as they are. Leave compressionError out, or choose one of dgc, qsgd, demo, sparseloco, powersgd, int8allreduce, onebitadam, muloco, streamingdiloco.',
    );
  });

  test("of what one node alone does not have, of unknown names and intervals", async () => {
    const record = { quantities: ["correlation"] } as const;
    expect(await refusal({ strategy: ddp(), nodes: 1, record })).toMatch(
      /^ConfigError: .* 2 nodes or more, got 1/,
    );
    const unknown = { quantities: ["corelation"] } as unknown as FitOptions["record"] & {};
    expect(await refusal({ strategy: ddp(), record: unknown })).toMatch(/Did you mean "correlation"/);
    expect(await refusal({ strategy: ddp(), record: { ...record, interval: 0 } })).toMatch(
      /at least 1, got 0/,
    );
  });
});
