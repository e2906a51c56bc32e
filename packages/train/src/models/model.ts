// What a model is: pure functions over trees of tensors. It owns no values and keeps no state; parameters, buffers and
// the random key of dropout are arguments, so the same model is trained on a thousand nodes at once.

import type { ConfigTree, Random } from "@atoll/core";
import type { DType, HostTensor, Tensor, Tree } from "@atoll/tensor";

/** One example's part, without the batch axis. */
export interface ExampleType {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export interface ApplyContext {
  /** Whether dropout drops and batch normalisation uses the batch's own statistics. */
  readonly training: boolean;
  /** State that is not trained, such as running means; {} where a model has none. */
  readonly buffers: Tree<Tensor>;
  /** Randomness of this call, uint32[2]. */
  readonly key: Tensor;
}

export interface Model {
  readonly name: string;
  /** The model and its sizes as they go into config.json. */
  readonly config: ConfigTree;
  readonly example: { readonly x: ExampleType; readonly y: ExampleType };
  /** Initial values, which depend on the stream alone. */
  init(random: Random): { readonly parameters: Tree<HostTensor>; readonly buffers: Tree<HostTensor> };
  /** Scores for a batch, and the buffers after it. x [batch, …example.x] -> logits [batch, …, classes] */
  apply(
    parameters: Tree<Tensor>,
    x: Tensor,
    context: ApplyContext,
  ): { readonly logits: Tensor; readonly buffers: Tree<Tensor> };
  /** Mean over the batch. logits, y [batch, …example.y] -> [] */
  loss(logits: Tensor, y: Tensor): Tensor;
  /** Number of right answers in the batch, []; absent where accuracy means nothing. */
  correct?(logits: Tensor, y: Tensor): Tensor;
}
