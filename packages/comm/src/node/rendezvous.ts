// How ranks find each other: all but rank 0 dial rank 0's address, say where they listen themselves, and wait there for the
// table of all addresses, which goes out when the last has come. Rank 0 keeps listening: a rank that was lost joins again in
// the same way, and is told who is there.

import type { Rank } from "@atoll/core";
import type { Connection } from "./connection.ts";
import { Kind } from "./frame.ts";
import type { Introduction, Refusal } from "./greeting.ts";
import { type Address, packNote, type Table } from "./note.ts";

const addressOf = ({ host, port, life }: Introduction): Address => ({ host, port, life });

export interface RendezvousOptions {
  readonly worldSize: number;
  /** Rank 0's own. */
  readonly own: Address;
  readonly epoch: () => number;
  /** Whether a rank that was there is lost. */
  readonly isLost: (rank: Rank) => boolean;
  /** A rank has come back. */
  readonly onReturn: (rank: Rank, address: Address) => void;
}

/** Rank 0's side. */
export class Rendezvous {
  readonly #options: RendezvousOptions;
  readonly #addresses: (Address | null)[];
  /** Who has been let in and is still connected to be told the table. */
  readonly #reserved = new Map<Rank, Connection>();
  /** Ranks that wait for the table. */
  readonly #waiting = new Map<Rank, Connection>();
  readonly #complete = Promise.withResolvers<Table>();
  #isComplete = false;

  constructor(options: RendezvousOptions) {
    this.#options = options;
    this.#addresses = new Array(options.worldSize).fill(null);
    this.#addresses[0] = options.own;
    this.#complete.promise.catch(() => undefined);
    this.#check();
  }

  /** Ends when all have come. */
  get complete(): Promise<Table> {
    return this.#complete.promise;
  }

  /** Ranks that have not come. */
  get missing(): readonly Rank[] {
    return this.#addresses.flatMap((address, rank) => (address === null ? [rank] : []));
  }

  #table(): Table {
    return { type: "table", epoch: this.#options.epoch(), addresses: [...this.#addresses] };
  }

  /** Keeps a rank's place for it. @returns why it cannot join now; undefined if it can */
  reserve(introduction: Introduction, connection: Connection): Refusal | undefined {
    const refusal = this.#refusal(introduction);
    if (refusal === undefined) this.#reserved.set(introduction.rank, connection);
    return refusal;
  }

  #refusal({ rank, worldSize }: Introduction): Refusal | undefined {
    const size = this.#options.worldSize;
    if (worldSize !== size)
      return { reason: `This run has ${size} ranks, not ${worldSize}.`, mayRetry: false };
    if (rank >= size) return { reason: `Rank ${rank} is not one of 0 to ${size - 1}.`, mayRetry: false };
    if (rank === 0) return { reason: "Rank 0 is this process.", mayRetry: false };
    const isFree = this.#isComplete ? this.#options.isLost(rank) : this.#addresses[rank] === null;
    if (isFree && !this.#reserved.has(rank)) return undefined;
    // One that has crashed may be back before its loss is noticed.
    return { reason: `Rank ${rank} is with this run already.`, mayRetry: this.#isComplete };
  }

  /** A rank that may join has said that it waits for the table. */
  add(introduction: Introduction, connection: Connection): void {
    const { rank } = introduction;
    const address = addressOf(introduction);
    this.#addresses[rank] = address;
    if (this.#isComplete) {
      const table = this.#table();
      const there = (_: unknown, other: Rank): boolean => other === rank || !this.#options.isLost(other);
      send(connection, {
        ...table,
        addresses: table.addresses.map((a, other) => (there(a, other) ? a : null)),
      });
      this.#options.onReturn(rank, address);
      return;
    }
    this.#waiting.set(rank, connection);
    this.#check();
  }

  /** A rank that waited has gone. */
  remove(rank: Rank, connection: Connection): void {
    if (this.#reserved.get(rank) !== connection) return;
    this.#reserved.delete(rank);
    if (this.#isComplete || this.#waiting.get(rank) !== connection) return;
    this.#waiting.delete(rank);
    this.#addresses[rank] = null;
  }

  #check(): void {
    if (this.missing.length > 0) return;
    this.#isComplete = true;
    const table = this.#table();
    for (const connection of this.#waiting.values()) send(connection, table);
    this.#waiting.clear();
    this.#complete.resolve(table);
  }
}

const send = (connection: Connection, table: Table): void =>
  connection.write({ kind: Kind.control }, packNote(table));
