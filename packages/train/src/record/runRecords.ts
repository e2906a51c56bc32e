// What is recorded of a run: gathers what the nodes tell of a step, and emits it when all of them have done the step.
// What belongs to one node comes with its step's report, or by rank; outer gradients are summed as they come, since keeping
// them would take the memory of another model for each node.

import type { EventSink, Rank, Recorded, RecordedQuantity } from "@atoll/core";
import { addEncodings, type Encoding, NOTHING_ENCODED, relativeError } from "../compressors/encoding.ts";
import type { StepListener, StepReport } from "../recorder.ts";
import type { Replica } from "../replica.ts";
import type { RecordPlan } from "./options.ts";
import { PairwiseMean } from "./pairwise.ts";

/** What nodes have told of a step that not all of them have done. */
interface OpenRecords {
  readonly outerGradients: PairwiseMean;
  /** Whose they are: a node that begins an exchange again tells of the same one once more. */
  readonly told: Set<Rank>;
  readonly encodings: Map<Rank, Encoding>;
}

export class RunRecords implements StepListener {
  readonly #plan: RecordPlan;
  readonly #emit: EventSink;
  readonly #open: Map<number, OpenRecords> = new Map();

  constructor(plan: RecordPlan, emit: EventSink) {
    this.#plan = plan;
    this.#emit = emit;
  }

  isDue(quantity: Exclude<RecordedQuantity, "correlation">, step: number): boolean {
    return this.#plan.isDue(quantity, step);
  }

  outerGradient(rank: Rank, step: number, x: Float32Array): void {
    const { told, outerGradients } = this.#of(step);
    if (told.has(rank)) return;
    told.add(rank);
    outerGradients.add(x);
  }

  encoded(rank: Rank, step: number, encoding: Encoding): void {
    const { encodings } = this.#of(step);
    encodings.set(rank, addEncodings(encodings.get(rank) ?? NOTHING_ENCODED, encoding));
  }

  /** A node begins the exchange of a step, perhaps once more: what it has told of encodings does not count. */
  beginExchange(rank: Rank, step: number): void {
    this.#open.get(step)?.encodings.delete(rank);
  }

  /** All nodes that take part in a step have done it. @param reports by rank, for those */
  close(step: number, time: number, reports: readonly (StepReport | undefined)[]): void {
    const open = this.#open.get(step);
    this.#open.delete(step);
    const norms = reports.map((report) => report?.gradientNorm).filter((norm) => norm !== undefined);
    this.#emitNodes("gradientNorm", { step, time }, norms);
    const mean = open?.outerGradients.mean;
    if (mean !== undefined) {
      const nodes = open!.outerGradients.count;
      this.#emit({ type: "recorded", quantity: "outerCosine", step, time, nodes, mean, range: null });
    }
    const encodings = reports.map((report, rank) => report && open?.encodings.get(rank));
    const errors = encodings.filter((encoding) => encoding !== undefined).map(relativeError);
    this.#emitNodes("compressionError", { step, time }, errors);
  }

  /** Steps that were open are done again. */
  clear(): void {
    this.#open.clear();
  }

  /** Correlation of the parameters of the nodes that are there. */
  correlation(step: number, time: number, replicas: readonly Pick<Replica, "parameters">[]): void {
    const pairs = new PairwiseMean("correlation");
    for (const { parameters } of replicas) pairs.add(parameters);
    const { count: nodes, mean } = pairs;
    if (mean === undefined) return;
    this.#emit({ type: "recorded", quantity: "correlation", step, time, nodes, mean, range: null });
  }

  #emitNodes(
    quantity: RecordedQuantity,
    place: Pick<Recorded, "step" | "time">,
    values: readonly number[],
  ): void {
    const nodes = values.length;
    if (nodes === 0) return;
    const mean = values.reduce((total, value) => total + value, 0) / nodes;
    const range = { min: Math.min(...values), max: Math.max(...values) };
    this.#emit({ type: "recorded", quantity, ...place, nodes, mean, range });
  }

  #of(step: number): OpenRecords {
    let open = this.#open.get(step);
    if (open === undefined) {
      open = { outerGradients: new PairwiseMean("cosine"), told: new Set(), encodings: new Map() };
      this.#open.set(step, open);
    }
    return open;
  }
}
