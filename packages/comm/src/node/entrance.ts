// How a rank comes into the world: it listens, meets the others at rank 0's rendezvous, and says who it is. What happens on the
// connections that are made then is the mesh's business.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError, type Rank, RunError } from "@atoll/core";
import { listed } from "@atoll/network";
import type { HashBlocks } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { Kind } from "./frame.ts";
import type { Introduction, Refusal } from "./greeting.ts";
import { Listener } from "./listener.ts";
import { type Address, notes, packNote, type Table } from "./note.ts";
import { Rendezvous } from "./rendezvous.ts";

export interface EntranceOptions {
  readonly rank: Rank;
  readonly worldSize: number;
  readonly master: { readonly host: string; readonly port: number };
  readonly listenHost?: string | undefined;
  readonly advertisedHost?: string | undefined;
  readonly runId: string;
  readonly token: string;
  readonly epoch: number;
  readonly hashBlocks?: HashBlocks | undefined;
  readonly joinTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type SetOnEnd = (onEnd: (cause: string) => void) => void;

export interface EntranceUser {
  epoch(): number;
  isLost(rank: Rank): boolean;
  /** Rank 0: a rank that was lost is back. */
  onReturn(rank: Rank, address: Address): void;
  /** A rank has dialled this one, to exchange. @returns why it is not welcome */
  onPeer(connection: Connection, introduction: Introduction, setOnEnd: SetOnEnd): Refusal | undefined;
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");

export class Entrance implements AsyncDisposable {
  readonly #options: EntranceOptions;
  readonly #user: EntranceUser;
  readonly #life: string = randomUUID();
  readonly #closing = new AbortController();
  #listener: Listener | undefined;
  #haveJoined = false;
  #rendezvous: Rendezvous | undefined;

  constructor(options: EntranceOptions, user: EntranceUser) {
    this.#options = options;
    this.#user = user;
  }

  /** Where this rank listens, once it does. */
  get port(): number {
    return this.#listener!.port;
  }

  /** Whoever connects gives up when this is aborted: once all have joined, at the end of the world only. */
  get signal(): AbortSignal {
    const { signal } = this.#options;
    return signal === undefined || this.#haveJoined
      ? this.#closing.signal
      : AbortSignal.any([signal, this.#closing.signal]);
  }

  /** Begins to listen. @throws ConfigError if that is not possible where it is asked for */
  async open(): Promise<void> {
    const { rank, worldSize, master, listenHost } = this.#options;
    if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize))
      throw new ConfigError(`Expected a rank from 0 to ${worldSize - 1}, got ${rank}.`);
    if (rank === 0 && listenHost === undefined && !isLoopback(master.host))
      throw new ConfigError(
        `Rank 0 listens on this machine only, and the master address is ${master.host}. Say where it is to listen (listenHost): 0.0.0.0 is everywhere.`,
      );
    this.#listener = await this.#listen();
  }

  /** Ends when all ranks have come, with where they are. @throws RunError if they do not come in time */
  async meet(): Promise<Table> {
    const { rank, worldSize, master, advertisedHost = master.host, joinTimeoutMs } = this.#options;
    if (rank !== 0) return this.#fetchTable();
    const { epoch, isLost, onReturn } = this.#user;
    const own = { host: advertisedHost, port: this.port, life: this.#life };
    const rendezvous = new Rendezvous({ worldSize, own, epoch, isLost, onReturn });
    this.#rendezvous = rendezvous;
    return this.inTime(
      rendezvous.complete,
      joinTimeoutMs,
      () =>
        `${listed("rank", rendezvous.missing)} did not join within ${joinTimeoutMs / 1000} s. Check that all processes run and reach ${master.host}:${this.port}.`,
    );
  }

  #listen(): Promise<Listener> {
    const {
      rank,
      worldSize,
      master,
      listenHost = "127.0.0.1",
      runId,
      token,
      hashBlocks,
      joinTimeoutMs,
    } = this.#options;
    return Listener.open({
      host: listenHost,
      port: rank === 0 ? master.port : 0,
      runId,
      token,
      hashBlocks,
      mostStrangers: 2 * worldSize + 16,
      greetingTimeoutMs: Math.min(joinTimeoutMs, 5000),
      onIntroduction: (connection, introduction, setOnEnd) =>
        introduction.purpose === "join"
          ? this.#acceptJoin(connection, introduction, setOnEnd)
          : this.#user.onPeer(connection, introduction, setOnEnd),
    });
  }

  async inTime<T>(promise: Promise<T>, timeoutMs: number, describe: () => string): Promise<T> {
    const done = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: AbortSignal.any([this.signal, done.signal]) }).then(
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

  introduction(purpose: Introduction["purpose"], host: string): Introduction {
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
      introduction: this.introduction("join", advertisedHost ?? (isEverywhere ? "" : listenHost)),
      token,
      whom,
      timeoutMs: joinTimeoutMs,
      signal: this.signal,
      onEnd: (cause) => reject(new RunError(`Lost ${whom} while waiting for the other ranks: ${cause}.`)),
    });
    connection.admit(
      notes((note) => {
        if (note.type === "table") resolve(note);
      }),
    );
    connection.write({ kind: Kind.control }, packNote({ type: "ready" }));
    try {
      return await this.inTime(
        promise,
        joinTimeoutMs,
        () => `The other ranks did not join at ${whom} within ${joinTimeoutMs / 1000} s.`,
      );
    } finally {
      connection.finish("it has what it needs");
    }
  }

  #acceptJoin(connection: Connection, introduction: Introduction, setOnEnd: SetOnEnd): Refusal | undefined {
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

  /** All have joined: who connects from here on is back. */
  joined(): void {
    this.#haveJoined = true;
  }

  /** Whoever connects gives up. */
  stop(): void {
    this.#closing.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.#listener?.[Symbol.asyncDispose]();
  }
}
