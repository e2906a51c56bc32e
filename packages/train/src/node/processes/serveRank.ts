// What a rank other than 0 does: it answers rank 0's requests until the run is over.

import type { CollectivePart } from "@atoll/comm/node";
import { messageOf, type Rank, unreachable } from "@atoll/core";
import type { StepReport } from "../../recorder.ts";
import {
  type Answer,
  bytesOfTensors,
  bytesOfWeights,
  type Channel,
  type ControlMessage,
  headOf,
  type Request,
  type RunFailure,
  type SentReport,
  sentReport,
  snapshotOf,
} from "./messages.ts";
import type { LocalRank } from "./rank.ts";
import { lostOf } from "./remoteRank.ts";

/** The rank that commands the others. */
export const COMMANDER: Rank = 0;

/** Sends what a rank has done, all of one turn of the event loop together. */
export class Reporter {
  readonly #channel: Channel;
  #steps: SentReport[] = [];
  #collectives: CollectivePart[] = [];

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  step(report: StepReport): void {
    this.#soon();
    this.#steps.push(sentReport(report));
  }

  collective(part: CollectivePart): void {
    this.#soon();
    this.#collectives.push(part);
  }

  /** Before anything that the rank answers later on. */
  #soon(): void {
    if (this.#steps.length + this.#collectives.length > 0) return;
    queueMicrotask(() => {
      this.#channel.send(COMMANDER, { kind: "done", steps: this.#steps, collectives: this.#collectives });
      this.#steps = [];
      this.#collectives = [];
    });
  }
}

export type Welcome = Extract<ControlMessage, { kind: "welcome" }>;

interface Reply {
  readonly answer: Answer;
  readonly bytes?: Uint8Array;
}

/** Serves until rank 0 says that the run is over. @returns why, if it did not come to its end */
export function serveRank(
  rank: LocalRank,
  channel: Channel,
  onWelcome: (welcome: Welcome) => Promise<void>,
): Promise<RunFailure | null> {
  const over = Promise.withResolvers<RunFailure | null>();
  let ready = Promise.resolve();
  const serve = async (id: number, request: Request, bytes: Uint8Array): Promise<void> => {
    await ready;
    const { answer, bytes: given } = await replyTo(rank, request, bytes);
    channel.send(COMMANDER, { kind: "answer", id, answer }, given);
  };
  channel.listen((from, message: ControlMessage, bytes) => {
    if (from !== COMMANDER) return;
    if (message.kind === "welcome") {
      ready = onWelcome(message);
      ready.catch(over.reject);
    } else if (message.kind === "over") over.resolve(message.failure);
    else if (message.kind === "request") serve(message.id, message.request, bytes).catch(over.reject);
  });
  return over.promise;
}

async function replyTo(rank: LocalRank, request: Request, bytes: Uint8Array): Promise<Reply> {
  try {
    return await carriedOut(rank, request, bytes);
  } catch (error) {
    return { answer: { kind: "failed", message: messageOf(error), lost: lostOf(error) } };
  }
}

async function carriedOut(rank: LocalRank, request: Request, bytes: Uint8Array): Promise<Reply> {
  switch (request.kind) {
    case "advance":
      return { answer: { kind: "advance", status: await rank.advance(request.target, request.time) } };
    case "hold":
      return { answer: { kind: "hold", ...(await rank.hold()) } };
    case "retarget":
      await rank.retarget(request.target);
      return { answer: { kind: "retarget" } };
    case "weights":
      return { answer: { kind: "weights" }, bytes: bytesOfWeights(await rank.weights()) };
    case "snapshot": {
      const saved = await rank.snapshot(request.moment);
      return {
        answer: { kind: "snapshot", saved: headOf(saved) },
        bytes: bytesOfTensors(saved.node.tensors()),
      };
    }
    case "restore":
      await rank.restore(request.step, snapshotOf(request.saved, bytes));
      return { answer: { kind: "restore" } };
    case "regroup":
      await rank.regroup(request.members, request.epoch, request.cause);
      return { answer: { kind: "regroup" } };
    case "haveCallsEnded":
      return { answer: { kind: "haveCallsEnded", well: await rank.haveCallsEnded() } };
    case "takeOver":
      await rank.takeOver(request.step, request.exchanges, snapshotOf(request.saved, bytes));
      return { answer: { kind: "takeOver" } };
    default:
      return unreachable(request);
  }
}
