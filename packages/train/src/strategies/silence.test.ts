// Whoever exchanges for the first time after the end of the run says so, and nobody else: for every strategy, against the
// bytes that its runs send.

import type { RunEvent } from "@atoll/core";
import { expect, test } from "vitest";
import { rehearse } from "../test/runs.ts";
import { strategyRows } from "../test/strategyRows.ts";
import { diLoCo, fedAvg, type ParameterStrategy, sparta, spartaDiLoCo, strategyEntries } from "./index.ts";
import { silenceOf, silenceOfRun } from "./silence.ts";

const NODES = 3;
const SIZE = { nodes: 4, maxSteps: 300, parameters: 1000 };
const warningsOf = (events: readonly RunEvent[]): readonly string[] =>
  events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
const isCollective = ({ type }: RunEvent): boolean => type === "collective";

test.each(strategyRows)("$name is said to send nothing where it sends nothing", async (row) => {
  for (let maxSteps = 1; maxSteps <= 5; maxSteps++) {
    const strategy = row.create();
    const { result, events } = await rehearse({ strategy, nodes: NODES, maxSteps });
    // A collective that is still under way has sent nothing that is counted.
    const sends = result.bytesSent.some((bytes) => bytes > 0) || events.some(isCollective);
    const isSilent = !sends && row.asynchronous !== true;
    const message = silenceOfRun(strategy, { nodes: NODES, maxSteps, parameters: 92 });
    expect(message !== undefined, `${maxSteps} steps`).toBe(isSilent);
    expect(warningsOf(events)).toEqual(isSilent ? [message] : []);
  }
});

test("it says when they would, and when the run ends; a node alone has nobody to send to", () => {
  const strategy = diLoCo({ H: 500 });
  expect(silenceOfRun(strategy, SIZE)).toBe(
    "No node sends anything: they exchange for the first time after step 500, and the run ends after step 300, so each trains by itself. Let them exchange more often, as by a lower strategy.H, or train longer.",
  );
  expect(silenceOfRun(strategy, { ...SIZE, maxSteps: 500 })).toBeUndefined();
  expect(silenceOfRun(strategy, { ...SIZE, nodes: 1 })).toBeUndefined();
});

test.each([fedAvg({ islandSize: 1 }), sparta({ p: 1e-4 }), spartaDiLoCo({ p: 1e-4, interval: 1, H: 500 })])(
  "nor does it where there is nothing in an exchange: $name",
  async (strategy) => {
    expect(silenceOfRun(strategy, SIZE)).toMatch(/^No node sends anything: /);
    expect(silenceOfRun(strategy, { ...SIZE, nodes: 1 })).toBeUndefined();
    const { result, events } = await rehearse({ strategy, nodes: NODES, maxSteps: 3 });
    expect(result.bytesSent).toEqual([0, 0, 0]);
    expect(warningsOf(events)).toEqual([silenceOfRun(strategy, { ...SIZE, nodes: NODES, maxSteps: 3 })]);
  },
);

test("plans and runs have the same words; so has a strategy of one's own", () => {
  const length = { ...SIZE, maxSteps: 6 };
  const fedAvgEntry = strategyEntries.find(({ name }) => name === "fedavg")!;
  const traffic = fedAvgEntry.traffic({ H: 7, islandSize: undefined, weighting: "examples" });
  const own: ParameterStrategy = { ...(fedAvg({ H: 7 }) as ParameterStrategy), name: "own" };
  const message = silenceOfRun(fedAvg({ H: 7 }), length);
  expect(message).toMatch(/after step 7, and the run ends after step 6/);
  expect(silenceOfRun(own, length)).toBe(message);
  expect("exchanges" in traffic && silenceOf(traffic.exchanges, length)).toBe(message);
});
