// One rank's communicator of the simulated world: checks what a rank asks for and hands it to the world. A call that waits
// is one that is started and waited for at once.

import { type Rank, RunError } from "@atoll/core";
import { type Call, describeCall, REDUCE_OPS, type ReduceOp } from "./collective.ts";
import type {
  AllReduceOptions,
  Communicator,
  GatherOptions,
  Handle,
  Message,
  ReducedOptions,
  ReduceOptions,
  SendOptions,
  StartedCalls,
} from "./communicator.ts";
import type { Parcel } from "./mailboxes.ts";
import { mapped } from "./started.ts";

type Parts = readonly Float32Array[];

/** Whom a call is among, and whose it is. */
export interface Membership {
  readonly ranks: readonly Rank[];
  readonly key: string;
  readonly member: number;
}

export interface StartOptions {
  /** Whether the member goes on computing meanwhile; otherwise it waits at once. */
  readonly overlaps: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What a member sends, to another member. */
export interface Letter {
  readonly vector: Float32Array;
  readonly to: Rank;
  readonly tag: number;
  readonly given: boolean;
}

/** What a member needs of its world. */
export interface MemberWorld {
  start(membership: Membership, call: Call, vectors: Parts, options: StartOptions): Handle<Parts>;
  send(membership: Membership, letter: Letter): Handle<void>;
  receive(membership: Membership, from: Rank | "any", tag: number): Handle<Parcel>;
  arrived(membership: Membership, tag: number): Promise<readonly Parcel[]>;
  started(rank: Rank, id: number): Handle<void>;
  bytesSent(rank: Rank): number;
}

const EMPTY = new Float32Array(0);
const nothing = (): void => undefined;

class Calls implements StartedCalls {
  readonly #world: MemberWorld;
  readonly #membership: Membership;
  readonly #overlaps: boolean;

  constructor(world: MemberWorld, membership: Membership, overlaps: boolean) {
    this.#world = world;
    this.#membership = membership;
    this.#overlaps = overlaps;
  }

  allReduce(x: Float32Array, options?: AllReduceOptions): Handle<void> {
    return mapped(this.#allReduce(x, false, options), nothing);
  }

  allReduced(x: Float32Array, options?: ReducedOptions): Handle<Float32Array> {
    return mapped(this.#allReduce(x, true, options), ([result]) => result!);
  }

  #allReduce(
    x: Float32Array,
    apart: boolean,
    { op = "sum", algorithm, codec, signal, lent = false }: ReducedOptions = {},
  ): Handle<Parts> {
    checkVector("allReduce", x);
    checkOp("allReduce", op);
    const call: Call = { operation: "allReduce", length: x.length, op, algorithm, codec, apart, lent };
    if (algorithm !== undefined && codec !== undefined)
      throw new RunError(`${describeCall(call)}: expected an algorithm or a codec, got both. Leave one out.`);
    return this.#start(call, [x], signal);
  }

  reduceScatter(x: Float32Array, { op = "sum", signal }: ReduceOptions = {}): Handle<Float32Array> {
    checkVector("reduceScatter", x);
    checkOp("reduceScatter", op);
    const call: Call = { operation: "reduceScatter", length: x.length, op };
    return mapped(this.#start(call, [x], signal), ([shard]) => shard!);
  }

  broadcast(x: Float32Array, root = 0): Handle<void> {
    checkVector("broadcast", x);
    this.#checkMember("broadcast", "a root", root);
    return mapped(this.#start({ operation: "broadcast", length: x.length, root }, [x]), nothing);
  }

  allGather(x: Float32Array, { lent = false }: GatherOptions = {}): Handle<Parts> {
    checkVector("allGather", x);
    return this.#start({ operation: "allGather", length: x.length, lent }, [x]);
  }

  allToAll(parts: Parts): Handle<Parts> {
    const size = this.#membership.ranks.length;
    if (parts.length !== size)
      throw new RunError(`allToAll: expected ${size} parts, one for each member, got ${parts.length}.`);
    for (const part of parts) checkVector("allToAll", part);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    return this.#start({ operation: "allToAll", length }, parts);
  }

  gather(x: Float32Array, root = 0): Handle<Parts> {
    checkVector("gather", x);
    this.#checkMember("gather", "a root", root);
    return this.#start({ operation: "gather", length: x.length, root }, [x]);
  }

  barrier(): Handle<void> {
    return mapped(this.#start({ operation: "barrier", length: 0 }, [EMPTY]), nothing);
  }

  send(vector: Float32Array, to: Rank, tag = 0, { given = false }: SendOptions = {}): Handle<void> {
    checkVector("send", vector);
    this.#checkPeer("send", to);
    checkTag("send", tag);
    return this.#world.send(this.#membership, { vector, to, tag, given });
  }

  recv(from: Rank | "any", tag = 0): Handle<Message> {
    if (from !== "any") this.#checkPeer("recv", from);
    checkTag("recv", tag);
    const { ranks } = this.#membership;
    return mapped(this.#world.receive(this.#membership, from, tag), (parcel) => messageOf(parcel, ranks));
  }

  #start(call: Call, vectors: Parts, signal?: AbortSignal): Handle<Parts> {
    return this.#world.start(this.#membership, call, vectors, { overlaps: this.#overlaps, signal });
  }

  #checkMember(operation: string, what: string, given: number): void {
    const size = this.#membership.ranks.length;
    if (!(Number.isInteger(given) && given >= 0 && given < size))
      throw new RunError(`${operation}: expected ${what} from 0 to ${size - 1}, got ${shown(given)}.`);
  }

  #checkPeer(operation: string, peer: number): void {
    this.#checkMember(operation, "a member", peer);
    if (peer === this.#membership.member)
      throw new RunError(`${operation}: expected another member than ${peer}, which is this one.`);
  }
}

function checkTag(operation: string, tag: number): void {
  if (!Number.isSafeInteger(tag))
    throw new RunError(`${operation}: expected a tag that is a whole number, got ${shown(tag)}.`);
}

// Strategies are files that run without their types being checked.

function checkVector(operation: string, vector: unknown): void {
  if (!(vector instanceof Float32Array))
    throw new RunError(`${operation}: expected a Float32Array, got ${shown(vector)}.`);
}

function checkOp(operation: string, op: ReduceOp): void {
  if (!REDUCE_OPS.includes(op))
    throw new RunError(`${operation}: expected op to be one of ${REDUCE_OPS.join(", ")}, got ${shown(op)}.`);
}

/** In a few words: a vector has millions. */
function shown(given: unknown): string {
  if (typeof given !== "object" || given === null) return String(given);
  const { name } = given.constructor;
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}

const messageOf = ({ source, tag, vector }: Parcel, ranks: readonly Rank[]): Message => ({
  source: ranks.indexOf(source),
  tag,
  vector,
});

export class Member implements Communicator {
  readonly rank: Rank;
  readonly worldSize: number;
  readonly start: StartedCalls;
  /** The same calls, of a member that waits for them at once. */
  readonly #calls: StartedCalls;
  readonly #world: MemberWorld;
  readonly #membership: Membership;

  constructor(world: MemberWorld, membership: Membership) {
    this.#world = world;
    this.#membership = membership;
    this.rank = membership.member;
    this.worldSize = membership.ranks.length;
    this.start = new Calls(world, membership, true);
    this.#calls = new Calls(world, membership, false);
  }

  get #worldRank(): Rank {
    return this.#membership.ranks[this.rank]!;
  }

  get bytesSent(): number {
    return this.#world.bytesSent(this.#worldRank);
  }

  async allReduce(x: Float32Array, options?: AllReduceOptions): Promise<void> {
    return this.#calls.allReduce(x, options).wait();
  }

  async allReduced(x: Float32Array, options?: ReducedOptions): Promise<Float32Array> {
    return this.#calls.allReduced(x, options).wait();
  }

  async reduceScatter(x: Float32Array, options?: ReduceOptions): Promise<Float32Array> {
    return this.#calls.reduceScatter(x, options).wait();
  }

  async broadcast(x: Float32Array, root?: number): Promise<void> {
    return this.#calls.broadcast(x, root).wait();
  }

  async allGather(x: Float32Array, options?: GatherOptions): Promise<Parts> {
    return this.#calls.allGather(x, options).wait();
  }

  async allToAll(parts: Parts): Promise<Parts> {
    return this.#calls.allToAll(parts).wait();
  }

  async gather(x: Float32Array, root?: number): Promise<Parts> {
    return this.#calls.gather(x, root).wait();
  }

  async barrier(): Promise<void> {
    return this.#calls.barrier().wait();
  }

  async send(x: Float32Array, to: Rank, tag?: number, options?: SendOptions): Promise<void> {
    return this.#calls.send(x, to, tag, options).wait();
  }

  async recv(from: Rank | "any", tag?: number): Promise<Message> {
    return this.#calls.recv(from, tag).wait();
  }

  async arrived(tag = 0): Promise<readonly Message[]> {
    checkTag("arrived", tag);
    const parcels = await this.#world.arrived(this.#membership, tag);
    return parcels.map((parcel) => messageOf(parcel, this.#membership.ranks));
  }

  started(id: number): Handle<void> {
    return this.#world.started(this.#worldRank, id);
  }

  group(members: readonly Rank[]): Communicator {
    const member = members.indexOf(this.rank);
    if (member === -1)
      throw new RunError(
        `group([${members.join()}]) on member ${this.rank}: expected a list with this member in it.`,
      );
    for (const other of members) this.#checkKnown(members, other);
    if (new Set(members).size !== members.length)
      throw new RunError(`group([${members.join()}]): expected each member once.`);
    const ranks = members.map((other) => this.#membership.ranks[other]!);
    return new Member(this.#world, { ranks, key: ranks.join(), member });
  }

  #checkKnown(members: readonly Rank[], member: Rank): void {
    if (Number.isInteger(member) && member >= 0 && member < this.worldSize) return;
    throw new RunError(
      `group([${members.join()}]): expected members from 0 to ${this.worldSize - 1}, got ${member}.`,
    );
  }
}
