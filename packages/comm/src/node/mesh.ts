// The connections of one rank to all others: made through the rendezvous, watched by heartbeats, given up when one ends, and
// made anew when a rank comes back. What the frames mean is its user's business.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError, type Rank, RunError } from "@atoll/core";
import { listed } from "@atoll/network";
import type { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { type Frame, Kind } from "./frame.ts";
import type { FrameHandler } from "./frameReader.ts";
import type { Introduction, Refusal } from "./greeting.ts";
import { Listener } from "./listener.ts";
import { type Note, packNote, unpackNote } from "./note.ts";
import { Peer } from "./peer.ts";
import { type Address, Rendezvous, type Table } from "./rendezvous.ts";
import type { Shaper } from "./shaper.ts";

export interface MeshOptions {
  readonly rank: Rank;
  readonly worldSize: number;
  readonly master: { readonly host: string; readonly port: number };
  readonly listenHost?: string | undefined;
  readonly advertisedHost?: string | undefined;
  readonly runId: string;
  readonly token: string;
  readonly epoch: number;
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
  readonly joinTimeoutMs: number;
  /** What makes bulk feel the network's conditions. */
  readonly shaper?: Shaper | undefined;
  /** Milliseconds since whenever. */
  readonly nowMs: () => number;
  readonly signal?: AbortSignal | undefined;
  /** The port that rank 0 listens on is known. */
  readonly onListening?: ((port: number) => void) | undefined;
}

/** Where the payload of a frame of bulk is to lie, and what to call when it is there. */
export interface Landing {
  readonly elements: Uint8Array;
  /** @param at moment at which it counts as arrived; 0 where nothing is shaped */
  complete(at: number): void;
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

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");

export class Mesh implements AsyncDisposable {
  readonly #options: MeshOptions;
  readonly #user: MeshUser;
  readonly #life: string = randomUUID();
  readonly #peers = new Map<Rank, Peer>();
  /** Why ranks are lost. */
  readonly #lost = new Map<Rank, string>();
  readonly #closing = new AbortController();
  #listener: Listener | undefined;
  #rendezvous: Rendezvous | undefined;
  #addresses: readonly (Address | null)[] = [];
  #connected: PromiseWithResolvers<void> = Promise.withResolvers();
  #heartbeat: NodeJS.Timeout | undefined;
  #lastBeatMs = 0;
  #isJoined = false;
  #isLeaving = false;
  #onAllGone: (() => void) | undefined;

  private constructor(options: MeshOptions, user: MeshUser) {
    this.#options = options;
    this.#user = user;
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

  get port(): number {
    return this.#listener!.port;
  }

  get #signal(): AbortSignal {
    const { signal } = this.#options;
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  async #join(): Promise<void> {
    const { rank, worldSize, master, listenHost, epoch, joinTimeoutMs, signal, onListening } = this.#options;
    signal?.throwIfAborted();
    if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
      throw new ConfigError(`Expected a rank from 0 to ${worldSize - 1}, got ${rank}.`);
    if (rank === 0 && listenHost === undefined && !isLoopback(master.host))
      throw new ConfigError(
        `Rank 0 listens on this machine only, and the master address is ${master.host}. Say where it is to listen (listenHost): 0.0.0.0 is everywhere.`,
      );
    this.#listener = await this.#listen();
    onListening?.(this.port);
    let table: Table;
    if (rank === 0) {
      this.#rendezvous = new Rendezvous({
        worldSize,
        own: { host: this.#options.advertisedHost ?? master.host, port: this.port, life: this.#life },
        epoch: () => (this.#isJoined ? this.#user.epoch : epoch),
        isLost: (other) => this.#lost.has(other),
        onReturn: (other, address) => this.#welcomeBack(other, address),
      });
      table = await this.#inTime(
        this.#rendezvous.complete,
        joinTimeoutMs,
        () =>
          `${listed("rank", this.#rendezvous!.missing)} did not join within ${joinTimeoutMs / 1000} s. Check that all processes run and reach ${master.host}:${this.port}.`,
      );
    } else table = await this.#fetchTable();
    await this.#connectAll(table);
    this.#isJoined = true;
    this.#lastBeatMs = this.#options.nowMs();
    for (const peer of this.#peers.values()) peer.lastHeardMs = this.#lastBeatMs;
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatMs);
  }

  #listen(): Promise<Listener> {
    const { rank, worldSize, master, listenHost = "127.0.0.1", runId, token, joinTimeoutMs } = this.#options;
    return Listener.open({
      host: listenHost,
      port: rank === 0 ? master.port : 0,
      runId,
      token,
      mostStrangers: 2 * worldSize + 16,
      greetingTimeoutMs: Math.min(joinTimeoutMs, 5000),
      onIntroduction: (connection, introduction, setOnEnd) =>
        introduction.purpose === "join"
          ? this.#acceptJoin(connection, introduction, setOnEnd)
          : this.#acceptPeer(connection, introduction, setOnEnd),
    });
  }

  async #inTime<T>(promise: Promise<T>, timeoutMs: number, describe: () => string): Promise<T> {
    const done = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: AbortSignal.any([this.#signal, done.signal]) }).then(
      () => {
        throw new RunError(describe());
      },
      () => {
        this.#options.signal?.throwIfAborted();
        throw new RunError("The communicator was closed.");
      },
    );
    late.catch(() => undefined);
    try {
      return await Promise.race([promise, late]);
    } finally {
      done.abort();
    }
  }

  #introduction(purpose: Introduction["purpose"], host: string): Introduction {
    const { rank, worldSize, runId } = this.#options;
    return { purpose, rank, worldSize, runId, life: this.#life, host, port: this.port };
  }

  async #fetchTable(): Promise<Table> {
    const { master, token, joinTimeoutMs, listenHost = "127.0.0.1", advertisedHost } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Table>();
    promise.catch(() => undefined);
    const whom = `rank 0 at ${master.host}:${master.port}`;
    const isEverywhere = listenHost === "0.0.0.0" || listenHost === "::";
    const connection = await dial({
      target: master,
      introduction: this.#introduction("join", advertisedHost ?? (isEverywhere ? "" : listenHost)),
      token,
      whom,
      timeoutMs: joinTimeoutMs,
      signal: this.#signal,
      onEnd: (cause) => reject(new RunError(`Lost ${whom} while waiting for the other ranks: ${cause}.`)),
    });
    connection.admit(
      notes((note) => {
        if (note.type === "table") resolve(note);
      }),
    );
    connection.write({ kind: Kind.control }, packNote({ type: "ready" }));
    try {
      return await this.#inTime(
        promise,
        joinTimeoutMs,
        () => `The other ranks did not join at ${whom} within ${joinTimeoutMs / 1000} s.`,
      );
    } finally {
      connection.finish("it has what it needs");
    }
  }

  #acceptJoin(
    connection: Connection,
    introduction: Introduction,
    setOnEnd: (onEnd: (cause: string) => void) => void,
  ): Refusal | undefined {
    const rendezvous = this.#rendezvous;
    if (rendezvous === undefined)
      return { reason: "This is not rank 0: join at the master address.", mayRetry: false };
    const refusal = rendezvous.reserve(introduction, connection);
    if (refusal !== undefined) return refusal;
    const host = introduction.host || (connection.socket.remoteAddress ?? "");
    connection.admit(notes(() => rendezvous.add({ ...introduction, host }, connection)));
    setOnEnd(() => rendezvous.remove(introduction.rank, connection));
    return undefined;
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
    await this.#inTime(this.#connected.promise, joinTimeoutMs, () => {
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
    const { token, joinTimeoutMs } = this.#options;
    const { host, port } = this.#addresses[rank]!;
    const peer = this.#peer(rank);
    const connection = await dial({
      target: { host, port },
      introduction: this.#introduction("peer", ""),
      token,
      whom: `rank ${rank} at ${host}:${port}`,
      timeoutMs: joinTimeoutMs,
      signal: this.#signal,
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
    setOnEnd: (onEnd: (cause: string) => void) => void,
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
      complete: (frame) => {
        if (frame.kind === Kind.leave) {
          this.#said(rank, { isBulkOver: true });
          return;
        }
        const landed = frame.length === 0 ? this.#user.bulk(rank, frame) : landing;
        landing = undefined;
        if (shaper === undefined || frame.due === 0) landed?.complete(frame.due);
        else {
          const at = shaper.arrival(frame.due, frame.length);
          atItsTime!(at, () => landed?.complete(at));
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
    if (this.#peers.get(rank) !== peer || this.#closing.signal.aborted) return;
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
    this.#closing.abort();
    const connections = [...this.#peers.values()].flatMap((peer) => peer.connections);
    await Promise.all(connections.map((connection) => connection[Symbol.asyncDispose]()));
    await this.#listener?.[Symbol.asyncDispose]();
  }
}

/** A handler of control frames; heartbeats need no answer. */
const notes = (onNote: (note: Note, body: Uint8Array) => void): FrameHandler => ({
  place: (frame) => new Uint8Array(frame.length),
  complete(frame, payload) {
    if (frame.kind === Kind.heartbeat) return;
    if (frame.kind !== Kind.control)
      throw new RunError(`it sent a frame of kind ${frame.kind} the wrong way`);
    const { note, body } = unpackNote(payload);
    onNote(note, body);
  },
});
