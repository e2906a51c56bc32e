// One collective on one member, from its call to its end: who else has come, what it sends and receives, how it ends.

import type { Rank, RunError } from "@atoll/core";
import { listed, type Network } from "@atoll/network";
import type { VectorArithmetic } from "../arithmetic.ts";
import { type Call, describeCall, mismatch } from "../collective.ts";
import type { Membership } from "../member.ts";
import type { Schedule } from "../schedule.ts";
import type { RealClock, StartedCall } from "./calls.ts";
import { addWithDigests } from "./checksum.ts";
import { Execution } from "./execution.ts";
import { Dtype, type Frame, Kind } from "./frame.ts";
import type { MemberPlan } from "./memberPlan.ts";
import type { Announcement, CollectiveNote } from "./note.ts";
import { type Parts, partsOf } from "./parts.ts";
import type { BulkFrame, BulkSource, Landing } from "./peer.ts";
import type { Elements, Staging } from "./staging.ts";

/** What one member knows of a collective that is over; those of all members make one event. */
export interface CollectivePart {
  readonly operation: string;
  readonly algorithm: string;
  readonly ranks: readonly Rank[];
  /** Number of this member in `ranks`. */
  readonly member: number;
  /** Names the collective: the same on all members. */
  readonly name: string;
  /** Seconds: when this member called it, and when it was done. */
  readonly ready: number;
  readonly end: number;
  /** That this member sent. */
  readonly bytes: number;
}

/** What collectives need of the rank's connections. */
export interface Lines {
  readonly rank: Rank;
  announce(rank: Rank, note: CollectiveNote): void;
  add(rank: Rank, source: BulkSource): void;
  remove(rank: Rank, source: BulkSource): void;
  /** There may be more to send. */
  pump(rank: Rank): void;
  /** Why a rank is lost; undefined while it is not. */
  lossOf(rank: Rank): string | undefined;
}

export interface Plan {
  readonly schedule: Schedule;
  readonly bytesSent: number;
  member(schedule: Schedule, phase: number): MemberPlan;
}

export interface CollectiveOptions {
  readonly name: string;
  readonly number: number;
  readonly membership: Membership;
  readonly call: Call;
  readonly vectors: readonly Float32Array[];
  readonly handle: StartedCall<readonly Float32Array[]>;
  readonly stream: number;
  readonly announcement: Announcement;
  readonly network: Network;
  readonly clock: RealClock;
  readonly arithmetic: VectorArithmetic;
  readonly staging: Staging;
  readonly inRounds: boolean;
  /** A vector with the same elements that is the call's own. */
  readonly apart: (x: Float32Array) => Float32Array;
  readonly lines: Lines;
  plan(lengths: readonly number[]): Plan;
  onMismatch(error: RunError): void;
  /** It is over; without a part, if it failed. */
  onEnd(part: CollectivePart | undefined): void;
}

/** How long the calls of further members are waited for, so that all name the same two in their error. */
const MISMATCH_PATIENCE_MS = 250;

const bytesOf = (elements: Elements): Uint8Array =>
  elements instanceof Uint8Array
    ? elements
    : new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);

export class Collective {
  readonly name: string;
  readonly call: Call;
  readonly ranks: readonly Rank[];
  readonly stream: number;
  readonly announcement: Announcement;
  readonly #options: CollectiveOptions;
  readonly #member: number;
  readonly #announcements: (Announcement | undefined)[];
  #missing: number;
  #lastReady: number;
  #mismatch: NodeJS.Timeout | undefined;
  #isMismatched = false;
  #plan: Plan | undefined;
  #parts: Parts | undefined;
  #executions: readonly Execution[] = [];
  /** Parts that came before it was known what the schedule is. */
  readonly #early: (() => void)[] = [];
  #phase = 0;
  #isOver = false;
  #failure: Promise<void> | undefined;
  /** Ranks that have done their part and left. */
  readonly #finished = new Set<Rank>();

  constructor(options: CollectiveOptions) {
    this.#options = options;
    this.name = options.name;
    this.call = options.call;
    this.ranks = options.membership.ranks;
    this.stream = options.stream;
    this.announcement = options.announcement;
    this.#member = options.membership.member;
    this.#announcements = this.ranks.map(() => undefined);
    this.#announcements[this.#member] = options.announcement;
    this.#missing = this.ranks.length - 1;
    this.#lastReady = options.handle.ready;
  }

  /** "allReduce(sum of 10 floats) #3, for ranks 1, 2": what this member waits for. */
  describe(): string {
    const missing = this.ranks.filter((_, member) => this.#announcements[member] === undefined);
    const whom = missing.length > 0 ? `for ${listed("rank", missing)}` : "for bytes";
    return `${describeCall(this.call)} #${this.#options.number}, ${whom}`;
  }

  /** All is looked at that was known when it was called. */
  begin(): void {
    if (!this.#lengthsDiffer) this.#prepare();
  }

  /** Where each member's lengths are its own, the schedule is known only when all have come. */
  get #lengthsDiffer(): boolean {
    const { operation } = this.call;
    return operation === "allGather" || operation === "allToAll" || operation === "gather";
  }

  heardOf(rank: Rank, announcement: Announcement): void {
    const member = this.ranks.indexOf(rank);
    if (this.#isOver || member === -1 || this.#announcements[member] !== undefined) return;
    this.#announcements[member] = announcement;
    this.#missing--;
    this.#lastReady = Math.max(this.#lastReady, this.#options.clock.now());
    if (announcement.meets !== this.announcement.meets) this.#isMismatched = true;
    if (this.#isMismatched) {
      this.#awaitMismatch();
      return;
    }
    if (this.#lengthsDiffer && this.#missing === 0) this.#prepare();
    if (this.#executions.length > 0) this.#serve(member);
    this.#checkDone();
  }

  #awaitMismatch(): void {
    if (this.#missing === 0) this.#tellMismatch();
    else this.#mismatch ??= setTimeout(() => this.#tellMismatch(), MISMATCH_PATIENCE_MS);
  }

  #tellMismatch(): void {
    if (this.#isOver) return;
    const come = this.#announcements.flatMap((announcement, member) =>
      announcement === undefined ? [] : [{ rank: this.ranks[member]!, ...announcement }],
    );
    const [first] = come;
    const other = come.find(({ meets }) => meets !== first!.meets);
    this.#options.onMismatch(mismatch(this.#options.number, this.ranks, first!, other!));
  }

  #prepare(): void {
    if (this.#isOver || this.#isMismatched) return;
    const { call, vectors, network, arithmetic, staging, inRounds, apart } = this.#options;
    const lengths = this.#announcements.flatMap((announcement) => announcement?.lengths ?? []);
    this.#plan = this.#options.plan(this.#lengthsDiffer ? lengths : [this.announcement.lengths[0]!]);
    const { schedule } = this.#plan;
    const members = { ranks: this.ranks, topology: network.topology };
    const parts = partsOf({ call, schedule, members, member: this.#member, vectors, arithmetic, apart });
    this.#parts = parts;
    this.#executions = parts.phases.map(
      (phase, number) =>
        new Execution({
          plan: this.#plan!.member(phase.schedule, number),
          vectors: phase.vectors,
          staging,
          inRounds,
          add: (a, b) => arithmetic.add(a as Float32Array, a as Float32Array, b as Float32Array),
          addWithDigests: (a, b) =>
            addWithDigests(a as Float32Array, b as Float32Array, arithmetic.addAndHashBlocks),
          onProgress: () => this.#pump(),
          onDone: () => this.#phaseDone(number),
        }),
    );
    this.#announcements.forEach((announcement, member) => {
      if (announcement !== undefined && member !== this.#member) this.#serve(member);
    });
    for (const deliver of this.#early.splice(0)) deliver();
    this.#executions[0]!.open(this.#options.handle.ready);
  }

  /** A member is there: it can be sent to. */
  #serve(member: number): void {
    const rank = this.ranks[member]!;
    this.#options.lines.add(rank, this);
    this.#options.lines.pump(rank);
  }

  #pump(): void {
    for (const rank of this.ranks) if (rank !== this.#options.lines.rank) this.#options.lines.pump(rank);
  }

  /** The next frame to a rank that has come. */
  next(rank: Rank): BulkFrame | undefined {
    const member = this.ranks.indexOf(rank);
    const announcement = this.#announcements[member];
    if (this.#isOver || announcement === undefined) return undefined;
    for (const [phase, execution] of this.#executions.entries()) {
      const part = execution.next(member);
      if (part === undefined) continue;
      const { operation, first, count, payload, digest, transfer, left } = part;
      const dtype = payload instanceof Uint8Array ? Dtype.bytes : Dtype.float32;
      const stream = announcement.stream + phase;
      return {
        fields: { kind: Kind.segment, dtype, stream, operation, first, count },
        payload: bytesOf(payload),
        digest,
        transfer,
        left,
      };
    }
    return undefined;
  }

  /** @throws RunError if it is not what that rank is to send next */
  receive(rank: Rank, phase: number, frame: Frame): Landing | undefined {
    if (this.#isOver) return undefined;
    const execution = this.#executions[phase];
    if (execution === undefined) return this.#receiveEarly(rank, phase, frame);
    const { elements, ...rest } = execution.receive(this.ranks.indexOf(rank), frame, frame.length);
    return { elements: bytesOf(elements), ...rest };
  }

  /** That rank knows all members' lengths already, and this one does not: what it sends is kept until then. */
  #receiveEarly(rank: Rank, phase: number, frame: Frame): Landing {
    const elements = new Uint8Array(frame.length);
    const complete = (at: number, digest?: Uint8Array): void => {
      const deliver = (): void => {
        const place = this.receive(rank, phase, frame);
        place?.elements.set(elements);
        place?.complete(at, digest);
      };
      if (this.#executions.length > 0) deliver();
      else this.#early.push(deliver);
    };
    return { elements, complete };
  }

  #phaseDone(phase: number): void {
    if (phase !== this.#phase || this.#isOver) return;
    this.#phase++;
    const next = this.#parts!.phases[this.#phase];
    if (next === undefined) this.#checkDone();
    else {
      next.prepare?.();
      this.#executions[this.#phase]!.open(this.#executions[phase]!.endedAt);
    }
  }

  /** A rank has done its part, if it has begun it: it has all that was sent to it. */
  finished(rank: Rank): void {
    const member = this.ranks.indexOf(rank);
    if (member === -1 || this.#announcements[member] === undefined) return;
    this.#finished.add(rank);
    for (const execution of this.#executions) execution.finish(member);
  }

  isFinished(rank: Rank): boolean {
    return this.#finished.has(rank);
  }

  /** A rank is lost, and nothing comes from it any more. */
  lost(rank: Rank): void {
    for (const execution of this.#executions) execution.lose(this.ranks.indexOf(rank));
  }

  #checkDone(): void {
    if (this.#isOver || this.#missing > 0 || this.#executions.length === 0) return;
    if (this.#phase < this.#executions.length) return;
    const { handle, clock, onEnd } = this.#options;
    const value = this.#parts!.finish();
    const end = clock.now();
    const bytes = this.#plan!.bytesSent;
    this.#leave();
    handle.settle({ lastReady: this.#lastReady, end, bytes, value });
    onEnd({
      operation: this.call.operation,
      algorithm: this.#plan!.schedule.algorithm,
      ranks: this.ranks,
      member: this.#member,
      name: this.name,
      ready: handle.ready,
      end,
      bytes,
    });
  }

  /** The call's promise rejects once nobody touches its vectors any more; then this one ends, too. */
  async fail(error: unknown): Promise<void> {
    if (!this.#isOver) this.#failure = this.#fail(error);
    return this.#failure;
  }

  async #fail(error: unknown): Promise<void> {
    this.#leave();
    await Promise.all(this.#executions.map((execution) => execution.cancel()));
    this.#options.handle.fail(error);
    this.#options.onEnd(undefined);
  }

  #leave(): void {
    this.#isOver = true;
    clearTimeout(this.#mismatch);
    for (const rank of this.ranks) this.#options.lines.remove(rank, this);
  }
}
