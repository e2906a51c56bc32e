// An ONNX graph under construction: nodes in order of execution, constants, named inputs and outputs. Equal nodes and
// equal constants are made once (common-subexpression elimination). It knows nothing of layouts or of our own IR.
// Operators and attributes: https://onnx.ai/onnx/operators/ (operator set 18) and ONNX Runtime's contrib operators.

import { invariant } from "@atoll/core";
import type { DType, HostArray } from "../host.ts";

/** Element types of tensors inside a graph; int64 is what shapes and axes are given in. */
export type ElementType = DType | "int64";
export type ElementArray = HostArray | BigInt64Array;

/** A plain number is an ONNX int, a list of numbers is ints. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly graph: Graph };
export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly operator: string;
  /** Empty: ONNX's own operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface Initializer {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly number[];
  readonly data: ElementArray;
}

/** A named input or output; a string in the shape is a size that is known only when the program runs. */
export interface Port {
  readonly name: string;
  readonly dtype: ElementType;
  readonly shape: readonly (number | string)[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** ONNX Runtime's own operators. */
export const MICROSOFT = "com.microsoft";

const NODE_ATTRIBUTES: Attributes = {};

/** Constants up to this many elements are compared by value, so that equal ones are stored once. */
const INTERN_LIMIT = 64;

export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #initializers: Initializer[] = [];
  readonly #nodesByKey = new Map<string, Node>();
  readonly #constantsByKey = new Map<string, string>();
  readonly #prefix: string;
  #names = 0;

  /** @param prefix of all names made here; a graph and the graphs inside it need different ones */
  constructor(prefix = "") {
    this.#prefix = prefix;
  }

  #fresh(stem: string): string {
    return `${this.#prefix}${stem}_${this.#names++}`;
  }

  /** Adds a node with several results; missing optional inputs are empty strings. */
  nodes(
    operator: string,
    inputs: readonly string[],
    results: number,
    attributes: Attributes = NODE_ATTRIBUTES,
    domain = "",
  ): readonly string[] {
    const hasGraph = Object.values(attributes).some((value) => typeof value === "object" && "graph" in value);
    const key = hasGraph
      ? this.#fresh(operator)
      : `${domain}.${operator}(${inputs.join()})${JSON.stringify(attributes)}${results}`;
    const present = this.#nodesByKey.get(key);
    if (present !== undefined) return present.outputs;
    const outputs = Array.from({ length: results }, () => this.#fresh(operator));
    const node = { operator, domain, inputs, outputs, attributes };
    this.#nodes.push(node);
    this.#nodesByKey.set(key, node);
    return outputs;
  }

  /** Adds a node with one result and returns its name. */
  node(operator: string, inputs: readonly string[], attributes?: Attributes, domain?: string): string {
    return this.nodes(operator, inputs, 1, attributes, domain)[0]!;
  }

  constant(dtype: ElementType, shape: readonly number[], data: ElementArray): string {
    const key = data.length > INTERN_LIMIT ? undefined : `${dtype}[${shape.join()}]${bitsOf(data)}`;
    const present = key === undefined ? undefined : this.#constantsByKey.get(key);
    if (present !== undefined) return present;
    const name = this.#fresh("constant");
    this.#initializers.push({ name, dtype, shape, data });
    if (key !== undefined) this.#constantsByKey.set(key, name);
    return name;
  }

  /** A scalar constant. */
  scalar(value: number, dtype: DType): string {
    switch (dtype) {
      case "float32":
        return this.constant(dtype, [], Float32Array.of(value));
      case "int32":
        return this.constant(dtype, [], Int32Array.of(value));
      case "uint32":
        return this.constant(dtype, [], Uint32Array.of(value));
      case "bool":
        return this.constant(dtype, [], Uint8Array.of(value));
    }
    return dtype satisfies never;
  }

  /** A list of integers, as operators take shapes, axes and bounds. */
  integers(values: readonly number[]): string {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /**
   * Closes the graph: names the results as its outputs, and leaves out every node and constant that no output needs.
   * @param results for each output, the name of the tensor that it is
   */
  finish(name: string, inputs: readonly Port[], outputs: readonly Port[], results: readonly string[]): Graph {
    invariant(outputs.length === results.length, "every output has a result");
    const renamed = this.#renameResults(inputs, outputs, results);
    const needed = new Set(outputs.map((output) => output.name));
    const live: Node[] = [];
    for (const node of renamed.reverse()) {
      if (!node.outputs.some((output) => needed.has(output))) continue;
      live.push(node);
      for (const input of node.inputs) needed.add(input);
    }
    const initializers = this.#initializers.filter((initializer) => needed.has(initializer.name));
    return { name, nodes: live.reverse(), initializers, inputs, outputs };
  }

  /** Gives tensors their output names; one that is an input, a constant or already named gets a copying node. */
  #renameResults(inputs: readonly Port[], outputs: readonly Port[], results: readonly string[]): Node[] {
    const fixed = new Set([
      ...inputs.map((input) => input.name),
      ...this.#initializers.map((initializer) => initializer.name),
    ]);
    const names = new Map<string, string>();
    const copies: Node[] = [];
    for (const [i, output] of outputs.entries()) {
      const result = results[i]!;
      if (!fixed.has(result) && !names.has(result)) names.set(result, output.name);
      else
        copies.push({
          operator: "Identity",
          domain: "",
          inputs: [names.get(result) ?? result],
          outputs: [output.name],
          attributes: {},
        });
    }
    const rename = (name: string): string => names.get(name) ?? name;
    const nodes = this.#nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    }));
    return [...nodes, ...copies];
  }
}

/** The bytes of an array as text: unlike printed numbers they keep −0 and NaN apart. */
const bitsOf = (data: ElementArray): string =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength).join();
