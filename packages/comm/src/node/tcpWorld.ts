// The world as one process of it sees it: a communicator over TCP that carries out the simulator's own schedules, with
// results equal to the simulator's to the bit, a channel for whoever drives the ranks, and news of ranks that are lost or
// have come back. Time is real here: `times()` splits it as the simulated world does.
// Each process calls `joinTcpWorld`; rank 0 is the rendezvous, and a world without it has come to its end.
// A lost rank breaks off what involves it (PeerLostError, of overlapping calls as well). Survivors go on in groups without
// it. Since they need not have made equally many calls by then, all begin to count anew: `advance`, with the same number. What
// overlapped with computing they can begin again among themselves, with what they had brought: `beginAgain`.

import { type ConfigValue, type Rank, RunError } from "@atoll/core";
import type { Network } from "@atoll/network";
import type { VectorArithmetic } from "../arithmetic.ts";
import type { Call } from "../collective.ts";
import type { Communicator, Handle } from "../communicator.ts";
import type { Parcel } from "../mailboxes.ts";
import { type Letter, Member, type Membership, type MemberWorld, type StartOptions } from "../member.ts";
import type { AllReduceChoice } from "../schedules/allReduce.ts";
import type { CommunicationTimes } from "../simulatedWorld.ts";
import { asCallsSnapshot, Calls, type RealClock } from "./calls.ts";
import type { CollectivePart, Lines } from "./collectiveCall.ts";
import { Collectives } from "./collectives.ts";
import { Control, type ControlChannel } from "./control.ts";
import { type Frame, Kind } from "./frame.ts";
import { Mesh, type MeshUser } from "./mesh.ts";
import { Messages, type PostLines } from "./messages.ts";
import type { Note } from "./note.ts";
import type { Landing } from "./peer.ts";
import { type Shaped, Shaper } from "./shaper.ts";

export interface TcpWorldOptions {
  readonly rank: Rank;
  readonly worldSize: number;
  /** Where rank 0 listens. Port 0 is any free one, which only rank 0 can give: see `onListening`. */
  readonly master: { readonly host: string; readonly port: number };
  /** Where this rank listens. Default 127.0.0.1: nobody beyond this machine reaches it. "0.0.0.0" is everywhere. */
  readonly listenHost?: string | undefined;
  /** Under which address the others reach this rank. Default: what it listens on, or where its connection to rank 0 comes from. */
  readonly advertisedHost?: string | undefined;
  readonly runId: string;
  /** The secret that processes of the run share. */
  readonly token: string;
  /** Default 0; a rank that rejoins gets the others'. */
  readonly epoch?: number | undefined;
  /** What algorithms fit themselves to: the simulator's own network of this run. */
  readonly network: Network;
  /** The algorithm of every all-reduce that names none and has no codec. Default "topology". */
  readonly allReduce?: AllReduceChoice | undefined;
  /** Adds up what members bring, and hashes what is sent. Default: plain loops. */
  readonly arithmetic?: VectorArithmetic | undefined;
  /** Read alike on all ranks, as far as machines agree on the time. */
  readonly clock: RealClock;
  /**
   * Whether the network's conditions are to be felt: `none`, the sockets are as fast as they are; `userSpace`, this process
   * holds back what it sends as `network` says (see shaper.ts), for ranks of one machine; `system`, the machine's own
   * traffic control does it (see trafficControl.ts); `delays`, that keeps to the bandwidths only, and the process to the
   * rest. Unless it is `none`, a member begins a round of a collective only when its own transfers of the rounds before
   * have ended, as the simulator times it; otherwise parts are passed on as they come. Default "none". See `TcpWorld.shape`
   * where it is known only when the ranks are connected.
   */
  readonly shaping?: Shaping | undefined;
  /** Default 1000. */
  readonly heartbeatMs?: number | undefined;
  /** A rank of which nothing was heard for so long is lost. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How long ranks wait for each other when they join. Default 60,000. */
  readonly joinTimeoutMs?: number | undefined;
  /** Gets this rank's part of every collective that ended well. */
  readonly onCollective?: ((part: CollectivePart) => void) | undefined;
  /** Gets a sentence, once, when a call cannot be carried out as asked and is carried out in another way. */
  readonly warn?: ((message: string) => void) | undefined;
  /** The port that this rank listens on is known: before the others have come. */
  readonly onListening?: ((port: number) => void) | undefined;
  /** Ends joining; afterwards `dispose` ends the world. */
  readonly signal?: AbortSignal | undefined;
}

export type Shaping = "none" | "userSpace" | "delays" | "system";

/** What is left for the process to do. */
const LEFT: Readonly<Record<Exclude<Shaping, "none">, Shaped>> = {
  userSpace: "everything",
  delays: "delays",
  system: "nothing",
};

export interface Loss {
  readonly rank: Rank;
  /** The end of a sentence about the rank: "its connection closed", "it has left". */
  readonly cause: string;
}

export interface TcpWorld extends AsyncDisposable {
  readonly rank: Rank;
  readonly worldSize: number;
  /** Of all ranks. */
  readonly communicator: Communicator;
  readonly control: ControlChannel;
  /** That this rank listens on. */
  readonly port: number;
  readonly epoch: number;
  /** Addresses of the other ranks by rank, as their connections have them; undefined for this one and for lost ones. */
  addresses(): readonly (string | undefined)[];
  /**
   * Says otherwise than the options who makes the network's conditions felt, before the first call.
   * @throws RunError if the options say that they are not to be felt
   */
  shape(shaping: Exclude<Shaping, "none">): void;
  /** Seconds that this rank spent in communication. */
  times(): CommunicationTimes;
  /** Ranks that are lost now. */
  losses(): readonly Loss[];
  /** @returns stops it */
  onLost(listener: (loss: Loss) => void): () => void;
  /** A rank that was lost is connected again, and has none of what it remembered. @returns stops it */
  onReturned(listener: (rank: Rank) => void): () => void;
  /**
   * Begins a new epoch, above the present one: groups count their calls from one again, and what has not ended breaks off.
   * All ranks that go on together call it with the same number before they make further calls.
   */
  advance(epoch: number): void;
  /** How many calls this rank has made: names a moment for `withdraw`. */
  callsMade(): number;
  /** Forgets the calls made since: what they were for has broken off. */
  withdraw(since: number): void;
  /** From now on what is brought to all-reduces that overlap with computing is kept, so that they can be begun again. */
  keepOverlapping(): void;
  /** What was brought to calls that have been waited for is not needed any more; with `all`, to no call so far. */
  forgetOverlapping(which: "waited" | "all"): void;
  /**
   * Begins the all-reduces that are kept once more among those that are left, under their old numbers; all of these do it in
   * the same epoch, before they make further calls, and have kept the same ones. Ends when they are under way.
   */
  beginAgain(left: readonly Rank[]): Promise<void>;
  /** Waits until all that this rank has started and not waited for has ended. @returns whether none of it has failed */
  haveEndedWell(): Promise<boolean>;
  /** Whether this rank has waited for all calls that it has made: nothing that it remembers is about to change. */
  isSettled(): boolean;
  /** What this rank's calls wait for, a phrase each. */
  waitingFor(): readonly string[];
  /**
   * Counters, ends of calls that were started and not waited for (it waits until they have ended), and messages that have
   * arrived and were not received. @throws RunError if a call is open whose result is not in the caller's own vector
   */
  snapshot(): Promise<ConfigValue>;
  /** Goes on from a snapshot of the same rank. @throws RunError if it is none */
  restore(snapshot: ConfigValue): void;
}

class World implements TcpWorld, MemberWorld, MeshUser {
  readonly rank: Rank;
  readonly worldSize: number;
  readonly communicator: Communicator;
  readonly control: Control;
  readonly #options: TcpWorldOptions;
  readonly #calls: Calls;
  readonly #collectives: Collectives;
  readonly #messages: Messages;
  readonly #lostListeners = new Set<(loss: Loss) => void>();
  readonly #returnedListeners = new Set<(rank: Rank) => void>();
  readonly #shaper: Shaper | undefined;
  #mesh: Mesh | undefined;

  constructor(options: TcpWorldOptions) {
    const { rank, worldSize, clock, network, allReduce, arithmetic, warn, onCollective } = options;
    this.#options = options;
    this.rank = rank;
    this.worldSize = worldSize;
    const { shaping = "none" } = options;
    if (shaping !== "none") {
      this.#shaper = new Shaper({ network, rank, clock });
      this.#shaper.does = LEFT[shaping];
    }
    const ranks = Array.from({ length: worldSize }, (_, other) => other);
    const everyone = { ranks, key: ranks.join(), member: rank };
    const lines = this.#lines();
    this.#calls = new Calls(clock);
    this.#messages = new Messages({ clock, calls: this.#calls, lines, everyone: everyone.key });
    this.#collectives = new Collectives({
      network,
      clock,
      calls: this.#calls,
      lines,
      epoch: options.epoch ?? 0,
      inRounds: (options.shaping ?? "none") !== "none",
      allReduce,
      arithmetic,
      warn,
      onCollective,
    });
    this.control = new Control(rank, (to, message, body) =>
      this.#mesh?.write(to, { type: "application", message }, body),
    );
    this.communicator = new Member(this, everyone);
  }

  async join(): Promise<this> {
    const {
      epoch = 0,
      heartbeatMs = 1000,
      timeoutMs = 10_000,
      joinTimeoutMs = 60_000,
      clock,
      arithmetic,
    } = this.#options;
    const nowMs = (): number => clock.now() * 1000;
    const times = { heartbeatMs, timeoutMs, joinTimeoutMs, nowMs };
    const means = { shaper: this.#shaper, hashBlocks: arithmetic?.hashBlocks };
    this.#mesh = await Mesh.join({ ...this.#options, epoch, ...times, ...means }, this);
    if (this.#mesh.epochAtJoin > this.epoch) this.advance(this.#mesh.epochAtJoin);
    return this;
  }

  #lines(): Lines & PostLines {
    const peer = (rank: Rank) => this.#mesh?.peer(rank);
    return {
      rank: this.#options.rank,
      announce: (rank, note) => this.#mesh?.write(rank, note),
      acknowledge: (rank, number) => this.#mesh?.write(rank, { type: "received", number }),
      add: (rank, source) => peer(rank)?.add(source),
      remove: (rank, source) => peer(rank)?.remove(source),
      pump: (rank) => peer(rank)?.pump(),
      lossOf: (rank) => this.#mesh?.lossOf(rank),
    };
  }

  get port(): number {
    return this.#mesh!.port;
  }

  get epoch(): number {
    return this.#collectives.epoch;
  }

  // What members ask of their world.

  start(
    membership: Membership,
    call: Call,
    vectors: readonly Float32Array[],
    options: StartOptions,
  ): Handle<readonly Float32Array[]> {
    return this.#collectives.start(membership, call, vectors, options);
  }

  send(membership: Membership, letter: Letter): Handle<void> {
    return this.#messages.send(membership, letter);
  }

  receive(membership: Membership, from: Rank | "any", tag: number): Handle<Parcel> {
    return this.#messages.receive(membership, from, tag);
  }

  async arrived(membership: Membership, tag: number): Promise<readonly Parcel[]> {
    return this.#messages.arrived(membership, tag);
  }

  started(_: Rank, id: number): Handle<void> {
    return this.#calls.handle(id);
  }

  bytesSent(): number {
    return this.#calls.bytesSent;
  }

  // What the mesh tells its user.

  bulk(rank: Rank, frame: Frame): Landing | undefined {
    switch (frame.kind) {
      case Kind.segment:
        return this.#collectives.receive(rank, frame);
      case Kind.letterPart:
        return this.#messages.receivePart(rank, frame);
      case Kind.letter: {
        const elements = new Uint8Array(frame.length);
        return { elements, complete: () => this.#messages.letter(rank, elements) };
      }
      default:
        throw new RunError(`it sent a frame of kind ${frame.kind} the wrong way`);
    }
  }

  note(rank: Rank, note: Note, body: Uint8Array): void {
    if (note.type === "announce" || note.type === "break") this.#collectives.heard(rank, note);
    else if (note.type === "received") this.#messages.acknowledged(rank, note.number);
    else if (note.type === "application") this.control.receive({ from: rank, message: note.message, body });
    else throw new RunError(`it sent a note of type ${JSON.stringify(note.type)}, which has no place here`);
  }

  leaves(rank: Rank, broken: readonly string[]): void {
    this.#collectives.leaves(rank, broken);
  }

  lost(rank: Rank, cause: string): void {
    this.#collectives.lose(rank);
    this.#messages.lose(rank, cause);
    for (const listener of this.#lostListeners) listener({ rank, cause });
  }

  returned(rank: Rank): void {
    for (const listener of this.#returnedListeners) listener(rank);
  }

  // What the world's owner asks of it.

  addresses(): readonly (string | undefined)[] {
    return Array.from({ length: this.worldSize }, (_, rank) => this.#mesh!.peer(rank)?.address);
  }

  shape(shaping: Exclude<Shaping, "none">): void {
    if (this.#shaper === undefined)
      throw new RunError("The world was joined without network conditions, so nobody can make them felt.");
    this.#shaper.does = LEFT[shaping];
  }

  times(): CommunicationTimes {
    return this.#calls.times;
  }

  losses(): readonly Loss[] {
    return this.#mesh!.losses;
  }

  onLost(listener: (loss: Loss) => void): () => void {
    this.#lostListeners.add(listener);
    return () => void this.#lostListeners.delete(listener);
  }

  onReturned(listener: (rank: Rank) => void): () => void {
    this.#returnedListeners.add(listener);
    return () => void this.#returnedListeners.delete(listener);
  }

  advance(epoch: number): void {
    this.#collectives.advance(epoch);
  }

  callsMade(): number {
    return this.#calls.count;
  }

  withdraw(since: number): void {
    this.#calls.withdraw(since);
    this.#collectives.forgetOverlapping(since);
  }

  keepOverlapping(): void {
    this.#collectives.keepOverlapping();
  }

  forgetOverlapping(which: "waited" | "all"): void {
    if (which === "waited") this.#collectives.forgetWaited();
    else this.#collectives.forgetOverlapping();
  }

  beginAgain(left: readonly Rank[]): Promise<void> {
    return this.#collectives.beginAgain(left);
  }

  haveEndedWell(): Promise<boolean> {
    return this.#calls.haveEndedWell();
  }

  isSettled(): boolean {
    return this.#calls.areOver;
  }

  waitingFor(): readonly string[] {
    return this.#calls.describe();
  }

  async snapshot(): Promise<ConfigValue> {
    const calls = await this.#calls.snapshot();
    return { calls: calls as unknown as ConfigValue, mail: this.#messages.snapshot() };
  }

  restore(snapshot: ConfigValue): void {
    const { calls, mail } = (snapshot ?? {}) as { calls?: ConfigValue; mail?: ConfigValue };
    this.#collectives.forgetOverlapping();
    this.#calls.restore(asCallsSnapshot(calls));
    this.#messages.restore(mail ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const error = new RunError("The communicator was closed.");
    const broken = this.#collectives.close(error);
    this.#messages.close(error);
    await this.#mesh?.leave(broken);
    await this.#mesh?.[Symbol.asyncDispose]();
    this.#shaper?.[Symbol.dispose]();
  }
}

/**
 * Joins the other processes of a run; ends when all are connected.
 * @throws ConfigError if the address cannot be listened on; RunError if the others are not there in time, or refuse
 */
export function joinTcpWorld(options: TcpWorldOptions): Promise<TcpWorld> {
  return new World(options).join();
}
