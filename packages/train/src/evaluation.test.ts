import { createRandom } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { windowsDataset } from "./data/index.ts";
import { averageWeights, evaluationBatches, sampledEvaluation, wholeEvaluation } from "./evaluation.ts";
import { clouds } from "./test/runs.ts";

const text = (tokens: number, blockSize: number) =>
  windowsDataset({ name: "text", tokens: new Uint16Array(tokens), blockSize });

test("a table is evaluated row by row, a text window by window, so that each token is predicted once", () => {
  expect([...wholeEvaluation(clouds(5))]).toEqual([0, 1, 2, 3, 4]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 60 }), (blockSize, more) => {
      const dataset = text(blockSize + more, blockSize);
      const starts = [...wholeEvaluation(dataset)];
      const predicted = starts.flatMap((start) => Array.from({ length: blockSize }, (_, i) => start + i + 1));
      expect(new Set(predicted).size).toBe(predicted.length);
      expect(Math.max(...starts)).toBeLessThan(dataset.size);
      expect(Math.max(...starts) + blockSize).toBeGreaterThanOrEqual(dataset.size); // no further window fits
    }),
  );
});

test("a sample is of different examples in order, the same for the same seed, and never more than there are", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 80 }), fc.nat(100), (count, seed) => {
      const sample = sampledEvaluation(clouds(50), count, createRandom(seed));
      expect(sample.length).toBe(Math.min(count, 50));
      expect([...new Set(sample)].sort((a, b) => a - b)).toEqual([...sample]);
      expect(sampledEvaluation(clouds(50), count, createRandom(seed))).toEqual(sample);
    }),
  );
});

test("batches cover all examples once", () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 1, max: 300 }), (count, minibatchSize) => {
      const covered = evaluationBatches(count, minibatchSize).flatMap(({ start, end }) =>
        Array.from({ length: end - start }, (_, i) => start + i),
      );
      expect(covered).toEqual(Array.from({ length: count }, (_, i) => i));
    }),
  );
});

test("the average is that of parameters and of buffers, and leaves the nodes' vectors alone", () => {
  const vectors = fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(vectors, { minLength: 1, maxLength: 5 }), (rows) => {
      const nodes = rows.map((row) => ({
        parameters: Float32Array.from(row),
        buffers: Float32Array.from(row, (value) => -value),
      }));
      const { parameters, buffers } = averageWeights(nodes);
      for (const i of [0, 1, 2]) {
        const mean = rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length;
        // The sign of a zero does not matter.
        expect(parameters[i]! + 0).toBe(Math.fround(mean) + 0);
        expect(buffers[i]! + 0).toBe(-parameters[i]! + 0);
      }
      parameters.fill(7);
      expect(nodes.map((node) => [...node.parameters])).toEqual(rows);
    }),
  );
});
