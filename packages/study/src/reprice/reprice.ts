// One training, many networks: a recorded run, timed on another network without training again.
// Under a strategy whose nodes wait for each other, what is sent and what is learned depends on seed and options only, not
// on when messages arrive, as long as all-reduces add up in the same order. So the run is rehearsed with an executor that
// computes nothing, on the other network and by the recorded algorithm; it comes to the times and bytes, the record gives
// the losses. The result is what the same options on that network give, bit for bit (wall-clock figures aside).

import {
  ConfigError,
  type ConfigTree,
  type ConfigValue,
  type Evaluated,
  invariant,
  type RunEvent,
  type StepDone,
} from "@atoll/core";
import type { NetworkOptions } from "@atoll/network";
import {
  type ExperimentParts,
  type FitOptions,
  isAsynchronous,
  LocalTrainer,
  timingExecutor,
} from "@atoll/train";
import type { RunRecord } from "../record.ts";
import { interpretRun, isList, type Run, treeOf } from "../run.ts";
import { allReduceAlgorithms, allReduceKinds, pinnedAlgorithm } from "./pinned.ts";

export interface RepriceOptions {
  /** The run as it was recorded: finished, its events whole. */
  readonly record: RunRecord;
  /** What it trained on what: the same as then. */
  readonly parts: ExperimentParts;
  /** Its options, the same as then. */
  readonly fit: FitOptions;
  /** The network to time it on. */
  readonly network: NetworkOptions;
  /** Ends the work between two evaluations. */
  readonly signal?: AbortSignal;
}

/**
 * Times a recorded run on another network.
 * @returns the run's record as if it had been trained there: its events with the other network's times; `config` says in
 *   `repricedFrom` what it was made from, and there is no summary
 * @throws ConfigError if the run's numbers depend on the network (an asynchronous strategy, faults), if it did not get to
 *   its end, if the parts are not those that it was trained with, or if the network cannot carry out its all-reduces
 */
export async function reprice(options: RepriceOptions): Promise<RunRecord> {
  const { record, parts, fit, network, signal } = options;
  const run = interpretRun(record);
  checkRepriceable(run, fit);
  const allReduce = pinnedAlgorithm(record.events, fit.allReduce ?? "topology");
  refuseOtherIslands(run, allReduce, network);
  const events: RunEvent[] = [];
  const { durations, flopsPerStep } = treeOf(run.settings.compute);
  const trainer = new LocalTrainer({
    ...parts,
    executor: timingExecutor({ flopsPerStep: typeof flopsPerStep === "number" ? flopsPerStep : 0 }),
    // Nothing of it is kept: there are no wall-clock figures of a run that was not trained.
    wallClock: () => 0,
  });
  const { checkpoints: _, resume: __, record: ___, ...rest } = fit;
  await trainer.fit({
    ...rest,
    network,
    allReduce,
    ...(durations === undefined ? {} : { compute: { ...measuredOf(fit), durations: numbersOf(durations) } }),
    name: run.name,
    ...(signal === undefined ? {} : { signal }),
    emit: (event) => events.push(event),
  });
  const scored = withScores(
    run,
    events.filter((event) => !isOfPinning(run, event)),
  );
  refuseOtherAlgorithm(record.events, scored);
  return {
    config: { ...record.config, repricedFrom: run.name, resolved: resolvedOf(events) },
    events: scored,
    summary: null,
    truncated: false,
  };
}

/** @throws ConfigError that says what to do instead, if times elsewhere cannot be had from a recorded run */
export function checkRepriceable(run: Run, { strategy, faults }: FitOptions): void {
  const { name, outcome, started } = run;
  if (started?.config.mode === "processes")
    throw new ConfigError(
      `Run "${name}" cannot be repriced: its times are those of real processes, and no model of time says what they would be elsewhere. Rehearse it there: npx atoll train … network.profile=… without mode=processes.`,
    );
  if (isAsynchronous(strategy))
    throw new ConfigError(
      `Run "${name}" cannot be repriced: under the asynchronous strategy ${strategy.name} what a node learns depends on when messages arrive, so another network makes another training. Train it there: npx atoll train … network.profile=…`,
    );
  if (faults !== undefined && !isHarmless(faults, strategy.whenMissing?.kind))
    throw new ConfigError(
      `Run "${name}" cannot be repriced: its faults strike at moments of the simulated time, so on another network they strike other steps. Train it there: npx atoll train … network.profile=…`,
    );
  if (outcome.kind !== "completed" && outcome.kind !== "diverged")
    throw new ConfigError(
      `Run "${name}" cannot be repriced: expected a run that was completed, got one that is ${outcome.kind}. Go on with it first: npx atoll train … --name ${name} --resume.`,
    );
}

/** Stragglers make steps longer and no more, as long as nobody goes on without them. */
function isHarmless(faults: NonNullable<FitOptions["faults"]>, own: string | undefined): boolean {
  const { schedule = [], churn, disconnects, partitions, whenMissing } = faults;
  const waits = (whenMissing?.kind ?? own ?? "wait") === "wait";
  const others = [churn, disconnects, partitions].some((fault) => fault !== undefined);
  return waits && !others && schedule.every(({ kind }) => kind === "straggler");
}

/** Hierarchical all-reduces add up island by island. */
function refuseOtherIslands(run: Run, allReduce: string, { topology, islandSize }: NetworkOptions): void {
  if (allReduce !== "hierarchical") return;
  const recorded = treeOf(run.settings.network);
  const nodes = run.started?.nodes ?? 0;
  const usual = Math.ceil(nodes / 2);
  if (topology === "islands" && (islandSize ?? usual) === (recorded.islandSize ?? usual)) return;
  throw new ConfigError(
    `Run "${run.name}" cannot be repriced on another topology: its all-reduces are hierarchical, and add up by its islands. Keep network.topology=islands and network.islandSize, or train with allReduce=ring.`,
  );
}

function refuseOtherAlgorithm(recorded: readonly RunEvent[], repriced: readonly RunEvent[]): void {
  const before = allReduceKinds(recorded);
  const other = [...allReduceKinds(repriced)].find((kind) => !before.has(kind));
  if (other === undefined) return;
  const [size, algorithm] = other.split(" ");
  throw new ConfigError(
    `This network carries out the run's all-reduces among ${size} nodes by ${algorithm}, not as recorded by ${[...allReduceAlgorithms(recorded)].join(" and ")}, and so adds up in another order. Choose another network, or train with allReduce=${algorithm}.`,
  );
}

/** How the nodes of a run with measured steps differ. */
function measuredOf({ compute }: FitOptions): FitOptions["compute"] & { readonly kind: "measured" } {
  invariant(compute?.kind === "measured", "recorded durations are those of measured steps");
  return compute;
}

function numbersOf(value: ConfigValue): readonly number[] {
  invariant(isList(value), "recorded durations are a list");
  return value.map(Number);
}

/** That encoded all-reduces do not go by an algorithm is news only to someone who has asked for it. */
const isOfPinning = ({ warnings }: Run, event: RunEvent): boolean =>
  event.type === "warning" && !warnings.includes(event.message);

const resolvedOf = (events: readonly RunEvent[]): ConfigTree =>
  events.find((event) => event.type === "runStarted")?.config ?? {};

/** The repriced events with the losses and scores of the recorded ones. */
function withScores(run: Run, events: readonly RunEvent[]): readonly RunEvent[] {
  const losses = new Map(run.steps.step.map((step, i) => [step, run.steps.loss[i]!]));
  const scores = new Map(run.evaluations.map((scored) => [placeOf(scored), scored]));
  const records = Map.groupBy(run.history.records, ({ step }) => step);
  return events.flatMap((event): readonly RunEvent[] => {
    if (event.type !== "step") return [withScore(event)];
    // What was recorded of a step is of the nodes' vectors, which no network changes.
    const recorded = records.get(event.step) ?? [];
    return [
      { ...event, loss: lossOf(losses, event) },
      ...recorded.map((record) => ({ ...record, time: event.time })),
    ];
  });

  function withScore(event: RunEvent): RunEvent {
    if (event.type === "runStarted") return checkedStart(run, event);
    if (event.type !== "evaluation") return event;
    const recorded = scores.get(placeOf(event));
    if (recorded === undefined) throw changed(run.name, `no ${event.split} after step ${event.step}`);
    const { loss, accuracy } = recorded;
    return { ...event, loss, accuracy };
  }

  function lossOf(known: ReadonlyMap<number, number>, { step }: StepDone): number {
    const loss = known.get(step);
    if (loss === undefined) throw changed(run.name, `no step ${step}`);
    return loss;
  }
}

const placeOf = ({ split, step }: Evaluated): string => `${split} ${step}`;

type Started = Extract<RunEvent, { type: "runStarted" }>;

function checkedStart({ name, started }: Run, event: Started): Started {
  const { parameters, nodes, maxSteps } = event;
  if (started === null) throw changed(name, "no start");
  if (started.parameters !== parameters)
    throw changed(name, `${started.parameters} parameters, not ${parameters}`);
  if (started.nodes !== nodes) throw changed(name, `${started.nodes} nodes, not ${nodes}`);
  if (started.maxSteps !== maxSteps) throw changed(name, `${started.maxSteps} steps, not ${maxSteps}`);
  return { ...event, startedAt: started.startedAt };
}

const changed = (name: string, what: string): ConfigError =>
  new ConfigError(
    `Run "${name}" and its options do not belong together: the record has ${what}. The experiment has changed since; train it again.`,
  );
