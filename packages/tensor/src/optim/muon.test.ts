import { createRandom } from "@atoll/core";
import { describe, expect, test } from "vitest";
import { wasm } from "../backends/wasm.ts";
import type { HostTensor } from "../host.ts";
import { onnx } from "../node/onnx.ts";
import { layoutOf, type VectorLayout } from "../vector.ts";
import { adamW, type GradientTransformation, muon, scaleByMuon } from "./index.ts";

type Result = { updates: HostTensor; state: Record<string, HostTensor> };

/** One update from zeros, with the same gradients each time for a seed. */
async function updateOf(
  { scalars, slots, update }: GradientTransformation,
  layout: VectorLayout,
  backend: typeof wasm,
): Promise<{ gradients: Float32Array; updates: Float32Array }> {
  const random = createRandom(4);
  const vector = (value: () => number): HostTensor => ({
    shape: [layout.size],
    data: Float32Array.from({ length: layout.size }, value),
  });
  const args = {
    gradients: vector(() => random.normal()),
    parameters: vector(() => 0),
    slots: Object.fromEntries(slots.map((slot) => [slot, vector(() => 0)])),
    scalars: Object.fromEntries(
      Object.entries(scalars(0)).map(([name, value]) => [name, { shape: [], data: Float32Array.of(value) }]),
    ),
  };
  const traced = ({ gradients, parameters, slots: state, scalars: numbers }: never) =>
    update(gradients, state, parameters, numbers, layout);
  await using program = await backend.compile<typeof args, Result>(traced, args);
  const { updates } = await program.run(args);
  return { gradients: args.gradients.data as Float32Array, updates: updates.data as Float32Array };
}

/** Eigenvalues of a symmetric matrix [n][n], by Jacobi rotations. */
function eigenvalues(matrix: number[][]): number[] {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  for (let sweep = 0; sweep < 30; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) < 1e-14) continue;
        const angle = 0.5 * Math.atan2(2 * a[p]![q]!, a[q]![q]! - a[p]![p]!);
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k]![p]!, a[k]![q]!];
          a[k]![p] = c * x - s * y;
          a[k]![q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p]![k]!, a[q]![k]!];
          a[p]![k] = c * x - s * y;
          a[q]![k] = s * x + c * y;
        }
      }
  return a.map((row, i) => row[i]!);
}

function singularValues(data: Float32Array, rows: number, columns: number): number[] {
  const [n, m, at] =
    rows <= columns
      ? [rows, columns, (i: number, j: number) => data[i * columns + j]!]
      : [columns, rows, (i: number, j: number) => data[j * columns + i]!];
  const gram = Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, k) => {
      let total = 0;
      for (let j = 0; j < m; j++) total += at(i, j) * at(k, j);
      return total;
    }),
  );
  return eigenvalues(gram).map((value) => Math.sqrt(Math.max(0, value)));
}

const tensor = (...shape: number[]) => ({ shape });

describe.each([wasm, onnx])("on $name", (backend) => {
  test.each([
    [6, 9],
    [9, 6],
    [5, 5],
  ])("a matrix's update [%i, %i] has singular values near 1, times its scale", async (rows, columns) => {
    const layout = layoutOf({ w: tensor(rows, columns) });
    const { gradients, updates } = await updateOf(scaleByMuon(), layout, backend);
    const scale = 0.2 * Math.sqrt(Math.max(rows, columns));
    for (const value of singularValues(updates, rows, columns)) {
      expect(value / scale).toBeGreaterThan(0.6);
      expect(value / scale).toBeLessThan(1.3);
    }
    const overlap = updates.reduce((sum, value, i) => sum + value * gradients[i]!, 0);
    expect(overlap, "along the gradient").toBeGreaterThan(0);
  });

  test("each matrix by itself, convolutions as [first, others], and vectors as Adam would", async () => {
    const layout = layoutOf({ a: tensor(4, 3), b: tensor(5), c: tensor(2, 3, 2, 2), d: tensor(7) });
    const { updates } = await updateOf(muon({ weightDecay: 0 }), layout, backend);
    const adam = await updateOf(adamW({ weightDecay: 0 }), layout, backend);
    for (const { offset, size, shape } of layout.entries) {
      const own = updates.slice(offset, offset + size);
      if (shape.length < 2) {
        for (const [i, value] of own.entries()) expect(value).toBeCloseTo(adam.updates[offset + i]!, 7);
        continue;
      }
      const [rows, columns] = [shape[0]!, size / shape[0]!];
      const scale = 1e-3 * 0.2 * Math.sqrt(Math.max(rows, columns));
      for (const value of singularValues(own, rows, columns)) {
        expect(value / scale).toBeGreaterThan(0.6);
        expect(value / scale).toBeLessThan(1.3);
      }
    }
  });
});

test("refuses a momentum of 1", () => {
  expect(() => muon({ momentum: 1 })).toThrow(/momentum: expected a number of at least 0 and below 1, got 1/);
});
