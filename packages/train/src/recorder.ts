// Gathers what the nodes report of their steps and emits one event a step, once every node that takes part in it has done
// it, in step order. Nodes run ahead of each other on the virtual clock, so several steps may be open at a time.

import type { EventSink, Rank } from "@atoll/core";

export interface StepReport {
  /** Steps done, this one included. */
  readonly step: number;
  readonly loss: number;
  /** When the node was done with it, in simulated seconds. */
  readonly time: number;
  /** Bytes the node had sent by then. */
  readonly bytesSent: number;
  /** L2 norm of the step's gradient, where the run records it. */
  readonly gradientNorm?: number;
}

/** Hears of whole steps, in their order, for what else is recorded of them. */
export interface StepListener {
  /** @param time when the last node was done @param reports by rank; undefined for nodes that took no part */
  close(step: number, time: number, reports: readonly (StepReport | undefined)[]): void;
  /** The run goes on from another step. */
  clear(): void;
}

export interface RecorderOptions {
  readonly nodes: number;
  /** Examples of one step of one node. */
  readonly batchSize: number;
  readonly learningRate: (step: number) => number;
  readonly emit: EventSink;
  readonly records?: StepListener | undefined;
}

/** Where a resumed run's recorder was. JSON, but for a node that takes part in no step, which is null. */
export interface RecorderState {
  readonly step: number;
  readonly examples: number;
  /** By rank: the node takes part in the steps after this one. */
  readonly after: readonly (number | null)[];
}

interface OpenStep {
  /** By rank. */
  readonly reports: (StepReport | undefined)[];
  missing: number;
}

const NEVER = Number.POSITIVE_INFINITY;

export class StepRecorder {
  readonly #options: RecorderOptions;
  readonly #open: Map<number, OpenStep> = new Map();
  /** By rank: the node takes part in the steps after this one. */
  #after: number[];
  /** By rank: the last step that the node has reported. */
  #reported: number[];
  /** The last step that was emitted. */
  #closed = 0;
  #examples = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#after = new Array<number>(options.nodes).fill(0);
    this.#reported = [...this.#after];
  }

  get state(): RecorderState {
    const after = this.#after.map((step) => (step === NEVER ? null : step));
    return { step: this.#closed, examples: this.#examples, after };
  }

  /** Goes on from a state, without the steps that were open then. */
  restore({ step, examples, after }: RecorderState): void {
    this.#open.clear();
    this.#options.records?.clear();
    this.#closed = step;
    this.#examples = examples;
    this.#after = after.map((from) => from ?? NEVER);
    this.#reported = this.#after.map(() => step);
  }

  report(rank: Rank, report: StepReport): void {
    const { step } = report;
    // A node that has taken over the state of one that is behind does some steps again.
    if (step <= this.#closed || step <= this.#reported[rank]!) return;
    this.#reported[rank] = step;
    let open = this.#open.get(step);
    if (!open) {
      const missing = this.#after.filter((from) => from < step).length;
      open = { reports: new Array<StepReport | undefined>(this.#options.nodes), missing };
      this.#open.set(step, open);
    }
    open.reports[rank] = report;
    if (this.#after[rank]! < step) open.missing--;
    if (open.missing === 0) this.#close(step, open);
  }

  /** A node takes part in no further step than those that it has reported. */
  leave(rank: Rank): void {
    const from = this.#after[rank]!;
    this.#after[rank] = NEVER;
    for (const [step, open] of this.#inOrder())
      if (from < step && open.reports[rank] === undefined && --open.missing === 0) this.#close(step, open);
  }

  /** A node takes part again, in the steps after this one. */
  join(rank: Rank, after: number): void {
    this.#after[rank] = Math.max(after, this.#reported[rank]!);
    for (const [step, open] of this.#open) if (step > this.#after[rank]!) open.missing++;
  }

  /** What a node has reported of steps that others have not done yet, in step order. */
  ahead(rank: Rank): readonly StepReport[] {
    return this.#inOrder()
      .map(([, { reports }]) => reports[rank])
      .filter((report) => report !== undefined);
  }

  #inOrder(): readonly (readonly [number, OpenStep])[] {
    return [...this.#open].sort(([a], [b]) => a - b);
  }

  /** A node does its steps in order, so the last node to report closes the steps in order. */
  #close(step: number, { reports }: OpenStep): void {
    const { batchSize, learningRate, emit, records } = this.#options;
    this.#open.delete(step);
    this.#closed = step;
    const given = reports.filter((report) => report !== undefined);
    this.#examples += given.length * batchSize;
    // Summed in rank order, so that the means do not depend on who reported last.
    const sum = (of: (report: StepReport) => number): number =>
      given.reduce((total, report) => total + of(report), 0);
    const time = given.reduce((latest, report) => Math.max(latest, report.time), 0);
    emit({
      type: "step",
      step,
      loss: sum(({ loss }) => loss) / given.length,
      learningRate: learningRate(step - 1),
      examples: this.#examples,
      time,
      bytesSent: sum(({ bytesSent }) => bytesSent) / given.length,
    });
    records?.close(step, time, reports);
  }
}
