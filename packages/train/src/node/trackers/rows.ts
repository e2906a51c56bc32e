// Events as rows of metrics, one row a step: what happened at the same step (training loss, evaluations) is put together.
// Names are those of the CSV files (EXO Gym's), and Atoll's own where those have none.

import type { Evaluated, Recorded, RecordedQuantity, RunEvent, StepDone } from "@atoll/core";
import type { MetricRow } from "./tracker.ts";

/** JSON has no NaN: a null in an event that was read from a log was a number that is not finite. */
const quantity = (value: number | null): number => value ?? Number.NaN;

function stepValues({ loss, learningRate, examples, time, bytesSent }: StepDone): MetricRow["values"] {
  return {
    train_loss: quantity(loss),
    train_perplexity: Math.exp(quantity(loss)),
    lr: quantity(learningRate),
    examples_trained: examples,
    simulated_seconds: time,
    bytes_sent: bytesSent,
  };
}

/** Evaluations on the way are plain (`global_loss`), that of the final model on the whole set has `test_` before it. */
function evaluationValues({ split, loss, accuracy }: Evaluated): MetricRow["values"] {
  const prefix = split === "test" ? "test_" : "";
  const of = (model: "local" | "global"): MetricRow["values"] => ({
    [`${prefix}${model}_loss`]: quantity(loss[model]),
    [`${prefix}${model}_perplexity`]: Math.exp(quantity(loss[model])),
    ...(accuracy === null ? {} : { [`${prefix}${model}_accuracy`]: quantity(accuracy[model]) }),
  });
  return { ...of("local"), ...of("global") };
}

const RECORDED_NAMES: Readonly<Record<RecordedQuantity, string>> = {
  correlation: "correlation",
  gradientNorm: "gradient_norm",
  outerCosine: "outer_cosine",
  compressionError: "compression_error",
};

function recordedValues({ quantity: of, mean, range }: Recorded): MetricRow["values"] {
  const name = RECORDED_NAMES[of];
  if (range === null) return { [name]: quantity(mean) };
  return {
    [name]: quantity(mean),
    [`${name}_min`]: quantity(range.min),
    [`${name}_max`]: quantity(range.max),
  };
}

/** Puts rows together from events in their order. A row is whole when a later step begins, or at the end. */
export class RowMaker {
  readonly #wallClock: () => number;
  #open: MetricRow | undefined;
  #last = 0;

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
  }

  /** @returns the row that this event shows to be whole */
  take(event: RunEvent): MetricRow | undefined {
    if (event.type === "step") return this.#add(event.step, stepValues(event));
    if (event.type === "evaluation") return this.#add(event.step, evaluationValues(event));
    if (event.type === "recorded") return this.#add(event.step, recordedValues(event));
    return undefined;
  }

  /** @returns the last row, if there is one that was not given yet */
  end(): MetricRow | undefined {
    const row = this.#open;
    this.#open = undefined;
    if (row !== undefined) this.#last = row.step;
    return row;
  }

  #add(step: number, values: MetricRow["values"]): MetricRow | undefined {
    if (this.#open?.step === step) {
      this.#open = { ...this.#open, values: { ...this.#open.values, ...values } };
      return undefined;
    }
    // Nodes that were put back to a checkpoint do steps again; trackers have no way to take a step back.
    if (step <= (this.#open?.step ?? this.#last)) return undefined;
    const whole = this.end();
    this.#open = { step, wallMs: this.#wallClock(), values };
    return whole;
  }
}

/** The rows of a log's events. */
export function rowsOf(events: readonly RunEvent[], wallClock: () => number): readonly MetricRow[] {
  const maker = new RowMaker(wallClock);
  return [...events.map((event) => maker.take(event)), maker.end()].filter((row) => row !== undefined);
}
