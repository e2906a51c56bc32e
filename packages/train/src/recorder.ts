// Gathers what the nodes report of their steps and emits one event a step, once every node has done it, in step order.
// Nodes run ahead of each other on the virtual clock, so several steps may be open at a time.

import type { EventSink, Rank } from "@atoll/core";

export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  readonly loss: number;
  /** When the node was done with it, in simulated seconds. */
  readonly time: number;
  /** Bytes the node had sent by then. */
  readonly bytesSent: number;
}

export interface RecorderOptions {
  readonly nodes: number;
  readonly examplesPerStep: number;
  readonly learningRate: (step: number) => number;
  readonly emit: EventSink;
}

interface OpenStep {
  readonly losses: Float64Array;
  readonly bytesSent: Float64Array;
  time: number;
  missing: number;
}

export class StepRecorder {
  readonly #options: RecorderOptions;
  readonly #open: Map<number, OpenStep> = new Map();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  report(rank: Rank, { step, loss, time, bytesSent }: StepReport): void {
    const { nodes } = this.#options;
    let open = this.#open.get(step);
    if (!open) {
      open = { losses: new Float64Array(nodes), bytesSent: new Float64Array(nodes), time: 0, missing: nodes };
      this.#open.set(step, open);
    }
    open.losses[rank] = loss;
    open.bytesSent[rank] = bytesSent;
    open.time = Math.max(open.time, time);
    if (--open.missing === 0) this.#close(step, open);
  }

  /** A node does its steps in order, so the last node to report closes the steps in order. */
  #close(step: number, { losses, bytesSent, time }: OpenStep): void {
    const { nodes, examplesPerStep, learningRate, emit } = this.#options;
    this.#open.delete(step);
    emit({
      type: "step",
      step,
      loss: sum(losses) / nodes,
      learningRate: learningRate(step - 1),
      examples: step * examplesPerStep,
      time,
      bytesSent: sum(bytesSent) / nodes,
    });
  }
}

/** In rank order, so that the mean does not depend on who reported last. */
const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
