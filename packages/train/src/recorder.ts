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
  /** By rank. */
  readonly reports: (StepReport | undefined)[];
  missing: number;
}

export class StepRecorder {
  readonly #options: RecorderOptions;
  readonly #open: Map<number, OpenStep> = new Map();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  report(rank: Rank, report: StepReport): void {
    const { nodes } = this.#options;
    let open = this.#open.get(report.step);
    if (!open) {
      open = { reports: new Array<StepReport | undefined>(nodes), missing: nodes };
      this.#open.set(report.step, open);
    }
    open.reports[rank] = report;
    if (--open.missing === 0) this.#close(report.step, open);
  }

  /** What a node has reported of steps that others have not done yet, in step order. */
  ahead(rank: Rank): readonly StepReport[] {
    return Array.from(this.#open.values(), ({ reports }) => reports[rank])
      .filter((report) => report !== undefined)
      .sort((a, b) => a.step - b.step);
  }

  /** A node does its steps in order, so the last node to report closes the steps in order. */
  #close(step: number, { reports }: OpenStep): void {
    const { nodes, examplesPerStep, learningRate, emit } = this.#options;
    this.#open.delete(step);
    // Summed in rank order, so that the means do not depend on who reported last.
    const sum = (of: (report: StepReport) => number): number =>
      reports.reduce((total, report) => total + of(report!), 0);
    emit({
      type: "step",
      step,
      loss: sum(({ loss }) => loss) / nodes,
      learningRate: learningRate(step - 1),
      examples: step * examplesPerStep,
      time: reports.reduce((latest, report) => Math.max(latest, report!.time), 0),
      bytesSent: sum(({ bytesSent }) => bytesSent) / nodes,
    });
  }
}
