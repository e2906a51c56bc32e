// The collectives of one rank over sockets. A rank announces each of its calls to the other members with what it expects
// them to have in common, and sends to a member once that has announced the same call: then it is there, with the vectors to
// receive into. So calls that do not fit are found on every member, nobody leaves a collective before the last member has
// come, and lengths that only their owners know are known. Announcements are short and not part of the bytes that count.
// Collectives of one rank may be under way together. The line serves the one that began first, and others while that waits.

import { type Rank, RunError } from "@atoll/core";
import type { Network } from "@atoll/network";
import { plainArithmetic, type VectorArithmetic } from "../arithmetic.ts";
import { type Call, describeCall, meetingKey, scheduleOf, withAlgorithm } from "../collective.ts";
import type { Handle } from "../communicator.ts";
import { PeerLostError } from "../disruptions.ts";
import type { Membership, StartOptions } from "../member.ts";
import { bytesSentBy } from "../schedule.ts";
import type { AllReduceChoice } from "../schedules/allReduce.ts";
import type { Calls, RealClock, StartedCall } from "./calls.ts";
import { Collective, type CollectivePart, type Lines, type Plan } from "./collectiveCall.ts";
import type { Frame } from "./frame.ts";
import { type MemberPlan, planMember } from "./memberPlan.ts";
import type { Announcement, CollectiveNote } from "./note.ts";
import { Overlapping } from "./overlapping.ts";
import type { Landing } from "./peer.ts";
import { Staging } from "./staging.ts";

export interface CollectivesOptions {
  readonly network: Network;
  readonly clock: RealClock;
  readonly calls: Calls;
  readonly lines: Lines;
  readonly epoch: number;
  readonly allReduce?: AllReduceChoice | undefined;
  readonly arithmetic?: VectorArithmetic | undefined;
  readonly inRounds: boolean;
  readonly warn?: ((message: string) => void) | undefined;
  readonly onCollective?: ((part: CollectivePart) => void) | undefined;
}

type LentTo = Pick<StartedCall<unknown>, "isWaited">;

const KEPT_PLANS = 16;

export class Collectives {
  readonly #options: CollectivesOptions;
  readonly #staging: Staging;
  readonly #plans = new Map<string, Plan>();
  readonly #warned = new Set<string>();
  /** By group: this rank's calls so far in the present epoch. */
  readonly #numbers = new Map<string, number>();
  /** By name. */
  readonly #open = new Map<string, Collective>();
  /** By the number that this rank gave them. */
  readonly #streams = new Map<number, { readonly collective: Collective; readonly phase: number }>();
  /** What others have announced or broken off and this rank has not come to, by name. */
  readonly #announced = new Map<string, Map<Rank, Announcement>>();
  readonly #broken = new Map<string, string>();
  /** The call whose result is in the place for that. */
  #lentTo: LentTo | undefined;
  #overlapping: Overlapping | undefined;
  #epoch: number;
  #lastStream = 0;

  constructor(options: CollectivesOptions) {
    this.#options = options;
    this.#staging = new Staging(options.arithmetic);
    this.#epoch = options.epoch;
  }

  get epoch(): number {
    return this.#epoch;
  }

  start(
    membership: Membership,
    asked: Call,
    vectors: readonly Float32Array[],
    options: StartOptions,
  ): Handle<readonly Float32Array[]> {
    const handle = this.#start(membership, asked, vectors, options);
    if (options.overlaps && asked.operation === "allReduce")
      this.#overlapping?.keep(handle.id, asked, membership.ranks, vectors[0]!);
    return handle;
  }

  /** @param again the number of a call that is begun once more */
  #start(
    membership: Membership,
    asked: Call,
    vectors: readonly Float32Array[],
    { signal, again }: Pick<StartOptions, "signal"> & { readonly again?: number },
  ): Handle<readonly Float32Array[]> {
    signal?.throwIfAborted();
    const { calls, clock } = this.#options;
    const call = withAlgorithm(asked, this.#options.allReduce, (message) => this.#warnOnce(message));
    const { ranks, key, member } = membership;
    if (ranks.length === 1) return this.#alone(call, vectors, again);
    const number = (this.#numbers.get(key) ?? 0) + 1;
    this.#numbers.set(key, number);
    const name = `${this.#epoch}/${key}/${number}`;
    const handle = calls.begin<readonly Float32Array[]>(
      {
        operation: call.operation,
        describe: () => collective.describe(),
        signal,
        onAbort: (reason) =>
          this.#break(collective, reason, `rank ${ranks[member]} gave ${describeCall(call)} up`),
      },
      again,
    );
    const stream = this.#lastStream + 1;
    this.#lastStream += 2;
    const collective: Collective = new Collective({
      name,
      number,
      membership,
      call,
      vectors,
      handle,
      stream,
      announcement: this.#announcement(name, call, vectors, stream),
      network: this.#options.network,
      clock,
      arithmetic: this.#options.arithmetic ?? plainArithmetic,
      staging: this.#staging,
      inRounds: this.#options.inRounds,
      apart: (x) => this.#apart(x, handle),
      lines: this.#options.lines,
      plan: (lengths) => this.#plan(membership, call, lengths),
      onMismatch: (error) => this.#break(collective, error, error.message),
      onEnd: (part) => this.#end(collective, part),
    });
    this.#open.set(name, collective);
    for (const phase of [0, 1]) this.#streams.set(stream + phase, { collective, phase });
    this.#meet(collective);
    return handle;
  }

  /** Where a result lies that is only read until the member's next call: as a rule in the same place. */
  #apart(x: Float32Array, handle: LentTo): Float32Array {
    if (this.#lentTo?.isWaited === false) return x.slice();
    this.#lentTo = handle;
    return this.#staging.whole(x);
  }

  #announcement(name: string, call: Call, vectors: readonly Float32Array[], stream: number): Announcement {
    return {
      name,
      stream,
      meets: meetingKey(call),
      text: describeCall(call),
      lengths: vectors.map((vector) => vector.length),
      ready: this.#options.clock.now(),
    };
  }

  /** A collective has been called here: the others are told, and what they have said of it is looked at. */
  #meet(collective: Collective): void {
    const { lines } = this.#options;
    const { name, ranks } = collective;
    const others = ranks.filter((rank) => rank !== lines.rank);
    const lost = others.filter((rank) => lines.lossOf(rank) !== undefined);
    for (const rank of others) lines.announce(rank, { type: "announce", ...collective.announcement });
    const broken = this.#broken.get(name);
    if (lost.length > 0) this.#lose(collective, lost);
    else if (broken !== undefined) void collective.fail(new RunError(broken));
    for (const [rank, announcement] of this.#announced.get(name) ?? [])
      collective.heardOf(rank, announcement);
    this.#announced.delete(name);
    collective.begin();
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.warn?.(message);
  }

  #alone(call: Call, vectors: readonly Float32Array[], again?: number): Handle<readonly Float32Array[]> {
    const handle = this.#options.calls.begin<readonly Float32Array[]>(
      { operation: call.operation, describe: () => "itself" },
      again,
    );
    const value = vectors.map((vector) => vector.slice());
    handle.settle({ lastReady: handle.ready, end: handle.ready, bytes: 0, value });
    return handle;
  }

  #plan({ ranks, key, member }: Membership, call: Call, lengths: readonly number[]): Plan {
    const planKey = `${key} ${describeCall(call)} ${lengths.join()}`;
    const known = this.#plans.get(planKey);
    if (known !== undefined) return known;
    const { network } = this.#options;
    const members = { ranks, topology: network.topology, tryOut: network.tryOut.bind(network) };
    const schedule = scheduleOf(call, lengths, members);
    if (schedule.fallback !== undefined) this.#warnOnce(schedule.fallback);
    const phases: MemberPlan[] = [];
    const plan: Plan = {
      schedule,
      bytesSent: bytesSentBy(schedule)[member]!,
      member(of, phase) {
        phases[phase] ??= planMember(of, member);
        return phases[phase];
      },
    };
    const oldest = this.#plans.keys().next();
    if (this.#plans.size === KEPT_PLANS && !oldest.done) this.#plans.delete(oldest.value);
    this.#plans.set(planKey, plan);
    return plan;
  }

  /** Another rank has called a collective, or broken one off. */
  heard(rank: Rank, note: CollectiveNote): void {
    const collective = this.#open.get(note.name);
    if (note.type === "break") {
      if (collective === undefined) this.#broken.set(note.name, note.reason);
      else void collective.fail(new RunError(note.reason));
    } else if (collective !== undefined) collective.heardOf(rank, note);
    else if (Number.parseInt(note.name, 10) >= this.#epoch) {
      const others = this.#announced.get(note.name) ?? new Map<Rank, Announcement>();
      others.set(rank, note);
      this.#announced.set(note.name, others);
    }
  }

  /** Where a segment is to lie; undefined if its collective is over here. */
  receive(rank: Rank, frame: Frame): Landing | undefined {
    const stream = this.#streams.get(frame.stream);
    return stream?.collective.receive(rank, stream.phase, frame);
  }

  #break(collective: Collective, error: unknown, reason: string): void {
    const { lines } = this.#options;
    for (const rank of collective.ranks)
      if (rank !== lines.rank) lines.announce(rank, { type: "break", name: collective.name, reason });
    void collective.fail(error);
  }

  #lose(collective: Collective, lost: readonly Rank[]): void {
    const { lines, clock } = this.#options;
    const cause = lines.lossOf(lost[0]!);
    const disruption = { at: clock.now(), lost, cause };
    void collective.fail(new PeerLostError(describeCall(collective.call), collective.ranks, disruption));
  }

  /** A rank leaves. Whoever has brought its part of a collective to its end is not missed there. */
  leaves(rank: Rank, broken: readonly string[]): void {
    for (const collective of this.#open.values())
      if (!broken.includes(collective.name)) collective.finished(rank);
  }

  /** A rank is lost, and its connections have ended: what involves it breaks off. */
  lose(rank: Rank): void {
    for (const announced of this.#announced.values()) announced.delete(rank);
    for (const collective of this.#open.values()) {
      if (!collective.ranks.includes(rank) || collective.isFinished(rank)) continue;
      collective.lost(rank);
      this.#lose(collective, [rank]);
    }
  }

  /**
   * All ranks that are left begin to count their calls anew: what was called before and has not ended breaks off, and what
   * others send of it is not looked at any more.
   */
  advance(epoch: number): void {
    if (epoch <= this.#epoch)
      throw new RunError(`The next epoch has to be above ${this.#epoch}, got ${epoch}.`);
    this.#epoch = epoch;
    this.#numbers.clear();
    const isPast = (name: string): boolean => Number.parseInt(name, 10) < epoch;
    for (const name of this.#announced.keys()) if (isPast(name)) this.#announced.delete(name);
    for (const name of this.#broken.keys()) if (isPast(name)) this.#broken.delete(name);
    for (const collective of this.#open.values())
      void collective.fail(
        new RunError(`${describeCall(collective.call)} broke off: epoch ${epoch} has begun without it.`),
      );
  }

  /** From now on overlapping all-reduces are kept with what was brought to them, to be begun again. */
  keepOverlapping(): void {
    this.#overlapping ??= new Overlapping();
  }

  /** Forgets what was brought to calls that have been waited for. */
  forgetWaited(): void {
    this.#overlapping?.forget((id) => !this.#options.calls.isOpen(id));
  }

  /** Forgets what was brought to the calls with a number above one. */
  forgetOverlapping(above = 0): void {
    this.#overlapping?.forget((id) => id > above);
  }

  /**
   * Begins the overlapping all-reduces that are kept once more, in the present epoch, among those of their members that are
   * left: also those that had come to their end here, since others may have been in the middle of them. Ends when they are
   * under way.
   */
  async beginAgain(left: readonly Rank[]): Promise<void> {
    // What broke off may still be writing.
    const past = [...this.#open.values()].filter(({ name }) => Number.parseInt(name, 10) < this.#epoch);
    await Promise.all(past.map((collective) => collective.fail(undefined)));
    for (const [id, { call, ranks: before, vector, brought }] of this.#overlapping?.all ?? []) {
      const ranks = before.filter((rank) => left.includes(rank));
      vector.set(brought);
      const membership = { ranks, key: ranks.join(), member: ranks.indexOf(this.#options.lines.rank) };
      this.#start(membership, call, [vector], { again: id });
    }
  }

  /** All open calls fail: this rank leaves. @returns their names */
  close(error: unknown): readonly string[] {
    const names = [...this.#open.keys()];
    for (const collective of this.#open.values()) void collective.fail(error);
    return names;
  }

  #end(collective: Collective, part: CollectivePart | undefined): void {
    this.#open.delete(collective.name);
    for (const phase of [0, 1]) this.#streams.delete(collective.stream + phase);
    if (part !== undefined) this.#options.onCollective?.(part);
  }
}
