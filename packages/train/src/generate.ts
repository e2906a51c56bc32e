// Writes on: a model that predicts the next token is asked for it again and again. One program, for windows of the
// model's whole length, is compiled once; a shorter text fills the front of its window, since no position sees a later
// one, and of a longer one the last tokens are the window. There is no cache of keys and values: every token costs a
// forward pass.

import { ConfigError, type Random } from "@atoll/core";
import { type Backend, compile, type HostTensor, reshape, type Tensor, type Tree, take } from "@atoll/tensor";
import type { Model } from "./models/index.ts";
import { type SamplingOptions, sampleToken } from "./sampling.ts";

export interface GenerateOptions extends SamplingOptions {
  readonly model: Model;
  readonly parameters: Tree<HostTensor>;
  readonly buffers: Tree<HostTensor>;
  /** Tokens to go on from; at least one. */
  readonly prompt: ArrayLike<number>;
  /** How many tokens to write. */
  readonly count: number;
  readonly random: Random;
  /** What the model runs on. */
  readonly backend: Backend;
  readonly signal?: AbortSignal;
}

type Arguments<T> = {
  readonly parameters: Tree<T>;
  readonly buffers: Tree<T>;
  /** int32 [1, length] */
  readonly x: T;
  /** The position whose prediction is asked for, int32 [1]. */
  readonly position: T;
  readonly key: T;
};

/** Whether a model takes tokens and predicts the next one at every position. */
export function predictsTokens({ example: { x, y } }: Model): boolean {
  const tokens = (type: Model["example"]["x"]): boolean => type.dtype === "int32" && type.shape.length === 1;
  return tokens(x) && tokens(y) && x.shape[0] === y.shape[0];
}

/**
 * Tokens as they are written. The same options give the same ones.
 * @throws ConfigError for a model that takes no tokens and a prompt that is empty or longer than the model's window; the
 * signal's reason if it aborts; RunError if the model has diverged
 */
export async function* generate(options: GenerateOptions): AsyncGenerator<number, void, undefined> {
  const { model, parameters, buffers, prompt, count, random, signal } = options;
  const length = windowOf(model, prompt);
  const x = { shape: [1, length], data: new Int32Array(length) };
  const position = { shape: [1], data: new Int32Array(1) };
  const key = { shape: [2], data: new Uint32Array(2) };
  const args: Arguments<HostTensor> = { parameters, buffers, x, position, key };
  await using program = await compile<typeof args, HostTensor>(
    (traced: Arguments<Tensor>) => scoresOf(model, traced),
    args as never,
    { backend: options.backend },
  );
  const text = Array.from(prompt);
  for (let written = 0; written < count; written++) {
    signal?.throwIfAborted();
    const window = text.slice(-length);
    x.data.set(window);
    position.data[0] = window.length - 1;
    const scores = (await program.run(args)).data as Float32Array;
    const token = sampleToken(scores, options, random);
    text.push(token);
    yield token;
  }
}

function windowOf(model: Model, prompt: ArrayLike<number>): number {
  if (!predictsTokens(model))
    throw new ConfigError(
      `Model "${model.name}" writes no text: expected one that takes tokens and predicts the next at every position.`,
    );
  const length = model.example.x.shape[0]!;
  if (prompt.length < 1 || prompt.length > length)
    throw new ConfigError(
      `Prompt: expected 1 to ${length} tokens (the model's blockSize), got ${prompt.length}. ${prompt.length === 0 ? "Begin the text" : "Shorten it"}.`,
    );
  return length;
}

/** -> [vocabSize] */
function scoresOf(model: Model, { parameters, buffers = {}, x, position, key }: Arguments<Tensor>): Tensor {
  const { logits } = model.apply(parameters, x, { training: false, buffers, key }); // [1, length, vocabSize]
  return reshape(take(reshape(logits, logits.shape.slice(1)), position), [-1]);
}
