// A path: the links from one node to another, reduced to what a transfer needs. It counts its transfers, because that
// number names their random draws, and with slow start it knows how far its connection has come.

import { type Random, type Rank, seconds } from "@atoll/core";
import { drawLosses, TransferDraws } from "./draws.ts";
import type { Link } from "./link.ts";
import { Connection, type ConnectionState } from "./slowStart.ts";
import { flowRate, SEGMENT_SIZE, shareWeight, type TcpModel } from "./tcp.ts";

/** Transfers so far; with slow start, the state of the connection as well. JSON. */
export type PathSnapshot = number | readonly [transfers: number, ...connection: ConnectionState];

/** One transfer after chance had its say. */
export interface Drawn {
  /** Seconds before bytes take bandwidth, round trips of retransmission and slow start included. */
  readonly delay: number;
  /** Bytes that take bandwidth, those sent again included. */
  readonly size: number;
}

export interface PathOptions {
  readonly source: Rank;
  readonly target: Rank;
  readonly links: readonly Link[];
  /** Numbers of the capacities that the path takes: its links' directions and the NICs of the nodes it goes through. */
  readonly resources: Int32Array;
  /** The least of those capacities, in bytes per second. */
  readonly capacity: number;
  readonly tcp: TcpModel;
  readonly random: Random;
}

export class Path {
  readonly target: Rank;
  readonly links: readonly Link[];
  readonly resources: Int32Array;
  /** The rate of a transfer that has the path to itself: its least capacity or its window's, in bytes per second. */
  readonly rate: number;
  /** The path's part of a shared capacity is in proportion to this. */
  readonly weight: number;
  /** Transfers so far. */
  transfers = 0;
  /** Seconds before the first byte takes bandwidth, without jitter and loss. */
  readonly delay: number;
  readonly #latency: number;
  readonly #latencyFactor: number;
  readonly #jittery: boolean;
  readonly #loss: number;
  readonly #draws: TransferDraws;
  readonly #connection: Connection | undefined;

  constructor({ source, target, links, resources, capacity, tcp, random }: PathOptions) {
    this.target = target;
    this.links = links;
    this.resources = resources;
    this.#latency = links.reduce((sum, link) => sum + link.latency, 0);
    this.#latencyFactor = tcp.latencyFactor;
    this.delay = this.#latency * tcp.latencyFactor;
    this.#loss = 1 - links.reduce((kept, link) => kept * (1 - link.loss), 1);
    this.rate = Math.min(capacity, flowRate(tcp, seconds(this.#latency), this.#loss));
    this.weight = shareWeight(tcp, seconds(this.#latency));
    this.#connection = tcp.slowStart ? new Connection(2 * this.#latency, this.rate, tcp.flows) : undefined;
    this.#jittery = links.some((link) => link.jitter > 0 && link.latency > 0);
    this.#draws = new TransferDraws(random.derive("transfers", source, target).key);
  }

  snapshot(): PathSnapshot {
    return this.#connection === undefined ? this.transfers : [this.transfers, ...this.#connection.state];
  }

  restore(snapshot: PathSnapshot): void {
    const [transfers, ...connection] = typeof snapshot === "number" ? ([snapshot, 0, 0] as const) : snapshot;
    this.transfers = transfers;
    if (this.#connection !== undefined) this.#connection.state = connection;
  }

  /** The next transfer, of `size` bytes, begun at a moment of simulated time. */
  draw(size: number, at: number): Drawn {
    const drawn = this.#drawLosses(size);
    return this.#connection === undefined ? drawn : this.#connection.transfer(drawn, at);
  }

  #drawLosses(size: number): Drawn {
    const draws = this.#draws;
    draws.seek(this.transfers++);
    let latency = this.#latency;
    if (this.#jittery)
      for (const link of this.links) latency += link.latency * link.jitter * (2 * draws.uniform() - 1);
    const delay = latency * this.#latencyFactor;
    if (this.#loss === 0) return { delay, size };
    const packets = Math.max(1, Math.ceil(size / SEGMENT_SIZE));
    let roundTrips = 0;
    let again = 0;
    for (let lost = packets; ; roundTrips++) {
      lost = drawLosses(lost, this.#loss, draws);
      if (lost === 0) break;
      again += lost;
    }
    return { delay: delay + roundTrips * 2 * this.#latency, size: size * (1 + again / packets) };
  }
}
