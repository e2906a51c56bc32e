// Rank 0 of a run on processes, from the others' coming to the end: it hears what they say, drives the nodes through the run
// (processGroup.ts), and tells all when it is over.

import type { Loss } from "@atoll/comm/node";
import { type AtollError, messageOf, type Rank } from "@atoll/core";
import { type FitResult, fitNodes } from "../../fit.ts";
import { CollectiveParts } from "./collectiveParts.ts";
import { Hellos } from "./hellos.ts";
import { inRunTime, type Joined, type Rendezvous } from "./joined.ts";
import { decideLinks, type LinkDecision, refusalOfReturn } from "./links.ts";
import { type ControlMessage, type RunFailure, receivedReport } from "./messages.ts";
import { Presence } from "./presence.ts";
import { ProcessGroup } from "./processGroup.ts";
import { LocalRank } from "./rank.ts";
import { RanksLostError, RemoteRank } from "./remoteRank.ts";
import { COMMANDER } from "./serveRank.ts";

export class Lead {
  readonly #joined: Joined;
  readonly #rendezvous: Rendezvous;
  readonly #others: readonly RemoteRank[];
  readonly #group: ProcessGroup;
  readonly #parts: CollectiveParts;
  readonly #hellos: Hellos;
  #decision: LinkDecision = { shaping: "none", config: {} };
  /** Another rank was told to stop. */
  readonly #interrupted = new AbortController();
  /** Why ranks are lost, by rank, as far as their connections tell. */
  readonly #causes = new Map<Rank, string>();

  constructor(joined: Joined, rendezvous: Rendezvous) {
    const { setup, world, channel, identity, collectives } = joined;
    const { nodes, emit } = setup.options;
    this.#joined = joined;
    this.#rendezvous = rendezvous;
    this.#parts = new CollectiveParts(emit);
    this.#hellos = new Hellos(nodes, identity);
    this.#others = Array.from(
      { length: nodes - 1 },
      (_, i) => new RemoteRank(i + 1, channel, setup.prepared.layout.size),
    );
    const report: ConstructorParameters<typeof LocalRank>[0]["report"] = (step) =>
      this.#group.reported(COMMANDER, step);
    const own = new LocalRank({ ...joined, rank: COMMANDER, report });
    this.#group = this.#createGroup(own);
    collectives.onPart = (part) => this.#parts.add(inRunTime(own, joined.epoch.ms, part));
    channel.listen((from, message, bytes) => this.#hear(from, message, bytes));
    world.onLost((loss) => this.#lose(loss));
    for (const loss of world.losses()) this.#lose(loss);
  }

  #createGroup(own: LocalRank): ProcessGroup {
    const { setup, executor, network, nowMs, plan, survives } = this.#joined;
    const { fate, gone, returnMs = 0, timeoutMs = 10_000 } = this.#rendezvous;
    const { nodes: worldSize, emit, faults } = setup.options;
    const { policy } = plan;
    const presence = new Presence({
      worldSize,
      policy,
      // Nodes that wait for nobody need not be ready for it.
      survives: survives || policy.kind === "none",
      returnMs,
      ...(gone === undefined ? {} : { gone }),
      emit,
    });
    return new ProcessGroup({
      setup,
      executor,
      network,
      ranks: [own, ...this.#others],
      config: () => ({
        compute: own.compute.config,
        ...this.#decision.config,
        ...(faults === undefined ? {} : { faults: plan.config }),
      }),
      presence,
      nowMs,
      timeoutMs,
      fate: async (rank) => (await fate?.(rank)) ?? this.#causes.get(rank) ?? "it does not answer",
    });
  }

  #hear(from: Rank, message: ControlMessage, bytes: Uint8Array): void {
    if (message.kind === "hello") {
      if (this.#hellos.areOver) this.#welcomeBack(from, message);
      else this.#hellos.came(from, message.identity, message.offer);
    } else if (message.kind === "answer") {
      this.#others[from - 1]!.answered(message.id, message.answer, bytes);
    } else if (message.kind === "interrupted") {
      this.#interrupted.abort();
    } else if (message.kind === "done") {
      for (const report of message.steps) this.#group.reported(from, receivedReport(report));
      for (const part of message.collectives) this.#parts.add(part);
    }
  }

  #lose({ rank, cause }: Loss): void {
    const error = new RanksLostError(`Rank ${rank} is lost: ${cause}.`, [rank]);
    this.#causes.set(rank, cause);
    this.#group.lose(rank, cause);
    this.#hellos.fail(error);
    this.#others[rank - 1]!.lose(error);
  }

  /** A new process has come for a rank that was lost. */
  #welcomeBack(rank: Rank, { identity, offer }: Extract<ControlMessage, { kind: "hello" }>): void {
    const { channel, survives } = this.#joined;
    const refusal = this.#hellos.refusalOf(rank, identity) ?? refusalOfReturn(this.#decision, rank, offer);
    if (refusal !== undefined) {
      const { message, exitCode } = refusal;
      channel.send(rank, { kind: "over", failure: { message, exitCode } });
      return;
    }
    // A run that does not survive the loss is about to end.
    if (!survives) return;
    this.#others[rank - 1]!.returned();
    this.#welcome(rank);
    this.#group.returned(rank);
  }

  #welcome(rank: Rank): void {
    const { channel, epoch } = this.#joined;
    channel.send(rank, { kind: "welcome", epochMs: epoch.ms, shaping: this.#decision.shaping });
  }

  async #settleLinks(): Promise<void> {
    const { links } = this.#joined;
    const offers = new Map([[COMMANDER, links.offer], ...this.#hellos.offers]);
    this.#decision = decideLinks(this.#rendezvous.shaping ?? "none", offers);
    await links.settle(this.#decision.shaping);
  }

  #tellAll(failure: RunFailure | null): void {
    this.#others.forEach((_, i) => {
      this.#joined.channel.send(i + 1, { kind: "over", failure });
    });
  }

  /** @param startedAt milliseconds since 1970 @throws as LocalTrainer's `fit`; RunError if the run cannot go on without a rank */
  async run(startedAt: number): Promise<FitResult> {
    const { setup } = this.#joined;
    const { resume, signal } = setup.options;
    const stop = AbortSignal.any([this.#interrupted.signal, ...(signal ? [signal] : [])]);
    try {
      await this.#hellos.all;
      await this.#settleLinks();
      this.#others.forEach((_, i) => {
        this.#welcome(i + 1);
      });
      if (resume) await this.#group.restore(resume);
      const options = { ...setup.options, signal: stop };
      const result = await fitNodes({ ...setup, options }, this.#group, startedAt);
      this.#tellAll(null);
      return result;
    } catch (error) {
      this.#tellAll({ message: messageOf(error), exitCode: (error as Partial<AtollError>).exitCode ?? 1 });
      throw error;
    }
  }
}
