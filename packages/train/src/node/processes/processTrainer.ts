// Training by processes: every rank is one, with memory, threads and clock of its own, and they talk over TCP. Rank 0 drives
// the run and leaves its record; the others serve it. All prepare the run from the same options and the same seed, which is
// checked before the first step.
// Nodes, strategies and executors are those of simulated runs. For strategies whose nodes wait for each other losses,
// models, evaluations and bytes are those of a simulated run, bit for bit; seconds are what the machines take.

import { type CollectivePart, joinTcpWorld, type TcpWorld, type TcpWorldOptions } from "@atoll/comm/node";
import {
  type AtollError,
  ConfigError,
  InterruptedError,
  messageOf,
  type Rank,
  RunError,
  seconds,
} from "@atoll/core";
import { type Network, resolveNetwork } from "@atoll/network";
import { createArithmetic } from "../../arithmetic.ts";
import type { Executor } from "../../executor.ts";
import { type FaultPlan, planFaults, scheduleFaults } from "../../faults/policy.ts";
import { type FitResult, type FitSetup, fitNodes, setUpFit, type TrainerParts } from "../../fit.ts";
import type { FitOptions, ResolvedFitOptions } from "../../options.ts";
import type { MissingPolicy } from "../../strategies/whenMissing.ts";
import { startWorkers, type Workers, workerThreads } from "../workerThreads.ts";
import { CollectiveParts } from "./collectiveParts.ts";
import { differenceOf, type Identity, identityOf } from "./identity.ts";
import { type Channel, channelOf, type RunFailure, receivedReport } from "./messages.ts";
import { Presence } from "./presence.ts";
import { ProcessGroup } from "./processGroup.ts";
import { LocalRank } from "./rank.ts";
import { RanksLostError, RemoteRank } from "./remoteRank.ts";
import { COMMANDER, Reporter, serveRank } from "./serveRank.ts";

/** Which rank this process is, and where it meets the others. */
export interface Rendezvous {
  readonly rank: Rank;
  /** Where rank 0 listens. Port 0 is any free one: `onListening` tells which. */
  readonly master: { readonly host: string; readonly port: number };
  /** Where this rank listens. Default: on this machine only. */
  readonly listenHost?: string;
  readonly runId: string;
  /** The secret by which the run's processes know each other. */
  readonly token: string;
  /** How long ranks wait for each other to come. Default one minute. */
  readonly joinTimeoutMs?: number;
  readonly heartbeatMs?: number;
  /** A rank of which nothing was heard for so long is lost. Default 10 seconds. */
  readonly timeoutMs?: number;
  readonly onListening?: (port: number) => void;
  /** Who makes the network's conditions felt, if anybody does. Default none. */
  readonly shaping?: TcpWorldOptions["shaping"];
  /** How long a lost rank may take to come back, as a new process with the same rank. Default 0: none does. */
  readonly returnMs?: number;
  /** Aborted, with the reason, when other ranks will not come. */
  readonly abandoned?: AbortSignal;
  /** What is known of a lost rank's end, as the end of a sentence about it. */
  readonly fate?: (rank: Rank) => Promise<string | undefined>;
}

export interface ProcessTrainerOptions extends Pick<TrainerParts, "model" | "train" | "validation"> {
  readonly rendezvous: Rendezvous;
  /** Threads to compute on, which stay the caller's to dispose of. Default: one, since ranks may share a machine. */
  readonly workers?: Workers;
  /** Milliseconds since 1970; of machines that agree on the time. Default: the real clock. */
  readonly wallClock?: () => number;
}

/** This process's end of a run, before it begins. */
interface Joined {
  readonly setup: FitSetup;
  readonly executor: Executor;
  readonly network: Network;
  readonly world: TcpWorld;
  readonly channel: Channel;
  readonly identity: Identity;
  readonly nowMs: () => number;
  /** When the transport's clock began, in milliseconds since 1970: at one moment for all ranks. */
  readonly epoch: { ms: number };
  readonly plan: FaultPlan;
  /** Whether nodes are ready to begin an exchange again without ranks that are lost. */
  readonly survives: boolean;
  /** Gets this rank's parts of collectives, once somebody wants them. */
  readonly collectives: { onPart: TcpWorldOptions["onCollective"] };
  readonly signal: AbortSignal;
}

export class ProcessTrainer {
  readonly #options: ProcessTrainerOptions;

  constructor(options: ProcessTrainerOptions) {
    this.#options = options;
  }

  /**
   * Rank 0 of a run on `nodes` processes: drives it, and returns the average of their models.
   * @throws as LocalTrainer's `fit`; RunError if a rank is lost
   */
  async fit(given: FitOptions): Promise<FitResult> {
    const startedAt = this.#nowMs();
    return this.#join(given, (joined) => lead(joined, startedAt, this.#options.rendezvous));
  }

  /**
   * Any other rank: serves rank 0 until the run is over.
   * @returns why the run has not come to its end, in rank 0's words; null if it has
   * @throws RunError if rank 0 is lost; ConfigError if this rank cannot begin
   */
  async serve(given: FitOptions): Promise<RunFailure | null> {
    return this.#join(given, follow);
  }

  #nowMs(): number {
    const { wallClock = () => performance.timeOrigin + performance.now() } = this.#options;
    return wallClock();
  }

  async #join<T>(given: FitOptions, body: (joined: Joined) => Promise<T>): Promise<T> {
    const { rendezvous, workers: ownWorkers, model, train, validation } = this.#options;
    const nowMs = (): number => this.#nowMs();
    const parts: TrainerParts = {
      model,
      train,
      ...(validation === undefined ? {} : { validation }),
      wallClock: nowMs,
    };
    const setup = await setUpFit(parts, { ...given, compute: given.compute ?? { kind: "real" } });
    refuse(setup);
    const workers = ownWorkers ?? startWorkers(1);
    const over = new AbortController();
    let isJoined = false;
    try {
      await using executor = await workerThreads(workers)(setup.executorOptions);
      const { options, random } = setup;
      const network = resolveNetwork(options.network, {
        worldSize: options.nodes,
        random: random.derive("network"),
      });
      const collectives: Joined["collectives"] = { onPart: undefined };
      const epoch = { ms: nowMs() };
      await using world = await joinTcpWorld({
        ...rendezvous,
        worldSize: options.nodes,
        network,
        allReduce: options.allReduce,
        arithmetic: createArithmetic(executor),
        clock: { now: () => seconds((nowMs() - epoch.ms) / 1000) },
        onCollective: (part) => collectives.onPart?.(part),
        warn: (message) => options.emit({ type: "warning", message }),
        signal: AbortSignal.any([options.signal, rendezvous.abandoned].filter((end) => end !== undefined)),
      });
      isJoined = true;
      const plan = planOf(setup, network);
      const survives = doesSurvive(plan.policy, options);
      const identity = identityOf(setup, { network: network.config, allReduce: options.allReduce });
      const channel = channelOf(world.control);
      const { signal } = over;
      const known = {
        plan,
        survives,
        setup,
        executor,
        network,
        world,
        channel,
        identity,
        nowMs,
        epoch,
        collectives,
        signal,
      };
      return await body(known);
    } catch (error) {
      if (!isJoined && given.signal?.aborted)
        throw new InterruptedError("Interrupted before the first step.", error);
      if (!isJoined && rendezvous.abandoned?.aborted) throw rendezvous.abandoned.reason;
      throw error;
    } finally {
      over.abort();
      if (ownWorkers === undefined) await workers[Symbol.asyncDispose]();
    }
  }
}

function refuse({ options: { faults, compute, record } }: FitSetup): void {
  if (record !== undefined)
    throw new ConfigError(
      'Option "record": what is recorded beside losses compares the nodes\' memories, which simulated machines share and processes do not. Leave it out, or use mode=simulated.',
    );
  const { whenMissing: _, recovery: __, ...scheduled } = faults ?? {};
  const [name] = Object.entries(scheduled).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  if (name !== undefined)
    throw new ConfigError(
      `Option "faults.${name}": faults come about by themselves where nodes are processes; on a schedule they are for simulated machines. Leave it out, or use mode=simulated.`,
    );
  if (compute.kind === "measured" && compute.durations === undefined)
    throw new ConfigError(
      'Option "compute": steps of processes take the time that they take, so there is nothing to measure beforehand, got measured. Leave it out, or use mode=simulated.',
    );
}

/** What the nodes do when one is lost: as on simulated machines, where no fault is known beforehand. */
function planOf(
  { options: { faults = {}, strategy, nodes }, random }: FitSetup,
  network: Network,
): FaultPlan {
  const schedule = scheduleFaults(faults, { worldSize: nodes, random: random.derive("faults") });
  return planFaults(faults, strategy, { schedule, topology: network.topology });
}

/** Nodes that wait for all are ready to be one less only if they are asked to: each exchange costs a copy of the node then. */
const doesSurvive = ({ kind }: MissingPolicy, { nodes, faults }: ResolvedFitOptions): boolean =>
  nodes > 1 && (kind === "timeout" || kind === "quorum" || (kind === "wait" && faults !== undefined));

async function lead(
  joined: Joined,
  startedAt: number,
  { fate, shaping = "none", returnMs = 0, timeoutMs = 10_000 }: Rendezvous,
): Promise<FitResult> {
  const { plan, survives } = joined;
  const { setup, executor, network, world, channel, nowMs, collectives, signal } = joined;
  const { options, prepared } = setup;
  const interrupted = new AbortController();
  const stop = AbortSignal.any([interrupted.signal, ...(options.signal ? [options.signal] : [])]);
  const parts = new CollectiveParts(options.emit);
  const others = Array.from(
    { length: options.nodes - 1 },
    (_, i) => new RemoteRank(i + 1, channel, prepared.layout.size),
  );
  const own = new LocalRank({
    rank: COMMANDER,
    setup,
    executor,
    world,
    nowMs,
    signal,
    report: (report) => group.reported(COMMANDER, report),
    survives,
  });
  collectives.onPart = (part) => parts.add(inRunTime(own, joined.epoch.ms, part));
  const group: ProcessGroup = new ProcessGroup({
    setup,
    executor,
    network,
    ranks: [own, ...others],
    config: {
      compute: own.compute.config,
      shaping,
      ...(options.faults === undefined ? {} : { faults: plan.config }),
    },
    presence: new Presence({
      worldSize: options.nodes,
      policy: plan.policy,
      survives: survives || plan.policy.kind === "none",
      returnMs,
      emit: options.emit,
    }),
    nowMs,
    timeoutMs,
    fate: async (rank) => (await fate?.(rank)) ?? causes.get(rank) ?? "it does not answer",
  });
  const causes = new Map<Rank, string>();
  const hellos = new Hellos(options.nodes, joined.identity);
  channel.listen((from, message, bytes) => {
    if (message.kind === "hello") {
      if (!hellos.areOver) hellos.came(from, message.identity);
      else welcomeBack(from, message.identity);
    } else if (message.kind === "answer") others[from - 1]!.answered(message.id, message.answer, bytes);
    else if (message.kind === "interrupted") interrupted.abort();
    else if (message.kind === "done") {
      for (const report of message.steps) group.reported(from, receivedReport(report));
      for (const part of message.collectives) parts.add(part);
    }
  });
  const lose = ({ rank, cause }: { readonly rank: Rank; readonly cause: string }): void => {
    const error = new RanksLostError(`Rank ${rank} is lost: ${cause}.`, [rank]);
    causes.set(rank, cause);
    group.lose(rank);
    hellos.fail(error);
    others[rank - 1]!.lose(error);
  };
  world.onLost(lose);
  world.losses().forEach(lose);
  const welcomeBack = (rank: Rank, identity: Identity): void => {
    const difference = differenceOf(joined.identity, identity);
    if (difference !== undefined) {
      const { message, exitCode } = otherOptions(rank, difference);
      channel.send(rank, { kind: "over", failure: { message, exitCode } });
      return;
    }
    // A run that does not survive the loss is about to end.
    if (!survives) return;
    others[rank - 1]!.returned();
    channel.send(rank, { kind: "welcome", epochMs: joined.epoch.ms });
    group.returned(rank);
  };
  const tellAll = (failure: RunFailure | null): void => {
    for (let rank = 1; rank < options.nodes; rank++) channel.send(rank, { kind: "over", failure });
  };
  try {
    await hellos.all;
    for (let rank = 1; rank < options.nodes; rank++)
      channel.send(rank, { kind: "welcome", epochMs: joined.epoch.ms });
    if (options.resume) await group.restore(options.resume);
    const result = await fitNodes({ ...setup, options: { ...options, signal: stop } }, group, startedAt);
    tellAll(null);
    return result;
  } catch (error) {
    tellAll({ message: messageOf(error), exitCode: (error as Partial<AtollError>).exitCode ?? 1 });
    throw error;
  }
}

async function follow(joined: Joined): Promise<RunFailure | null> {
  const { setup, executor, world, channel, identity, nowMs, collectives, signal } = joined;
  const { rank } = world;
  const reporter = new Reporter(channel);
  const own = new LocalRank({
    rank,
    setup,
    executor,
    world,
    nowMs,
    signal,
    report: (report) => reporter.step(report),
    survives: joined.survives,
  });
  collectives.onPart = (part) => reporter.collective(inRunTime(own, joined.epoch.ms, part));
  const lost = Promise.withResolvers<never>();
  const lose = ({ rank: gone, cause }: { readonly rank: Rank; readonly cause: string }): void => {
    if (gone === COMMANDER)
      lost.reject(new RunError(`Rank ${rank} stops: rank 0, which drives the run, is lost (${cause}).`));
  };
  world.onLost(lose);
  world.losses().forEach(lose);
  const tell = (): void => channel.send(COMMANDER, { kind: "interrupted" });
  setup.options.signal?.addEventListener("abort", tell, { once: true });
  if (setup.options.signal?.aborted) tell();
  channel.send(COMMANDER, { kind: "hello", identity });
  const begin = (epochMs: number): void => {
    joined.epoch.ms = epochMs;
  };
  try {
    return await Promise.race([serveRank(own, channel, begin), lost.promise]);
  } finally {
    setup.options.signal?.removeEventListener("abort", tell);
  }
}

/** Rank 0's hearing of the others, which says whether all have the same options. */
class Hellos {
  readonly #identity: Identity;
  readonly #missing: Set<Rank>;
  readonly #ended = Promise.withResolvers<void>();

  constructor(nodes: number, identity: Identity) {
    this.#identity = identity;
    this.#missing = new Set(Array.from({ length: nodes - 1 }, (_, i) => i + 1));
    this.#ended.promise.catch(() => undefined);
    if (nodes === 1) this.#ended.resolve();
  }

  /** Whether all have come. */
  get areOver(): boolean {
    return this.#missing.size === 0;
  }

  get all(): Promise<void> {
    return this.#ended.promise;
  }

  came(rank: Rank, identity: Identity): void {
    const difference = differenceOf(this.#identity, identity);
    if (difference !== undefined) this.fail(otherOptions(rank, difference));
    this.#missing.delete(rank);
    if (this.#missing.size === 0) this.#ended.resolve();
  }

  fail(error: Error): void {
    this.#ended.reject(error);
  }
}

const otherOptions = (rank: Rank, difference: string): ConfigError =>
  new ConfigError(
    `Rank ${rank} has other options than rank 0: ${difference}. Start all ranks with the same options, data and version.`,
  );

/** @param epochMs of the transport's clock */
function inRunTime({ clock }: LocalRank, epochMs: number, part: CollectivePart): CollectivePart {
  const at = (moment: number): number => clock.at(moment + epochMs / 1000);
  return { ...part, ready: at(part.ready), end: at(part.end) };
}
