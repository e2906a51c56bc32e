// Another rank, as rank 0 commands it: each command is a request on the control channel, and ends with its answer.

import { PeerLostError } from "@atoll/comm";
import { invariant, type Rank, RunError } from "@atoll/core";
import type { Weights } from "../../evaluation.ts";
import type { NodeAtWork } from "../../nearestStop.ts";
import {
  type Answer,
  bytesOfTensors,
  type Channel,
  headOf,
  type Request,
  snapshotOf,
  weightsOf,
} from "./messages.ts";
import type { Moment, RegroupCause } from "./processLife.ts";
import type { RankCommands, RankSnapshot, RankStatus, Target } from "./rank.ts";

interface Received {
  readonly answer: Answer;
  readonly bytes: Uint8Array;
}

/** What a rank could not do since others are lost. */
export class RanksLostError extends RunError {
  readonly lost: readonly Rank[];

  constructor(message: string, lost: readonly Rank[]) {
    super(message);
    this.lost = lost;
  }
}

export class RemoteRank implements RankCommands {
  readonly #rank: Rank;
  readonly #channel: Channel;
  readonly #parameterCount: number;
  readonly #open = new Map<number, PromiseWithResolvers<Received>>();
  #requests = 0;
  #lost: Error | undefined;

  constructor(rank: Rank, channel: Channel, parameterCount: number) {
    this.#rank = rank;
    this.#channel = channel;
    this.#parameterCount = parameterCount;
  }

  /** The rank has answered. */
  answered(id: number, answer: Answer, bytes: Uint8Array): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (answer.kind !== "failed") open?.resolve({ answer, bytes });
    else open?.reject(failureOf(this.#rank, answer.message, answer.lost));
  }

  /** The rank will answer nothing any more. */
  lose(error: Error): void {
    this.#lost = error;
    for (const open of this.#open.values()) open.reject(error);
    this.#open.clear();
  }

  /** A new process has come for the rank. */
  returned(): void {
    this.#lost = undefined;
  }

  async advance(target: Target, time: number): Promise<RankStatus> {
    const { answer } = await this.#ask({ kind: "advance", target, time });
    invariant(answer.kind === "advance", "the answer to the request");
    return answer.status;
  }

  async hold(): Promise<NodeAtWork> {
    const { answer } = await this.#ask({ kind: "hold" });
    invariant(answer.kind === "hold", "the answer to the request");
    return answer;
  }

  async retarget(target: Target): Promise<void> {
    await this.#ask({ kind: "retarget", target });
  }

  async weights(): Promise<Weights> {
    const { bytes } = await this.#ask({ kind: "weights" });
    return weightsOf(bytes, this.#parameterCount);
  }

  async snapshot(moment: Moment): Promise<RankSnapshot> {
    const { answer, bytes } = await this.#ask({ kind: "snapshot", moment });
    invariant(answer.kind === "snapshot", "the answer to the request");
    return snapshotOf(answer.saved, bytes);
  }

  async restore(step: number, saved: RankSnapshot): Promise<void> {
    const bytes = bytesOfTensors(saved.node.tensors());
    await this.#ask({ kind: "restore", step, saved: headOf(saved) }, bytes);
  }

  async regroup(members: readonly Rank[], epoch: number, cause: RegroupCause): Promise<void> {
    await this.#ask({ kind: "regroup", members, epoch, cause });
  }

  async haveCallsEnded(): Promise<boolean> {
    const { answer } = await this.#ask({ kind: "haveCallsEnded" });
    invariant(answer.kind === "haveCallsEnded", "the answer to the request");
    return answer.well;
  }

  async takeOver(step: number, exchanges: number, saved: RankSnapshot): Promise<void> {
    const bytes = bytesOfTensors(saved.node.tensors());
    await this.#ask({ kind: "takeOver", step, exchanges, saved: headOf(saved) }, bytes);
  }

  #ask(request: Request, bytes?: Uint8Array): Promise<Received> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    const id = ++this.#requests;
    const open = Promise.withResolvers<Received>();
    this.#open.set(id, open);
    this.#channel.send(this.#rank, { kind: "request", id, request }, bytes);
    return open.promise;
  }
}

const failureOf = (rank: Rank, message: string, lost: readonly Rank[]): RunError =>
  lost.length > 0 ? new RanksLostError(message, lost) : new RunError(`Rank ${rank}: ${message}`);

/** The ranks without which something could not be done; none if that was not the reason. */
export const lostOf = (error: unknown): readonly Rank[] =>
  error instanceof RanksLostError || error instanceof PeerLostError ? error.lost : [];
