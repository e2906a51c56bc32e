import { describe, expect, test } from "vitest";
import { compile } from "./backends/compile.ts";
import { wasm } from "./backends/wasm.ts";
import type { Tensor } from "./borrow.ts";
import { valueAndGrad } from "./gradient.ts";
import type { HostTensor } from "./host.ts";
import { compile as compileNative, onnx } from "./node/index.ts";
import * as ops from "./ops.ts";
import { lower } from "./program.ts";
import { normal } from "./test/backends.ts";

const float = (...shape: number[]) => ({ shape, dtype: "float32" }) as const;

describe("names of inputs and outputs", () => {
  test("are the paths of the trees, in their order; a lone leaf is called value", () => {
    const program = lower(
      ({ batch, w }: { batch: { x: Tensor; y: Tensor }; w: readonly Tensor[] }) => ({
        z: [ops.add(batch.x, w[1]!), batch.y],
        w,
      }),
      { batch: { y: float(2), x: float(3) }, w: [float(), float(3)] },
    );
    expect(program.inputs.map(({ name }) => name)).toEqual(["batch.y", "batch.x", "w.0", "w.1"]);
    expect(program.outputs).toEqual([
      { name: "z.0", ...float(3) },
      { name: "z.1", ...float(2) },
      { name: "w.0", ...float() },
      { name: "w.1", ...float(3) },
    ]);
    const lone = lower((x: Tensor) => ops.exp(x), float(2));
    expect([lone.inputs[0]!.name, lone.outputs[0]!.name]).toEqual(["value", "value"]);
  });

  test("the same function gives the same bytes", () => {
    const build = (): Uint8Array => lower(({ x }: { x: Tensor }) => ops.tanh(x), { x: float(3) }).bytes;
    expect(build()).toEqual(build());
  });
});

describe.each([wasm, onnx])("compiled by $name", (backend) => {
  test("trees go in and come out, and run again and again", async () => {
    const example = { w: normal([2]), x: [normal([3, 2], 1)] };
    const f = ({ w, x }: { w: Tensor; x: readonly Tensor[] }): unknown => {
      const [loss, gradient] = valueAndGrad((v: Tensor) => ops.sum(ops.multiply(x[0]!, v)))(w);
      return { loss, gradients: [gradient], untouched: x };
    };
    type Result = { loss: HostTensor; gradients: HostTensor[]; untouched: HostTensor[] };
    await using program = await compile<typeof example, Result>(f, example, { backend });
    for (const seed of [1, 2]) {
      const x = normal([3, 2], seed);
      const { loss, gradients, untouched } = await program.run({ w: example.w, x: [x] });
      const [a, b] = [0, 1].map((j) => x.data[j]! + x.data[j + 2]! + x.data[j + 4]!);
      expect(gradients[0]).toBeAllclose({ shape: [2], data: Float32Array.of(a!, b!) });
      expect(loss.data[0]).toBeCloseTo(a! * example.w.data[0]! + b! * example.w.data[1]!, 4);
      expect(untouched[0]).toBeAllclose(x);
    }
  });

  test.each([
    ["a lone leaf", (x: Tensor) => x, (x: HostTensor) => x],
    [
      "a tree whose only leaf is called value",
      (x: Tensor) => ({ value: x }),
      (x: HostTensor) => ({ value: x }),
    ],
    [
      "a leaf called value beside others",
      (x: Tensor) => ({ value: x, x }),
      (x: HostTensor) => ({ value: x, x }),
    ],
    [
      "nested and empty branches",
      (x: Tensor) => ({ a: [x, []], b: {} }),
      (x: HostTensor) => ({ a: [x, []], b: {} }),
    ],
  ])("results have the shape of what the function returns: %s", async (_, f, expected) => {
    const x = normal([2]);
    await using program = await backend.compile<HostTensor, unknown>(f, x);
    expect(await program.run(x)).toEqual(expected(x));
  });

  test.each([
    [{}, /"x": expected float32\[2, 2\], got nothing/],
    [{ x: normal([3]) }, /"x": expected float32\[2, 2\], got float32\[3\]/],
    [{ x: normal([2, 2]), z: normal([1]) }, /"z" is not one that the program takes: x/],
    [{ x: { shape: [2, 2], data: new Float32Array(3) } }, /"x": shape \[2,2\] holds 4 elements, got 3/],
  ])("refuses arguments of another type", async (args, message) => {
    await using program = await backend.compile<object, HostTensor>(({ x }: { x: Tensor }) => ops.exp(x), {
      x: float(2, 2),
    });
    await expect(program.run(args)).rejects.toThrow(message);
  });
});

test("Node's compile is native unless told otherwise", async () => {
  const x = normal([2, 2]);
  await using native = await compileNative<object, HostTensor>(({ x: v }: { x: Tensor }) => ops.exp(v), {
    x,
  });
  await using portable = await compile<object, HostTensor>(({ x: v }: { x: Tensor }) => ops.exp(v), { x });
  expect(await native.run({ x })).toBeAllclose(await portable.run({ x }));
});
