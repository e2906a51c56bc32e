// The order in which one node sees its examples. An epoch goes through the node's share once, in an order drawn anew
// for (seed, rank, epoch), or as it lies. The last batch of an epoch is dropped if it is not full, since a traced
// training step has one batch shape; under shuffling other examples fall away in each epoch.
// Source of the shuffle: Durstenfeld, "Algorithm 235: random permutation" (CACM 7(7), 1964), run from the front, so that
// only as much of an epoch's order is drawn as is used.

import { ConfigError, invariant, type Random, type Rank } from "@atoll/core";

/** All that a sampler has to remember: go on from it and the same batches follow. */
export interface SamplerPosition {
  /** Whole passes over the share that are done. */
  readonly epoch: number;
  /** Examples of the present epoch that are done: a multiple of the batch size. */
  readonly offset: number;
}

export interface Sampler {
  /** May be set, to go on from there. */
  position: SamplerPosition;
  readonly batchesPerEpoch: number;
  /** The dataset indices of the next `steps` batches, one after the other: [steps, batchSize]. */
  next(steps: number): Uint32Array;
}

export interface SamplerOptions {
  /** The node's share, as indices into its data set. */
  readonly indices: Uint32Array;
  readonly batchSize: number;
  readonly shuffle: boolean;
  /** The run's stream; each (rank, epoch) derives its own from it. */
  readonly random: Random;
  readonly rank: Rank;
  /** Where to go on; default the start. */
  readonly position?: SamplerPosition;
}

/** @throws ConfigError if a batch is larger than the node's share. */
export function createSampler(options: SamplerOptions): Sampler {
  const { indices, batchSize, rank } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new ConfigError(`batchSize must be a positive integer, got ${batchSize}.`);
  if (batchSize > indices.length)
    throw new ConfigError(
      `batchSize ${batchSize} is larger than node ${rank}'s share of ${indices.length} examples; use batchSize=${indices.length} or less, fewer nodes, or more data.`,
    );
  return new EpochSampler(options);
}

class EpochSampler implements Sampler {
  readonly batchesPerEpoch: number;
  readonly #options: SamplerOptions;
  #epoch = 0;
  #offset = 0;
  #order: Uint32Array; // the epoch's order; settled up to #offset
  #random: Random;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.batchesPerEpoch = Math.floor(options.indices.length / options.batchSize);
    this.#order = options.indices;
    this.#random = options.random;
    this.#start(options.position ?? { epoch: 0, offset: 0 });
  }

  set position(position: SamplerPosition) {
    this.#start(position);
  }

  get position(): SamplerPosition {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  next(steps: number): Uint32Array {
    const { batchSize } = this.#options;
    const epochLength = this.batchesPerEpoch * batchSize;
    const result = new Uint32Array(steps * batchSize);
    for (let filled = 0; filled < result.length; ) {
      const count = Math.min(result.length - filled, epochLength - this.#offset);
      this.#settle(this.#offset, this.#offset + count);
      result.set(this.#order.subarray(this.#offset, this.#offset + count), filled);
      filled += count;
      this.#offset += count;
      if (this.#offset === epochLength) this.#start({ epoch: this.#epoch + 1, offset: 0 });
    }
    return result;
  }

  #start({ epoch, offset }: SamplerPosition): void {
    const { indices, batchSize, shuffle, random, rank } = this.#options;
    invariant(
      offset % batchSize === 0 && offset < this.batchesPerEpoch * batchSize,
      `sampler position ${offset} in an epoch of ${this.batchesPerEpoch} batches of ${batchSize}`,
    );
    this.#epoch = epoch;
    this.#offset = offset;
    if (!shuffle) return;
    this.#order = indices.slice();
    this.#random = random.derive("sampler", rank, epoch);
    this.#settle(0, offset);
  }

  /** Draws the places [from, to) of the epoch's order: each swaps in one of the examples not yet placed. */
  #settle(from: number, to: number): void {
    if (!this.#options.shuffle) return;
    const order = this.#order;
    for (let i = from; i < to; i++) {
      const j = i + this.#random.integer(order.length - i);
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
  }
}
