// What strategies state of their traffic against what they are known to send: the conformance table's formulas, which that
// table's own test holds against runs.

import { describe, expect, test } from "vitest";
import { type StrategyRow, strategyRows } from "../test/strategyRows.ts";
import { type Exchange, strategyEntries, type Traffic } from "./index.ts";

/** Of the table's model: weights 6 × 8 and 8 × 4, biases 8 and 4, in two layers. */
const PARAMETERS = 92;
const LAYERS = [56, 36];
const STEPS = 12;

const trafficOf = (row: StrategyRow): Traffic => {
  const { kind, ...options } = row.create().config;
  return strategyEntries.find(({ name }) => name === kind)!.traffic(options);
};

/** Payload bytes that all nodes of a group send together. */
function sentAmong(exchange: Exchange, members: number): number {
  const { index = 0, count = 1 } = exchange.fragment ?? {};
  const elements = LAYERS.filter((_, layer) => layer % count === index).reduce((sum, size) => sum + size, 0);
  const bytes = exchange.bytes({ elements, layers: LAYERS.length, members, floatBytes: 4 });
  switch (exchange.operation) {
    case "allReduce":
    case "codedAllReduce":
      return 2 * (members - 1) * bytes;
    case "allGather":
      return members * (members - 1) * bytes;
    case "send":
      return members === 1 ? 0 : members * (exchange.peers ?? 1) * bytes;
  }
  return exchange.operation satisfies never;
}

/** Bytes of all nodes that are begun after a step. */
function begun(exchange: Exchange, step: number, nodes: number): number {
  const { every, offset = 0, from = 1, until = Number.POSITIVE_INFINITY, groupSize = nodes } = exchange;
  if (step < from || step > until || (step - offset) % every !== 0) return 0;
  const rest = nodes % groupSize;
  const whole = ((nodes - rest) / groupSize) * sentAmong(exchange, groupSize);
  return whole + (rest > 0 ? sentAmong(exchange, rest) : 0);
}

/** Theirs depend on the shapes of matrices, which are assumed to be larger. */
const BY_SHAPE = ["deMo", "powerSgd"];
const planned = strategyRows.filter(({ name, asynchronous }) => !asynchronous && !BY_SHAPE.includes(name));

describe.each(planned)("$name", (row) => {
  test.each(row.worldSizes ?? [1, 2, 3, 8])("states the bytes of its formula on %i nodes", (nodes) => {
    const traffic = trafficOf(row);
    if ("refusal" in traffic) throw new Error(traffic.refusal);
    const late = traffic.exchanges.reduce((most, { delay = 0 }) => Math.max(most, delay), 0);
    // Collectives are counted when a node has waited for them, messages when they are sent.
    const counted = ({ delay = 0, operation }: Exchange): number => (operation === "send" ? 0 : delay);
    for (let step = 1; step <= STEPS; step++) {
      const stated = traffic.exchanges.reduce(
        (sum, exchange) =>
          sum + (step > counted(exchange) ? begun(exchange, step - counted(exchange), nodes) : 0),
        0,
      );
      expect(stated, `step ${step}, at most ${late} late`).toBe(
        row.bytes({ step, nodes, parameterCount: PARAMETERS }),
      );
    }
  });
});

test("every strategy states its traffic, or why it has none to plan with", () => {
  for (const entry of strategyEntries) {
    const traffic = entry.traffic(entry.options.parse({}) as Record<string, unknown>);
    if ("refusal" in traffic) expect(entry.name).toBe("adpsgd");
    else expect(traffic.exchanges.length, entry.name).toBeGreaterThan(0);
  }
});

const only = (name: string, options: Record<string, unknown>): Exchange => {
  const entry = strategyEntries.find((candidate) => candidate.name === name)!;
  const traffic = entry.traffic(entry.options.parse(options) as Record<string, unknown>);
  if ("refusal" in traffic) throw new Error(traffic.refusal);
  expect(traffic.assumes).toBeTypeOf("string");
  return {
    ...traffic.exchanges[0]!,
    bytes: (model) => traffic.exchanges.reduce((sum, { bytes }) => sum + bytes(model), 0),
  };
};

test("DeMo: 32 coefficients of six bytes for each chunk of 64 × 64", () => {
  const model = { elements: 10 * 4096, layers: 10, members: 4, floatBytes: 4 };
  expect(only("demo", {}).bytes(model)).toBe(10 * 32 * 6);
});

test("PowerSGD: the thin factors of a transformer block's four matrices", () => {
  const width = 64;
  const model = { elements: 3 * 12 * width ** 2, layers: 3, members: 4, floatBytes: 4 };
  const sides = [1 + 3, 1 + 1, 1 + 4, 4 + 1].reduce((sum, side) => sum + side * width, 0);
  expect(only("powersgd", { rank: 2 }).bytes(model)).toBe(3 * 4 * 2 * sides);
});
