// One node's part in recording: what its strategy tells, and what goes through its communicator encoded, as of the step that
// the node is in.

import type { Communicator } from "@atoll/comm";
import type { Rank } from "@atoll/core";
import type { Encoding } from "../compressors/encoding.ts";
import { measuredCommunicator } from "./measuredCommunicator.ts";
import type { RunRecords } from "./runRecords.ts";
import type { StrategyRecord } from "./strategyRecord.ts";

export interface NodeRecordOptions {
  readonly records: RunRecords;
  readonly rank: Rank;
  /** Steps done once the present exchange has ended. */
  readonly step: () => number;
}

export class NodeRecord implements StrategyRecord {
  readonly memory: Record<string, Float32Array> = {};
  readonly #options: NodeRecordOptions;
  readonly #measured: WeakMap<Communicator, Communicator> = new WeakMap();

  constructor(options: NodeRecordOptions) {
    this.#options = options;
  }

  get outerGradient(): StrategyRecord["outerGradient"] {
    const { records, rank, step } = this.#options;
    if (!records.isDue("outerCosine", step())) return undefined;
    return (x) => records.outerGradient(rank, step(), x);
  }

  get encoded(): StrategyRecord["encoded"] {
    const { records, rank, step } = this.#options;
    if (!records.isDue("compressionError", step())) return undefined;
    return (measure) => records.encoded(rank, step(), measure());
  }

  /** Call it before each attempt at an exchange. */
  beginExchange(): void {
    const { records, rank, step } = this.#options;
    records.beginExchange(rank, step());
  }

  /** The communicator that a strategy is given: where encodings are recorded, it measures those of all-reduces. */
  communicator(plain: Communicator): Communicator {
    const { records, rank, step } = this.#options;
    if (!records.isDue("compressionError", step())) return plain;
    const present = this.#measured.get(plain);
    if (present !== undefined) return present;
    // An all-reduce that has been started may be encoded when the node is a step further.
    const observer = (): ((encoding: Encoding) => void) => {
      const of = step();
      return (encoding) => records.encoded(rank, of, encoding);
    };
    const measured = measuredCommunicator(plain, observer);
    this.#measured.set(plain, measured);
    return measured;
  }

  /** Which of the next steps' gradients have their norm recorded, by their place among them. */
  gradientNorms(stepsDone: number, steps: number): readonly number[] {
    const { records } = this.#options;
    return Array.from({ length: steps }, (_, i) => i).filter((i) =>
      records.isDue("gradientNorm", stepsDone + i + 1),
    );
  }
}
