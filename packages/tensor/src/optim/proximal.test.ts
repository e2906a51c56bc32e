import { createRandom } from "@atoll/core";
import { expect, test } from "vitest";
import { wasm } from "../backends/wasm.ts";
import type { HostTensor } from "../host.ts";
import { onnx } from "../node/onnx.ts";
import { chain, proximal, sgd } from "./index.ts";

test.each([wasm, onnx])(
  "adds mu times the distance from the anchor to the gradient, on $name",
  async (backend) => {
    const length = 9;
    const random = createRandom(1);
    const vector = (): HostTensor => ({
      shape: [length],
      data: Float32Array.from({ length }, () => random.normal()),
    });
    const optimizer = chain(proximal(0.3), sgd({ learningRate: 0.5 }));
    const layout = { entries: [], size: length, matrixSize: 0 };
    const scalars = Object.fromEntries(
      Object.entries(optimizer.scalars(0)).map(([name, value]) => [
        name,
        { shape: [], data: Float32Array.of(value) },
      ]),
    );
    const args = {
      gradients: vector(),
      parameters: vector(),
      slots: { "proximal/anchor": vector() },
      scalars,
    };
    const update = ({ gradients, parameters, slots, scalars: numbers }: never) =>
      optimizer.update(gradients, slots, parameters, numbers, layout);
    await using program = await backend.compile<
      typeof args,
      { updates: HostTensor; state: Record<string, HostTensor> }
    >(update, args);
    const { updates, state } = await program.run(args);
    for (let i = 0; i < length; i++) {
      const pull = 0.3 * (args.parameters.data[i]! - args.slots["proximal/anchor"].data[i]!);
      expect(updates.data[i]).toBeCloseTo(-0.5 * (args.gradients.data[i]! + pull), 6);
    }
    expect(state["proximal/anchor"]!.data, "the anchor stays").toEqual(args.slots["proximal/anchor"].data);
  },
);

test("refuses a negative weight", () => {
  expect(() => proximal(-1)).toThrow(/proximal: expected a number of at least 0, got -1/);
});
