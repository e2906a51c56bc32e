// The connections of one rank to all others: made through the rendezvous, watched by heartbeats, given up when one ends, and
// made anew when a rank comes back. What the frames mean is its user's business.

import { type Rank, RunError } from "@atoll/core";
import { listed } from "@atoll/network";
import type { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { Entrance, type EntranceOptions, type SetOnEnd } from "./entrance.ts";
import { type Frame, Kind } from "./frame.ts";
import type { FrameHandler } from "./frameReader.ts";
import type { Introduction, Refusal } from "./greeting.ts";
import { type Address, type Note, notes, packNote, type Table } from "./note.ts";
import { type Landing, Peer } from "./peer.ts";
import type { Shaper } from "./shaper.ts";

export interface MeshOptions extends EntranceOptions {
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  /** What makes bulk feel the network's conditions. */
  readonly shaper?: Shaper | undefined;
  /** Milliseconds since whenever. */
  readonly nowMs: () => number;
  /** The port that this rank listens on is known. */
  readonly onListening?: ((port: number) => void) | undefined;
}

/** What a mesh does with what comes, and with what goes wrong. */
export interface MeshUser {
  readonly epoch: number;
  /** Undefined if nobody wants it. */
  bulk(rank: Rank, frame: Frame): Landing | undefined;
  note(rank: Rank, note: Note, body: Uint8Array): void;
  /** @param cause the end of a sentence about the rank */
  lost(rank: Rank, cause: string): void;
  /** A rank is about to be lost because it leaves. @param broken names of collectives that it has not brought to their end */
  leaves(rank: Rank, broken: readonly string[]): void;
  returned(rank: Rank): void;
}

const NOTHING = new Uint8Array(0);

export class Mesh implements AsyncDisposable {
  readonly #options: MeshOptions;
  readonly #user: MeshUser;
  readonly #entrance: Entrance;
  readonly #peers = new Map<Rank, Peer>();
  /** Why ranks are lost. */
  readonly #lost = new Map<Rank, string>();
  #isClosed = false;
  #addresses: readonly (Address | null)[] = [];
  #connected: PromiseWithResolvers<void> = Promise.withResolvers();
  #heartbeat: NodeJS.Timeout | undefined;
  #lastBeatMs = 0;
  #epochAtJoin = 0;
  #isJoined = false;
  #isLeaving = false;
  #onAllGone: (() => void) | undefined;

  private constructor(options: MeshOptions, user: MeshUser) {
    this.#options = options;
    this.#user = user;
    this.#entrance = new Entrance(options, {
      epoch: () => (this.#isJoined ? user.epoch : options.epoch),
      isLost: (rank) => this.#lost.has(rank),
      onReturn: (rank, address) => this.#welcomeBack(rank, address),
      onPeer: (...introduced) => this.#acceptPeer(...introduced),
    });
    this.#connected.promise.catch(() => undefined);
  }

  /** @throws ConfigError if the address cannot be listened on, RunError if the others are not there in time */
  static async join(options: MeshOptions, user: MeshUser): Promise<Mesh> {
    const mesh = new Mesh(options, user);
    try {
      await mesh.#join();
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The others' epoch when this rank joined. */
  get epochAtJoin(): number {
    return this.#epochAtJoin;
  }

  get port(): number {
    return this.#entrance.port;
  }

  async #join(): Promise<void> {
    const { signal, onListening, nowMs, heartbeatMs } = this.#options;
    signal?.throwIfAborted();
    await this.#entrance.open();
    onListening?.(this.port);
    const table = await this.#entrance.meet();
    this.#epochAtJoin = table.epoch;
    await this.#connectAll(table);
    this.#isJoined = true;
    this.#entrance.joined();
    this.#lastBeatMs = nowMs();
    for (const peer of this.#peers.values()) peer.lastHeardMs = this.#lastBeatMs;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
  }

  async #connectAll({ addresses }: Table): Promise<void> {
    this.#addresses = addresses;
    const { rank, joinTimeoutMs, worldSize } = this.#options;
    const others = Array.from({ length: worldSize }, (_, other) => other).filter((other) => other !== rank);
    for (const other of others)
      if (addresses[other] === null) this.#lost.set(other, "it was not there when this rank joined");
    const present = others.filter((other) => !this.#lost.has(other));
    this.#checkConnected();
    await Promise.all(present.map((other) => this.#connect(other)));
    await this.#entrance.inTime(this.#connected.promise, joinTimeoutMs, () => {
      const missing = present.filter((other) => !this.#peers.get(other)?.isConnected);
      return `${listed("rank", missing)} did not connect within ${joinTimeoutMs / 1000} s.`;
    });
  }

  #checkConnected(): void {
    const { worldSize, rank } = this.#options;
    for (let other = 0; other < worldSize; other++)
      if (other !== rank && !this.#lost.has(other) && !this.#peers.get(other)?.isConnected) return;
    this.#connected.resolve();
  }

  #peer(rank: Rank): Peer {
    const peer = this.#peers.get(rank) ?? new Peer(rank, this.#options.nowMs(), this.#options.shaper);
    this.#peers.set(rank, peer);
    return peer;
  }

  /** Dials a rank, for the bulk that comes from it. */
  async #connect(rank: Rank): Promise<void> {
    const { token, joinTimeoutMs, hashBlocks } = this.#options;
    const { host, port } = this.#addresses[rank]!;
    const peer = this.#peer(rank);
    const connection = await dial({
      target: { host, port },
      introduction: this.#entrance.introduction("peer", ""),
      token,
      whom: `rank ${rank} at ${host}:${port}`,
      timeoutMs: joinTimeoutMs,
      signal: this.#entrance.signal,
      hashBlocks,
      onEnd: (cause) => this.#lose(peer, cause),
    });
    connection.admit(this.#bulk(rank));
    peer.inbound = connection;
    peer.write({ kind: Kind.control }, packNote({ type: "ready" }));
    this.#connectedTo(peer);
  }

  #acceptPeer(
    connection: Connection,
    { rank, life, worldSize }: Introduction,
    setOnEnd: SetOnEnd,
  ): Refusal | undefined {
    const size = this.#options.worldSize;
    if (worldSize !== size || rank >= size || rank === this.#options.rank)
      return { reason: `Rank ${rank} of ${worldSize} is no other rank of this run.`, mayRetry: false };
    const known = this.#addresses[rank];
    if (this.#isJoined && known?.life !== life)
      return { reason: `Rank ${rank} has not joined this run anew.`, mayRetry: true };
    const peer = this.#peer(rank);
    if (peer.hasOutbound) return { reason: `Rank ${rank} is connected already.`, mayRetry: true };
    peer.outbound = connection;
    setOnEnd((cause) => this.#lose(peer, cause));
    connection.admit(
      notes((note, body) => {
        if (note.type === "ready") {
          peer.ready();
          this.#connectedTo(peer);
        } else this.#noted(rank, note, body);
      }),
    );
    return undefined;
  }

  #connectedTo(peer: Peer): void {
    if (!peer.isConnected) return;
    peer.lastHeardMs = this.#options.nowMs();
    const isReturn = this.#isJoined && this.#lost.delete(peer.rank);
    this.#checkConnected();
    if (isReturn) this.#user.returned(peer.rank);
  }

  #bulk(rank: Rank): FrameHandler {
    let landing: Landing | undefined;
    const { shaper } = this.#options;
    const atItsTime = shaper?.inOrder();
    return {
      place: (frame) => {
        landing = this.#user.bulk(rank, frame);
        return landing?.elements ?? new Uint8Array(frame.length);
      },
      // What is to count later is not touched now.
      digest: (frame) => (shaper === undefined || frame.due === 0 ? landing?.digest?.() : undefined),
      complete: (frame, _, digest) => {
        if (frame.kind === Kind.leave) {
          this.#said(rank, { isBulkOver: true });
          return;
        }
        const landed = frame.length === 0 ? this.#user.bulk(rank, frame) : landing;
        landing = undefined;
        if (shaper === undefined || frame.due === 0) landed?.complete(frame.due, digest);
        else {
          landed?.read?.();
          const at = shaper.arrival(frame.due, frame.length);
          atItsTime!(at, () => landed?.complete(at, digest));
        }
      },
    };
  }

  /** A rank leaves, and has said so on one connection or on both: by then all has come that it sent. */
  #said(rank: Rank, farewell: Partial<Peer["farewell"]>): void {
    const peer = this.#peers.get(rank);
    if (peer === undefined) return;
    const { broken, isBulkOver } = Object.assign(peer.farewell, farewell);
    if (broken === undefined || !isBulkOver) return;
    if (!this.#isLeaving) this.#user.leaves(rank, broken);
    this.#lose(peer, "it has left");
  }

  #noted(rank: Rank, note: Note, body: Uint8Array): void {
    if (note.type === "leave") this.#said(rank, { broken: note.broken });
    else if (note.type === "joined") this.#return(note.rank, note);
    else this.#user.note(rank, note, body);
  }

  /** Rank 0: a rank that was lost is back. */
  #welcomeBack(rank: Rank, address: Address): void {
    for (const other of this.#peers.keys())
      if (other !== rank && !this.#lost.has(other)) this.write(other, { type: "joined", rank, ...address });
    this.#return(rank, address);
  }

  #return(rank: Rank, address: Address): void {
    const peer = this.#peers.get(rank);
    if (peer !== undefined && !this.#lost.has(rank)) this.#lose(peer, "it has begun anew");
    this.#addresses = this.#addresses.map((known, other) => (other === rank ? address : known));
    // Whether it can be reached is seen by its being there or not; it may be lost again by then.
    this.#connect(rank).catch(() => undefined);
  }

  #lose(peer: Peer, cause: string): void {
    const { rank } = peer;
    if (this.#peers.get(rank) !== peer || this.#isClosed) return;
    this.#peers.delete(rank);
    if (this.#peers.size === 0) this.#onAllGone?.();
    const wasLost = this.#lost.has(rank);
    peer.end(cause);
    if (!this.#isJoined) {
      this.#connected.reject(new RunError(`Rank ${rank} was lost while the ranks connected: ${cause}.`));
      return;
    }
    if (wasLost) return;
    this.#lost.set(rank, cause);
    if (!this.#isLeaving) this.#user.lost(rank, cause);
  }

  #beat(): void {
    const { nowMs, heartbeatMs, timeoutMs } = this.#options;
    const now = nowMs();
    // Who was away itself has not heard the others either: what they sent meanwhile is yet to be read.
    const wasAway = now - this.#lastBeatMs > heartbeatMs + timeoutMs / 4;
    this.#lastBeatMs = now;
    for (const peer of this.#peers.values()) {
      peer.write({ kind: Kind.heartbeat });
      if (peer.takeHeard() || wasAway) peer.lastHeardMs = now;
      else if (now - peer.lastHeardMs > timeoutMs)
        this.#lose(peer, `nothing was heard of it for ${((now - peer.lastHeardMs) / 1000).toFixed(1)} s`);
    }
  }

  /** The rank as this one is connected to it; undefined while it is lost. */
  peer(rank: Rank): Peer | undefined {
    return this.#lost.has(rank) ? undefined : this.#peers.get(rank);
  }

  get losses(): readonly { readonly rank: Rank; readonly cause: string }[] {
    return [...this.#lost].map(([rank, cause]) => ({ rank, cause }));
  }

  lossOf(rank: Rank): string | undefined {
    return this.#lost.get(rank);
  }

  write(rank: Rank, note: Note, body?: Uint8Array): void {
    this.peer(rank)?.write({ kind: Kind.control }, packNote(note, body));
  }

  /**
   * Says good-bye after all that was sent before, and waits until the others have read that far and hung up, or are lost: what
   * this rank was done with they may still need.
   */
  async leave(broken: readonly string[]): Promise<void> {
    if (!this.#isJoined) return;
    this.#isLeaving = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAllGone = resolve;
    for (const peer of [...this.#peers.values()]) {
      peer.write({ kind: Kind.control }, packNote({ type: "leave", broken }));
      let isSaid = false;
      peer.add({
        next: () => {
          if (isSaid) return undefined;
          isSaid = true;
          return {
            fields: { kind: Kind.leave },
            payload: NOTHING,
            transfer: undefined,
            left: () => undefined,
          };
        },
      });
      peer.pump();
    }
    if (this.#peers.size > 0) await promise;
  }

  /** Closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat);
    this.#isClosed = true;
    this.#entrance.stop();
    const connections = [...this.#peers.values()].flatMap((peer) => peer.connections);
    await Promise.all(connections.map((connection) => connection[Symbol.asyncDispose]()));
    await this.#entrance[Symbol.asyncDispose]();
  }
}
