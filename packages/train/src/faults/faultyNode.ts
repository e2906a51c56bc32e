// One node of a run that meets faults: it computes what it lives to see the end of, exchanges with those that are there,
// and comes back after it was lost. What it computes and says is the business of its TrainNode and strategy.

import { type Communicator, PeerLostError, type SimulatedWorld } from "@atoll/comm";
import { type Rank, type Seconds, seconds } from "@atoll/core";
import type { Clock } from "@atoll/network";
import type { MissingPolicy } from "../strategies/whenMissing.ts";
import type { Membership } from "./membership.ts";
import type { NodeLife, Rounds } from "./nodeLife.ts";
import { MemoryCopy, type NodeMemory } from "./nodeMemory.ts";
import type { Notices } from "./notices.ts";
import type { Outlook } from "./outlook.ts";
import { crashError } from "./policy.ts";
import { LeftBehind, NodeCrashed } from "./signals.ts";

/** What all nodes of a run share. */
export interface Adversity {
  readonly membership: Membership;
  readonly outlook: Outlook;
  readonly notices: Notices;
  readonly world: SimulatedWorld;
  readonly policy: MissingPolicy;
}

export interface FaultyNodeOptions extends Adversity {
  readonly rank: Rank;
  readonly clock: Clock;
  readonly memory: NodeMemory;
}

export class FaultyNode implements NodeLife {
  readonly #options: FaultyNodeOptions;
  readonly #everyone: Communicator;
  /** Made when it is first needed: it is as large as the node. */
  #copy: MemoryCopy | undefined;
  #communicator: Communicator;

  constructor(options: FaultyNodeOptions) {
    this.#options = options;
    this.#everyone = options.world.communicator(options.rank);
    this.#communicator = this.#everyone;
  }

  /** Of the nodes that take part in the present exchange. */
  get communicator(): Communicator {
    return this.#communicator;
  }

  /** Exchanges without a meeting; a node may crash while it waits for a message. */
  async #exchangeUnmet<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof PeerLostError)) throw error;
      this.#throwIfDown();
      for (const lost of error.lost) this.#stopIfCrashed(lost, error.at);
      throw error;
    }
  }

  /** Where nodes cannot go on without each other, the crash of one is what ends the run, whoever learns of it first. */
  #stopIfCrashed(lost: Rank, at: Seconds): void {
    const { policy, outlook } = this.#options;
    const downtime = outlook.crashBefore(lost, at, at);
    if (policy.kind !== "stop" || downtime === undefined) return;
    throw crashError(lost, downtime.from, policy.reason);
  }

  #throwIfDown(since = this.#options.clock.now()): void {
    const { rank, clock, outlook } = this.#options;
    const downtime = outlook.crashBefore(rank, since, clock.now());
    if (downtime !== undefined) throw new NodeCrashed(rank, downtime);
  }

  /** Takes the node through a segment: to its end, or as far as faults let it come. */
  async live(rounds: Rounds): Promise<void> {
    const { rank, membership } = this.#options;
    for (;;) {
      if (membership.status(rank) !== "current") {
        const step = await membership.recover(rank);
        if (step === undefined) break;
        rounds.goOnFrom(step);
      }
      try {
        await rounds.run();
        break;
      } catch (error) {
        if (error instanceof NodeCrashed) this.#crash(error);
        else if (error instanceof LeftBehind) membership.leftBehind(rank);
        else throw error;
      }
    }
    membership.ended(rank);
  }

  #crash({ downtime }: NodeCrashed): void {
    const { rank, clock, membership } = this.#options;
    this.#stopIfCrashed(rank, seconds(downtime.from));
    membership.crashed(rank, downtime, clock.now());
  }

  boundary(step: number, beginsRound: boolean): void {
    const { rank, clock, membership, notices } = this.#options;
    notices.cameTo(clock.now());
    membership.came(step);
    if (beginsRound) membership.beginRound(rank, step);
  }

  /**
   * How long steps take that begin now, one after the other; if the node does not live to see their end, it crashes.
   * @param undisturbed seconds of each step if nothing happens
   */
  async durations(undisturbed: readonly Seconds[]): Promise<readonly Seconds[]> {
    const { rank, clock, outlook, notices } = this.#options;
    const begin = clock.now();
    let now: number = begin;
    const begins: number[] = [];
    const taken = undisturbed.map((duration) => {
      begins.push(now);
      const slowed = duration * outlook.slowdown(rank, now);
      now += slowed;
      return seconds(slowed);
    });
    const downtime = outlook.crashBefore(rank, begin, now);
    for (const at of begins) if (downtime === undefined || at < downtime.from) notices.stepBegins(rank, at);
    if (downtime === undefined) return taken;
    await clock.sleep(seconds(Math.max(0, downtime.from - begin)));
    throw new NodeCrashed(rank, downtime);
  }

  /** Exchanges with the nodes that are there; if some are lost meanwhile, begins again with those that are left. */
  async exchange<T>(step: number, run: () => Promise<T>): Promise<T> {
    const { rank, clock, membership, notices, world, policy, memory } = this.#options;
    if (policy.kind === "none" || policy.kind === "stop") return this.#exchangeUnmet(run);
    this.#copy ??= new MemoryCopy(memory);
    this.#copy.take();
    const begin = clock.now();
    let among: readonly Rank[] | undefined;
    for (;;) {
      const from = clock.now();
      notices.cameTo(from);
      let participants: readonly Rank[];
      try {
        participants = await membership.attend(rank, step, among);
      } finally {
        membership.waited(rank, from, clock.now());
      }
      const everyone = this.#everyone;
      this.#communicator =
        participants.length === everyone.worldSize ? everyone : everyone.group(participants);
      const calls = world.callsOf(rank);
      try {
        const result = await run();
        // What overlaps with computing does not break off, so the node may have crashed while it waited for that.
        this.#throwIfDown(begin);
        return result;
      } catch (error) {
        if (!(error instanceof PeerLostError)) throw error;
        this.#copy.putBack();
        world.withdraw(rank, calls);
        this.#throwIfDown();
        if (error.lost.includes(rank)) throw new LeftBehind(rank);
        membership.lose(error.lost);
        among = error.ranks;
      }
    }
  }
}
