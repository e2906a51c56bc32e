// Writes a graph as an ONNX model file, in memory. Schema: onnx.proto beside this file (ONNX IR version 9), read by
// the generated code in generated/; see scripts/generate.ts for how that is made.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import type { NodeProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } from "./generated/onnx_pb.js";
import {
  AttributeProto_AttributeType,
  type AttributeProtoSchema,
  type GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataType,
} from "./generated/onnx_pb.js";
import type { Attribute, ElementType, Graph, Initializer, Node, Port } from "./graph.ts";
import { MICROSOFT } from "./graph.ts";

const IR_VERSION = 9n;
const OPERATOR_SET = 18n;

/** ONNX's number of an element type, as in the attribute `to` of Cast. */
export const ELEMENT_TYPE: Readonly<Record<ElementType, number>> = {
  float32: TensorProto_DataType.FLOAT,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
  uint32: TensorProto_DataType.UINT32,
  bool: TensorProto_DataType.BOOL,
};

/** The bytes of a model that consists of this graph. */
export function encodeModel(graph: Graph): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "atoll",
    graph: encodeGraph(graph),
    opsetImport: [
      { domain: "", version: OPERATOR_SET },
      { domain: MICROSOFT, version: 1n },
    ],
  });
  return toBinary(ModelProtoSchema, model);
}

function encodeGraph(graph: Graph): MessageInitShape<typeof GraphProtoSchema> {
  return {
    name: graph.name,
    node: graph.nodes.map(encodeNode),
    initializer: graph.initializers.map(encodeInitializer),
    input: graph.inputs.map(encodePort),
    output: graph.outputs.map(encodePort),
  };
}

function encodeNode(node: Node): MessageInitShape<typeof NodeProtoSchema> {
  return {
    name: node.outputs[0]!,
    opType: node.operator,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
  };
}

function encodeAttribute(name: string, value: Attribute): MessageInitShape<typeof AttributeProtoSchema> {
  const type = AttributeProto_AttributeType;
  if (typeof value === "number") return { name, type: type.INT, i: BigInt(value) };
  if (typeof value === "string") return { name, type: type.STRING, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: type.FLOAT, f: value.float };
  if ("graph" in value) return { name, type: type.GRAPH, g: encodeGraph(value.graph) };
  return { name, type: type.INTS, ints: value.map(BigInt) };
}

function encodeInitializer({
  name,
  dtype,
  shape,
  data,
}: Initializer): MessageInitShape<typeof TensorProtoSchema> {
  return {
    name,
    dataType: ELEMENT_TYPE[dtype],
    dims: shape.map(BigInt),
    // Raw data is little-endian by the standard, as typed arrays are on every machine that runs Node or a browser.
    rawData: new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)),
  };
}

function encodePort({ name, dtype, shape }: Port): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape.map((size) => ({
    value:
      typeof size === "number"
        ? ({ case: "dimValue", value: BigInt(size) } as const)
        : ({ case: "dimParam", value: size } as const),
  }));
  const tensorType = { elemType: ELEMENT_TYPE[dtype], shape: { dim } };
  return { name, type: { value: { case: "tensorType", value: tensorType } } };
}
