// What a run's events say, in the form that its readers (report, summary table) want: steps as columns, one outcome.
// Values are the events' own; nothing is smoothed or rounded here. A resumed run is one log with several `runStarted`,
// cut at the checkpoint it went on from, so the last event of a kind is the one that holds.

import {
  type CheckpointSaved,
  type CollectiveDone,
  type ConfigTree,
  type ConfigValue,
  type Evaluated,
  type FaultHappened,
  formatBytes,
  type NodeWaited,
  type RunEvent,
  type RunFinished,
  type RunStarted,
  type TopologyDrawn,
} from "@atoll/core";
import { max } from "d3-array";
import { countFaults, type FaultCounts, faultsOf } from "./faults.ts";
import { type History, readHistory, type StepColumns } from "./history.ts";
import type { RunRecord } from "./record.ts";

export type { StepColumns } from "./history.ts";

export type Outcome =
  | { readonly kind: "completed" }
  /** All its steps were done, and nothing was learned: the loss is no finite number, from the step `since` on. */
  | { readonly kind: "diverged"; readonly since: number }
  | { readonly kind: "interrupted" | "failed"; readonly message: string | null }
  /** The events stop without an end: the run goes on, or was killed. */
  | { readonly kind: "unfinished" };

export interface Run {
  readonly name: string;
  readonly started: RunStarted | null;
  readonly outcome: Outcome;
  /** Steps that every node has done. */
  readonly stepsDone: number;
  /** Steps that count, each once; those that a roll-back undid are in the history. */
  readonly steps: StepColumns;
  /** Evaluations that no roll-back undid. */
  readonly evaluations: readonly Evaluated[];
  readonly history: History;
  readonly faults: readonly FaultHappened[];
  /** The faults that the run was to meet and what nodes do about them, as resolved; empty if there were to be none. */
  readonly faultOptions: ConfigTree;
  readonly collectives: readonly CollectiveDone[];
  /** What nodes waited for, in the order of the log, which is that of time for each node. */
  readonly waits: readonly (CollectiveDone | NodeWaited)[];
  readonly checkpoints: readonly CheckpointSaved[];
  /** Sentences on what went another way than it was asked for, each once. */
  readonly warnings: readonly string[];
  readonly topology: TopologyDrawn | null;
  readonly finished: RunFinished | null;
  /** `config.json`; where there is none, what the first event says of the options. */
  readonly config: ConfigTree;
  /** What was chosen, option by option: what the options came to, before what was asked for. */
  readonly settings: ConfigTree;
  readonly summary: ConfigTree | null;
  readonly truncated: boolean;
}

/** Interprets the record of a run; total, whatever events are missing. */
export function interpretRun({ config, events, summary, truncated }: RunRecord): Run {
  const started = last(events, "runStarted");
  const finished = last(events, "runFinished");
  const history = readHistory(events);
  const { steps, evaluations } = history;
  const { options, resolved } = config;
  const settings = { ...config, ...treeOf(options), ...treeOf(resolved), ...started?.config };
  return {
    name: started?.name ?? describeChoice(settings.name) ?? "Unnamed run",
    started,
    outcome: outcomeOf(finished, history),
    stepsDone: reached(finished, finished?.steps, steps.step.at(-1)) ?? started?.resumedFrom ?? 0,
    steps,
    evaluations,
    history,
    faults: faultsOf(events),
    faultOptions: treeOf((started?.config ?? treeOf(resolved)).faults),
    collectives: events.filter((event) => event.type === "collective"),
    waits: events.filter(isWaitedFor),
    checkpoints: events.filter((event) => event.type === "checkpoint"),
    warnings: [
      // A run that is resumed gives its warnings again.
      ...new Set(events.filter((event) => event.type === "warning").map(({ message }) => message)),
    ],
    topology: last(events, "topology"),
    finished,
    config: Object.keys(config).length > 0 ? config : (started?.config ?? {}),
    settings,
    summary,
    truncated,
  };
}

/** Nobody waits for a message that was sent, and of a call that overlapped with computing other events tell. */
const isWaitedFor = (event: RunEvent): event is CollectiveDone | NodeWaited =>
  event.type === "waited" ||
  (event.type === "collective" && event.operation !== "send" && event.overlaps !== true);

function last<T extends RunEvent["type"]>(
  events: readonly RunEvent[],
  type: T,
): Extract<RunEvent, { type: T }> | null {
  const found = events.findLast((event) => event.type === type);
  return (found as Extract<RunEvent, { type: T }> | undefined) ?? null;
}

function outcomeOf(finished: RunFinished | null, history: History): Outcome {
  if (finished === null) return { kind: "unfinished" };
  if (finished.outcome !== "completed") return { kind: finished.outcome, message: finished.message };
  const since = divergedSince(history);
  return since === undefined ? { kind: "completed" } : { kind: "diverged", since };
}

/** The step from which on a run's losses, of training or of evaluations, are no finite numbers; undefined if the last are. */
function divergedSince({ steps, evaluations }: History): number | undefined {
  const evaluated = evaluations.map(({ step, loss }) => ({ step, loss: loss.global + loss.local }));
  const trained = steps.step.map((step, i) => ({ step, loss: steps.loss[i]! }));
  const starts = [trained, evaluated].flatMap((losses) => {
    const first = losses[losses.findLastIndex(({ loss }) => Number.isFinite(loss)) + 1];
    return first === undefined ? [] : [first.step];
  });
  return starts.length === 0 ? undefined : Math.min(...starts);
}

/** What a diverged run's reader is told. */
export const divergence = (since: number): string =>
  `From step ${since} on the loss is no finite number: the run has diverged. A smaller learning rate may help.`;

/** A choice of the config in one line: "digits", or "fedavg (H=20)" for `{ kind: "fedavg", H: 20 }`. */
export function describeChoice(value: ConfigValue | undefined): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "object") return String(value);
  if (isList(value)) return value.map(String).join(", ");
  const { kind, name, ...options } = value;
  const details = Object.entries(options)
    .filter(([, option]) => typeof option !== "object")
    .map(([key, option]) => `${key}=${String(option)}`);
  const title = kind ?? name;
  if (title === undefined) return details.join(", ") || null;
  return details.length > 0 ? `${String(title)} (${details.join(", ")})` : String(title);
}

/** The value where it is a tree, otherwise an empty one. */
export const treeOf = (value: ConfigValue | undefined): ConfigTree =>
  typeof value !== "object" || value === null || isList(value) ? {} : (value as ConfigTree);

/** Whether a strategy's times suppose what the program cannot do. */
export const isWhatIf = (strategy: ConfigValue | undefined): boolean =>
  treeOf(strategy).overlap === "what-if";

export const isList = (value: ConfigValue): value is readonly ConfigValue[] => Array.isArray(value);

/** The evaluation that the run is judged by: the last on the test set, or else the last on the validation set. */
export function finalEvaluation(run: Run): Evaluated | null {
  const of = (split: Evaluated["split"]) =>
    run.evaluations.findLast((evaluation) => evaluation.split === split);
  return of("test") ?? of("validation") ?? null;
}

/** A log that lost its beginning still names the nodes that something happened to. */
export const nodesOf = ({ started, faults }: Run): number =>
  started?.nodes ?? (max(faults, ({ ranks }) => max(ranks) ?? -1) ?? -1) + 1;

/** What the run's faults came to; null for a run that was to meet none and met none. */
export function faultCounts(run: Run): FaultCounts | null {
  const { faults, faultOptions } = run;
  if (faults.length === 0 && Object.keys(faultOptions).length === 0) return null;
  return countFaults(faults, nodesOf(run));
}

/** Simulated seconds that a node spent on average, by kind; null where the run did not record them. */
export function meanNodeTime(
  run: Run,
): { readonly compute: number; readonly communication: number; readonly waiting: number } | null {
  const nodes = run.finished?.nodes ?? [];
  if (nodes.length === 0) return null;
  const mean = (kind: "compute" | "communication" | "waiting") =>
    nodes.reduce((total, node) => total + node[kind], 0) / nodes.length;
  return { compute: mean("compute"), communication: mean("communication"), waiting: mean("waiting") };
}

/** The steps of all stretches that the run went through, the undone ones first. */
const stretchesOf = ({ history, steps }: Pick<Run, "history" | "steps">): readonly StepColumns[] => [
  ...history.undone,
  steps,
];

/** Bytes that a node sent on average, from the run's end or else by its last step. */
export function meanBytesSent(run: Run): number | null {
  const perNode = run.finished?.bytesSent ?? [];
  if (perNode.length > 0) return perNode.reduce((total, sent) => total + sent, 0) / perNode.length;
  return max(stretchesOf(run), ({ bytesSent }) => bytesSent.at(-1)) ?? null;
}

/** What a run's seconds are called: those of processes are real ones, without evaluations and checkpoints. */
export const timeName = ({ started }: Pick<Run, "started">): string =>
  started?.config.mode === "processes" ? "time on processes" : "simulated time";

/** What the seconds of several runs are called on one axis. */
export function timeNameOfRuns(runs: readonly Pick<Run, "started">[]): string {
  const names = new Set(runs.map(timeName));
  return names.size === 1 ? [...names][0]! : "time, simulated or on processes";
}

/** "ring, wan", "islands of 8, datacenter inside, wan between", or "ring, real sockets"; null where the run did not come to record it. */
export function networkName(run: Pick<Run, "started" | "topology">): string | null {
  if (run.topology === null) return null;
  const { shape, profile } = networkWords(run, run.topology);
  return `${shape}, ${hasRealNetwork(run) ? "real sockets" : profile}`;
}

/** A network's shape and profile in words; of islands also their size, and what lies between them. */
export function networkWords(
  { started }: Pick<Run, "started">,
  { topology, profile }: TopologyDrawn,
): { readonly shape: string; readonly profile: string } {
  const shape = topology.replaceAll("_", " ");
  if (topology !== "islands") return { shape, profile };
  const { islandSize, between } = treeOf(started?.config.network);
  const { profile: outside } = treeOf(between);
  return {
    shape: typeof islandSize === "number" ? `${shape} of ${islandSize}` : shape,
    profile: typeof outside === "string" ? `${profile} inside, ${outside} between` : profile,
  };
}

/** Whether bytes went over the processes' own sockets with nothing held back, so that no simulated link says how fast. */
export const hasRealNetwork = ({ started }: Pick<Run, "started">): boolean =>
  started?.config.mode === "processes" && started.config.shaping === "none";

/** Simulated seconds up to the run's end, or else to its last step. */
export function simulatedSeconds({
  finished,
  ...run
}: Pick<Run, "finished" | "history" | "steps">): number | null {
  const last = max(stretchesOf(run), ({ time }) => time.at(-1));
  return reached(finished, finished?.simulatedSeconds, last) ?? null;
}

/** How far a run has come: one that failed knows it of its last evaluation or checkpoint, and its steps may tell of more. */
function reached(
  finished: RunFinished | null,
  atEnd: number | undefined,
  atLastStep: number | undefined,
): number | undefined {
  if (finished?.outcome !== "failed" || atEnd === undefined) return atEnd ?? atLastStep;
  return Math.max(atEnd, atLastStep ?? 0);
}

/** The most that one node sent; null where that is the mean, to the digits that are shown. */
export function mostBytesSent(run: Run): number | null {
  const most = max(run.finished?.bytesSent ?? []);
  const mean = meanBytesSent(run);
  return most === undefined || mean === null || formatBytes(most) === formatBytes(mean) ? null : most;
}
