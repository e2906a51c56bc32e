import type { StepDone } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StepRecorder } from "./recorder.ts";

const NODES = 4;
const STEPS = 6;

test("whatever the order in which nodes report, steps come in order with the same numbers", () => {
  // Who reports next; a node reports its steps in order.
  const turns = fc.shuffledSubarray(
    Array.from({ length: NODES * STEPS }, (_, i) => i % NODES),
    { minLength: NODES * STEPS },
  );
  fc.assert(
    fc.property(turns, (order) => {
      const events: StepDone[] = [];
      const recorder = new StepRecorder({
        nodes: NODES,
        batchSize: 10,
        learningRate: (count) => count / 10,
        emit: (event) => events.push(event as StepDone),
      });
      const done = Array.from({ length: NODES }, () => 0);
      for (const rank of order) {
        const step = ++done[rank]!;
        recorder.report(rank, { step, loss: 0.1 * rank + step, time: step + rank, bytesSent: step * rank });
      }
      expect(events).toEqual(
        Array.from({ length: STEPS }, (_, i) => ({
          type: "step",
          step: i + 1,
          // In rank order, to the bit.
          loss: (i + 1 + (0.1 + i + 1) + (0.2 + i + 1) + (0.1 * 3 + i + 1)) / NODES,
          learningRate: i / 10,
          examples: 10 * NODES * (i + 1),
          time: i + 1 + NODES - 1,
          bytesSent: ((i + 1) * 6) / NODES,
        })),
      );
    }),
  );
});
