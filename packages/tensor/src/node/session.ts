// Runs lowered programs on ONNX Runtime's CPU provider. A run blocks its thread, so programs that should run at the same
// time need a session each in a worker thread of its own, with one intra-op thread each.

import "./noTelemetry.ts";
import { ConfigError, messageOf, RunError } from "@atoll/core";
import * as ort from "onnxruntime-node";
import type { HostArray, TensorSpec } from "../host.ts";
import { dtypeOf, elementCount, formatType } from "../host.ts";
import { inputName, outputName } from "../onnx/names.ts";
import type { LoweredProgram } from "../program.ts";

export interface Session extends AsyncDisposable {
  /**
   * Runs the program once. Arrays are read and written in place, by the names of the program's inputs and outputs; they
   * may view a SharedArrayBuffer. For a loop the number of steps follows from the lengths of the arrays along them.
   * @throws ConfigError if an array is missing or doesn't fit, RunError if the runtime fails
   */
  run(
    inputs: Readonly<Record<string, HostArray>>,
    outputs: Readonly<Record<string, HostArray>>,
  ): Promise<void>;
}

export interface SessionOptions {
  /** Threads that one operator may use; 1 by default. */
  readonly intraOpThreads?: number;
}

/**
 * Loads a program.
 * @throws RunError if the runtime refuses it
 */
export async function createSession(
  { bytes, inputs, outputs }: LoweredProgram,
  { intraOpThreads = 1 }: SessionOptions = {},
): Promise<Session> {
  const session = await load(bytes, intraOpThreads);
  const feed = new Feed(inputs, inputName);
  const fetch = new Feed(outputs, outputName);
  return {
    async run(inputArrays, outputArrays) {
      const feeds = feed.tensors(inputArrays);
      const fetches = fetch.tensors(outputArrays);
      try {
        free(await session.run(feeds, fetches), fetches);
      } catch (cause) {
        throw new RunError(`The compiled program failed: ${messageOf(cause)}`, cause);
      }
    },
    async [Symbol.asyncDispose]() {
      await session.release();
    },
  };
}

/**
 * The runtime copies outputs once more into buffers of its own, though they have been written where they belong. Until garbage
 * is collected these are many; the allocator then gives their memory back, and each further one is made of pages that have to be
 * cleared. Freed at once, it is the same memory each time.
 */
function free(results: ort.InferenceSession.ReturnType, fetches: Readonly<Record<string, ort.Tensor>>): void {
  for (const [name, { data }] of Object.entries(results)) {
    const { buffer } = data as Float32Array;
    if (buffer instanceof ArrayBuffer && buffer !== (fetches[name]!.data as Float32Array).buffer)
      buffer.transfer(0);
  }
}

async function load(bytes: Uint8Array, intraOpThreads: number): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(bytes, {
      intraOpNumThreads: intraOpThreads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      // Subnormal numbers stay (no session.set_denormal_as_zero): the runtime has them flushed only on the thread that makes
      // the process's first session, so that a result would depend on which worker has computed it.
    });
  } catch (cause) {
    throw new RunError(
      `ONNX Runtime cannot load the compiled program: ${messageOf(cause)}. Use the wasm backend, and report this.`,
      cause,
    );
  }
}

/** Makes the runtime's tensors around arrays, and keeps them as long as the arrays live: making one costs 2 µs. */
class Feed {
  readonly #specs: readonly TensorSpec[];
  readonly #named: (name: string) => string;
  readonly #known: readonly WeakMap<HostArray, ort.Tensor>[];

  constructor(specs: readonly TensorSpec[], named: (name: string) => string) {
    this.#specs = specs;
    this.#named = named;
    this.#known = specs.map(() => new WeakMap());
  }

  tensors(arrays: Readonly<Record<string, HostArray>>): Record<string, ort.Tensor> {
    const result: Record<string, ort.Tensor> = {};
    for (const [i, spec] of this.#specs.entries()) {
      const array = arrays[spec.name];
      if (array === undefined)
        throw new ConfigError(`Array "${spec.name}": expected ${formatType(spec)}, got nothing.`);
      const known = this.#known[i]!;
      let tensor = known.get(array);
      if (tensor === undefined) {
        tensor = tensorOf(spec, array);
        known.set(array, tensor);
      }
      result[this.#named(spec.name)] = tensor;
    }
    return result;
  }
}

function tensorOf(spec: TensorSpec, array: HostArray): ort.Tensor {
  const { name, shape, dtype, perStep } = spec;
  const count = elementCount(shape);
  const steps = array.length / count;
  const fits = perStep ? Number.isInteger(steps) && steps > 0 : array.length === count;
  if (dtypeOf(array) !== dtype || !fits)
    throw new ConfigError(
      `Array "${name}": expected ${formatType(spec)}${perStep ? " for each step" : ""}, got ${array.length} elements of ${dtypeOf(array)}.`,
    );
  const dims = perStep ? [steps, ...shape] : [...shape];
  return new ort.Tensor(dtype, array as Float32Array, dims) as ort.Tensor;
}
