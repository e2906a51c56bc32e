// Wraps a step's graph into one ONNX Loop. The body takes the iteration's number, slices its part of the arrays that the
// loop runs along, and collects what the step gives; the state goes round without leaving the session.
// https://onnx.ai/onnx/operators/onnx__Loop.html

import { invariant } from "@atoll/core";
import type { TensorSpec } from "../host.ts";
import type { Graph, Node, Port } from "../onnx/graph.ts";
import { GraphBuilder } from "../onnx/graph.ts";
import { inputName, outputName } from "../onnx/names.ts";

const ITERATION = "iteration";
const CONDITION = "condition";

const node = (operator: string, inputs: readonly string[], output: string, attributes = {}): Node => ({
  operator,
  domain: "",
  inputs,
  outputs: [output],
  attributes,
});

/**
 * @param step a graph whose inputs and outputs are in the order of `inputs` and `outputs`
 * @param inputs,outputs those of the loop; the ones marked `perStep` have the steps as their first axis, the others are
 * the state and have the same names on both sides
 */
export function loopGraph(step: Graph, inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): Graph {
  const port = ({ name, shape, dtype, perStep }: TensorSpec, named: (name: string) => string): Port => ({
    name: named(name),
    dtype,
    shape: perStep ? ["steps", ...shape] : shape,
  });
  const along = inputs.filter((spec) => spec.perStep);
  const first = along[0];
  invariant(first !== undefined, "a loop runs along at least one array");
  const g = new GraphBuilder("loop.");
  const steps = g.node("Shape", [inputName(first.name)], { start: 0, end: 1 });
  const trips = g.node("Reshape", [steps, g.integers([])]);
  const state = inputs.filter((spec) => !spec.perStep);
  const collected = outputs.filter((spec) => spec.perStep);
  const body = bodyGraph(step, inputs, outputs);
  const operands = [trips, "", ...state.map((spec) => inputName(spec.name))];
  const results = g.nodes("Loop", operands, state.length + collected.length, { body: { graph: body } });
  const order = [...state, ...collected].map((spec) => spec.name);
  return g.finish(
    "loop",
    inputs.map((spec) => port(spec, inputName)),
    outputs.map((spec) => port(spec, outputName)),
    outputs.map((spec) => results[order.indexOf(spec.name)]!),
  );
}

/** The step with the signature that Loop asks for: (iteration, condition, …state) -> (condition, …state, …collected). */
function bodyGraph(step: Graph, inputs: readonly TensorSpec[], outputs: readonly TensorSpec[]): Graph {
  const slices = inputs.flatMap((spec, i): Node[] =>
    spec.perStep
      ? [node("Gather", [inputName(spec.name), ITERATION], step.inputs[i]!.name, { axis: 0 })]
      : [],
  );
  const condition: Port = { name: CONDITION, dtype: "bool", shape: [] };
  const going: Port = { name: `${CONDITION}.next`, dtype: "bool", shape: [] };
  const carriedIn = step.inputs.filter((_, i) => !inputs[i]!.perStep);
  // The state's names inside the body must differ from those outside it, which the body can see too.
  const rename = new Map(carriedIn.map(({ name }) => [name, `step.${name}`]));
  const renamed = (name: string): string => rename.get(name) ?? name;
  const nodes = step.nodes.map((each) => ({ ...each, inputs: each.inputs.map(renamed) }));
  const results = step.outputs.map((port) => ({ ...port, name: `step.${port.name}` }));
  const produced = new Map(step.outputs.map((port, i) => [port.name, results[i]!.name]));
  const output = (name: string): string => produced.get(name) ?? name;
  const resultOf = ({ name }: TensorSpec): Port => results[outputs.findIndex((spec) => spec.name === name)]!;
  const state = inputs.filter((spec) => !spec.perStep);
  return {
    name: "step",
    nodes: [
      node("Identity", [CONDITION], going.name),
      ...slices,
      ...nodes.map((each) => ({
        ...each,
        inputs: each.inputs.map(output),
        outputs: each.outputs.map(output),
      })),
    ],
    initializers: step.initializers,
    inputs: [
      { name: ITERATION, dtype: "int64", shape: [] },
      condition,
      ...carriedIn.map((port) => ({ ...port, name: renamed(port.name) })),
    ],
    outputs: [going, ...state.map(resultOf), ...outputs.filter((spec) => spec.perStep).map(resultOf)],
  };
}
