import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../borrow.ts";
import { valueAndGrad } from "../gradient.ts";
import type { HostArray } from "../host.ts";
import { allocate } from "../host.ts";
import * as ops from "../ops.ts";
import { lower, lowerLoop } from "../program.ts";
import { integers, normal } from "../test/backends.ts";
import { createSession } from "./session.ts";

const loss = (w: Tensor, x: Tensor): Tensor => ops.mean(ops.square(ops.matmul(x, w)));

/** One step of gradient descent that also counts and reports. */
const step = ({ carry, x }: { carry: { w: Tensor; count: Tensor }; x: { data: Tensor; rate: Tensor } }) => {
  const [value, gradient] = valueAndGrad(loss)(carry.w, x.data);
  const w = ops.subtract(carry.w, ops.multiply(gradient, x.rate));
  return { carry: { count: ops.add(carry.count, 1), w }, y: { loss: value, count: carry.count } };
};
const example = {
  carry: { w: normal([4, 2]), count: integers([], 1) },
  x: { data: normal([3, 4]), rate: normal([]) },
};

describe("a loop", () => {
  test("gives what its steps give one by one, for any number of steps", async () => {
    const program = lowerLoop(step, example);
    expect(program.inputs.map(({ name, perStep }) => [name, perStep ?? false])).toEqual([
      ["carry.w", false],
      ["carry.count", false],
      ["xs.data", true],
      ["xs.rate", true],
    ]);
    const single = lower(step, example);
    await using loop = await createSession(program);
    await using once = await createSession(single);
    for (const steps of [1, 2, 7]) {
      const data = normal([steps, 3, 4], steps).data as Float32Array;
      const rate = Float32Array.from({ length: steps }, (_, i) => 0.1 / (i + 1));
      const outputs: Record<string, HostArray> = {};
      for (const spec of program.outputs)
        outputs[spec.name] = allocate(spec.perStep ? { ...spec, shape: [steps, ...spec.shape] } : spec);
      const start = { "carry.w": example.carry.w.data, "carry.count": Int32Array.of(5) };
      await loop.run({ ...start, "xs.data": data, "xs.rate": rate }, outputs);

      let carry: Record<string, HostArray> = start;
      const losses: number[] = [];
      for (let i = 0; i < steps; i++) {
        const result = Object.fromEntries(single.outputs.map((spec) => [spec.name, allocate(spec)]));
        const x = { "x.data": data.slice(i * 12, (i + 1) * 12), "x.rate": rate.slice(i, i + 1) };
        await once.run({ ...carry, ...x }, result);
        carry = { "carry.w": result["carry.w"]!, "carry.count": result["carry.count"]! };
        losses.push(result["y.loss"]![0]!);
      }
      expect(outputs["carry.w"]).toEqual(carry["carry.w"]);
      expect([...outputs["ys.loss"]!]).toEqual(losses);
      expect([...outputs["ys.count"]!]).toEqual(Array.from({ length: steps }, (_, i) => 5 + i));
    }
  });

  test("whose state changes its type is refused", () => {
    const grows = ({ carry, x }: { carry: Tensor; x: Tensor }) => ({
      carry: ops.concatenate([carry, x]),
      y: x,
    });
    expect(() => lowerLoop(grows, { carry: normal([2]), x: normal([1]) })).toThrow(
      /expected \{carry: float32\[2\]\}, got \{carry: float32\[3\]\}/,
    );
  });
});

describe("a session", () => {
  const program = lower(
    ({ x, n }: { x: Tensor; n: Tensor }) => ({ y: ops.multiply(x, 2), n: ops.add(n, 1) }),
    {
      x: normal([3]),
      n: integers([2], 5),
    },
  );

  test("reads and writes arrays in place, in shared memory and in turn", async () => {
    const memory = new SharedArrayBuffer(64);
    const [a, b] = [new Float32Array(memory, 0, 3), new Float32Array(memory, 16, 3)];
    const [n, m] = [new Int32Array(memory, 32, 2), new Int32Array(memory, 40, 2)];
    a.set([1, -2, 3]);
    await using session = await createSession(program, { intraOpThreads: 2 });
    await session.run({ x: a, n }, { y: b, n: m });
    await session.run({ x: b, n: m }, { y: a, n });
    expect([...a]).toEqual([4, -8, 12]);
    expect([...b]).toEqual([2, -4, 6]);
    expect([...n]).toEqual([2, 2]);
  });

  test("keeps subnormal numbers, which the runtime could have flushed on one of its threads only", async () => {
    await using session = await createSession(program);
    const y = new Float32Array(3);
    await session.run(
      { x: Float32Array.of(2 ** -130, -(2 ** -149), 1), n: new Int32Array(2) },
      { y, n: new Int32Array(2) },
    );
    expect([...y]).toEqual([2 ** -129, -(2 ** -148), 2]);
  });

  test("gives the same bits at every run", async () => {
    const gradient = lower(({ w, x }: { w: Tensor; x: Tensor }) => valueAndGrad(loss)(w, x), {
      w: normal([40, 30]),
      x: normal([20, 40]),
    });
    await using session = await createSession(gradient);
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const inputs = { w: normal([40, 30], seed).data, x: normal([20, 40], seed + 1).data };
        const run = async (): Promise<Record<string, HostArray>> => {
          const outputs = Object.fromEntries(gradient.outputs.map((spec) => [spec.name, allocate(spec)]));
          await session.run(inputs, outputs);
          return outputs;
        };
        expect(await run()).toEqual(await run());
      }),
      { numRuns: 5 },
    );
  });

  test.each([
    [{ x: new Float32Array(3) }, /"n": expected int32\[2\], got nothing/],
    [
      { x: new Float32Array(4), n: new Int32Array(2) },
      /"x": expected float32\[3\], got 4 elements of float32/,
    ],
    [{ x: new Int32Array(3), n: new Int32Array(2) }, /"x": expected float32\[3\], got 3 elements of int32/],
  ])("refuses arrays that do not fit", async (inputs, message) => {
    await using session = await createSession(program);
    const outputs = { y: new Float32Array(3), n: new Int32Array(2) };
    await expect(session.run(inputs as Record<string, HostArray>, outputs)).rejects.toThrow(message);
  });

  test("of bytes that are no program is refused", async () => {
    const broken = { ...program, bytes: program.bytes.slice(0, 20) };
    await expect(createSession(broken)).rejects.toThrow(/cannot load the compiled program/);
  });
});
