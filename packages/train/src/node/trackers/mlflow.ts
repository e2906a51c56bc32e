// MLflow, by the REST API of its tracking server (mlflow.org/docs/latest/rest-api.html): the one tracker that uses the
// network. The run's options become parameters, its metrics go in batches within the API's limits.
// A resumed run goes on in the same MLflow run. The server cannot take a metric back, so what it has of a metric is left.

import type { ConfigTree, ConfigValue, RunFinished, RunStarted } from "@atoll/core";
import { RunError } from "@atoll/core";
import { z } from "zod";
import {
  type MetricRow,
  remembered,
  type Tracker,
  type TrackerContext,
  type TrackerEntry,
} from "./tracker.ts";

/** The API's limits on one batch. */
const MOST_METRICS = 1000;
const MOST_PARAMETERS = 100;
/** Older servers refuse longer values. */
const LONGEST_VALUE = 500;
const LONGEST_KEY = 250;
const REQUEST_TIMEOUT_MS = 10_000;

const options = z.strictObject({
  uri: z
    .string()
    .regex(/^https?:\/\/[^/\s]+/, "expected an address such as http://127.0.0.1:5000")
    .default("http://127.0.0.1:5000")
    .describe("address of the tracking server"),
  experiment: z
    .string()
    .min(1)
    .default("atoll")
    .describe("experiment that the run belongs to; made if absent"),
});

type MlflowOptions = z.output<typeof options>;

interface Metric {
  readonly key: string;
  /** A string where JSON has no number for it. */
  readonly value: number | string;
  readonly timestamp: number;
  readonly step: number;
}

class Mlflow implements Tracker {
  readonly #options: MlflowOptions;
  readonly #context: TrackerContext;
  #experimentId = "";
  #runId = "";
  /** The last step that the server has of each metric of a resumed run. */
  #held: ReadonlyMap<string, number> = new Map();

  constructor(given: MlflowOptions, context: TrackerContext) {
    this.#options = given;
    this.#context = context;
  }

  get hint(): string {
    return `${this.#options.uri.replace(/\/$/, "")}/#/experiments/${this.#experimentId}/runs/${this.#runId}`;
  }

  async start(run: RunStarted): Promise<number> {
    const known = remembered(this.#context.memory.read(), "runId");
    const goesOn = run.resumedFrom > 0 && known !== undefined && (await this.#goOn(known));
    if (!goesOn) await this.#create(run);
    // A batch can end in the middle of a row, so all rows are wanted; what the server has is left out metric by metric.
    return 1;
  }

  async write(rows: readonly MetricRow[]): Promise<void> {
    const metrics = rows.flatMap((row) => this.#metricsOf(row));
    for (let at = 0; at < metrics.length; at += MOST_METRICS)
      await this.#post("runs/log-batch", {
        run_id: this.#runId,
        metrics: metrics.slice(at, at + MOST_METRICS),
      });
  }

  async finish({ outcome }: RunFinished): Promise<void> {
    const status = { completed: "FINISHED", interrupted: "KILLED", failed: "FAILED" }[outcome];
    await this.#update({ status, end_time: Math.round(this.#context.wallClock()) });
  }

  async #create(run: RunStarted): Promise<void> {
    this.#experimentId = await this.#experiment();
    const { run: created } = await this.#post<{ run: { info: { run_id: string } } }>("runs/create", {
      experiment_id: this.#experimentId,
      run_name: run.name,
      start_time: Math.round(this.#context.wallClock()),
      tags: [{ key: "mlflow.source.name", value: "atoll" }],
    });
    this.#runId = created.info.run_id;
    this.#context.memory.write({ runId: this.#runId });
    const parameters = parametersOf(run.config);
    for (let at = 0; at < parameters.length; at += MOST_PARAMETERS)
      await this.#post("runs/log-batch", {
        run_id: this.#runId,
        params: parameters.slice(at, at + MOST_PARAMETERS),
      });
  }

  /** @returns whether the server still has the run */
  async #goOn(runId: string): Promise<boolean> {
    const answer = await this.#request(`runs/get?run_id=${encodeURIComponent(runId)}`);
    if (answer.status === 404) return false;
    const { run } = (await bodyOf(answer)) as {
      run: {
        info: { experiment_id: string };
        data: { metrics?: readonly { key: string; step?: number | string }[] };
      };
    };
    this.#runId = runId;
    this.#experimentId = run.info.experiment_id;
    this.#held = new Map((run.data.metrics ?? []).map(({ key, step = 0 }) => [key, Number(step)]));
    await this.#update({ status: "RUNNING" });
    return true;
  }

  async #experiment(): Promise<string> {
    const { experiment: name } = this.#options;
    const found = await this.#request(`experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`);
    if (found.status !== 404) {
      const { experiment } = (await bodyOf(found)) as { experiment: { experiment_id: string } };
      return experiment.experiment_id;
    }
    return (await this.#post<{ experiment_id: string }>("experiments/create", { name })).experiment_id;
  }

  #update(changes: Readonly<Record<string, unknown>>): Promise<unknown> {
    return this.#post("runs/update", { run_id: this.#runId, ...changes });
  }

  #metricsOf({ step, wallMs, values }: MetricRow): readonly Metric[] {
    return Object.entries(values)
      .filter(([key]) => step > (this.#held.get(key) ?? 0))
      .map(([key, value]) => ({
        key,
        value: Number.isFinite(value) ? value : String(value),
        timestamp: Math.round(wallMs),
        step,
      }));
  }

  async #post<T>(path: string, body: unknown): Promise<T> {
    return (await bodyOf(await this.#request(path, JSON.stringify(body)))) as T;
  }

  async #request(path: string, body?: string): Promise<Response> {
    const address = `${this.#options.uri.replace(/\/$/, "")}/api/2.0/mlflow/${path}`;
    const { fetch, signal } = this.#context;
    try {
      return await fetch(address, {
        ...(body === undefined
          ? {}
          : { method: "POST", body, headers: { "content-type": "application/json" } }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      });
    } catch (cause) {
      const reason =
        cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
      throw new RunError(`MLflow at ${this.#options.uri} cannot be reached: ${reason}.`, cause);
    }
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!response.ok)
    throw new RunError(`MLflow answers ${response.status} to ${response.url}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

/** Options by dotted path, as text; MLflow takes no longer ones. */
function parametersOf(
  config: ConfigTree,
  prefix = "",
): readonly { readonly key: string; readonly value: string }[] {
  return Object.entries(config).flatMap(([name, value]) => {
    const key = `${prefix}${name}`;
    if (isTree(value)) return parametersOf(value, `${key}.`);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return [{ key: key.slice(0, LONGEST_KEY), value: text.slice(0, LONGEST_VALUE) }];
  });
}

const isTree = (value: ConfigValue): value is ConfigTree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const mlflowEntry: TrackerEntry = {
  name: "mlflow",
  summary: "metrics and options to an MLflow tracking server",
  options,
  create: (given, context) => new Mlflow(given as MlflowOptions, context),
};
