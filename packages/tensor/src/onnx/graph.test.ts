import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { encodeModel } from "./encode.ts";
import { ModelProtoSchema, TensorProto_DataType } from "./generated/onnx_pb.js";
import { GraphBuilder, type Port } from "./graph.ts";

const port = (name: string): Port => ({ name, dtype: "float32", shape: [2, "steps"] });

describe("a graph", () => {
  test("makes equal nodes and equal constants once, and keeps −0 and NaN apart", () => {
    const g = new GraphBuilder();
    expect(g.node("Add", ["a", "b"])).toBe(g.node("Add", ["a", "b"]));
    expect(g.node("Add", ["a", "b"])).not.toBe(g.node("Add", ["b", "a"]));
    expect(g.node("Cast", ["a"], { to: 1 })).not.toBe(g.node("Cast", ["a"], { to: 6 }));
    expect(g.scalar(1, "float32")).toBe(g.scalar(1, "float32"));
    expect(g.scalar(1, "float32")).not.toBe(g.scalar(1, "int32"));
    expect(g.scalar(-0, "float32")).not.toBe(g.scalar(0, "float32"));
    expect(g.integers([1, 2])).not.toBe(g.integers([2, 1]));
  });

  test("leaves out what no output needs", () => {
    const g = new GraphBuilder();
    g.node("Exp", [g.node("Neg", ["x"])]);
    const sum = g.node("Add", ["x", g.scalar(1, "float32")]);
    g.scalar(2, "float32");
    const graph = g.finish("test", [port("x")], [port("y")], [sum]);
    expect(graph.nodes.map(({ operator, outputs }) => [operator, ...outputs])).toEqual([["Add", "y"]]);
    expect(graph.initializers).toHaveLength(1);
  });

  test("copies a result that is an input, a constant or named twice", () => {
    const g = new GraphBuilder();
    const one = g.scalar(1, "float32");
    const negated = g.node("Neg", ["x"]);
    const outputs = ["a", "b", "c", "d"].map(port);
    const graph = g.finish("test", [port("x")], outputs, ["x", one, negated, negated]);
    expect(graph.nodes.map(({ operator, inputs, outputs: [name] }) => [operator, ...inputs, name])).toEqual([
      ["Neg", "x", "c"],
      ["Identity", "x", "a"],
      ["Identity", one, "b"],
      ["Identity", "c", "d"],
    ]);
  });
});

test("a model file holds the graph's nodes, constants and types", () => {
  const g = new GraphBuilder();
  const inner = new GraphBuilder("inner.");
  const body = inner.finish("body", [port("x")], [port("z")], [inner.node("Neg", ["x"])]);
  const attributes = {
    axis: -1,
    perm: [1, 0],
    epsilon: { float: 0.5 },
    direction: "LEFT",
    body: { graph: body },
  };
  const name = g.node("Everything", ["x", "", g.integers([3, -4])], attributes, "com.microsoft");
  const model = fromBinary(ModelProtoSchema, encodeModel(g.finish("test", [port("x")], [port("y")], [name])));

  expect(model.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
    ["", 18n],
    ["com.microsoft", 1n],
  ]);
  const [node] = model.graph!.node;
  expect([node!.opType, node!.domain, node!.input[1], node!.output]).toEqual([
    "Everything",
    "com.microsoft",
    "",
    ["y"],
  ]);
  const attribute = Object.fromEntries(node!.attribute.map((each) => [each.name, each]));
  expect(attribute.axis!.i).toBe(-1n);
  expect(attribute.perm!.ints).toEqual([1n, 0n]);
  expect(attribute.epsilon!.f).toBe(0.5);
  expect(new TextDecoder().decode(attribute.direction!.s)).toBe("LEFT");
  expect(attribute.body!.g!.node[0]!.opType).toBe("Neg");
  const [constant] = model.graph!.initializer;
  expect(constant!.dataType).toBe(TensorProto_DataType.INT64);
  expect(new BigInt64Array(constant!.rawData!.slice().buffer)).toEqual(BigInt64Array.of(3n, -4n));
  const type = model.graph!.input[0]!.type!.value;
  if (type.case !== "tensorType") throw new Error("an input has a tensor type");
  expect(type.value.shape!.dim.map(({ value }) => value.value)).toEqual([2n, "steps"]);
});
