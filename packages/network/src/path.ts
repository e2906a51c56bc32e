// A path: the links from one node to another, reduced to what a transfer needs. It counts its transfers, because that
// number names their random draws.

import { type Random, type Rank, seconds } from "@atoll/core";
import { drawLosses, TransferDraws } from "./draws.ts";
import type { Link } from "./link.ts";
import { SEGMENT_SIZE, type TcpModel, windowRate } from "./tcp.ts";

/** One transfer after chance had its say. */
export interface Drawn {
  /** Seconds before the first byte takes bandwidth, round trips of retransmission included. */
  readonly delay: number;
  /** Bytes on the wire, those sent again included. */
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
  /** Transfers so far. */
  transfers = 0;
  /** Seconds before the first byte takes bandwidth, without jitter and loss. */
  readonly delay: number;
  readonly #latency: number;
  readonly #latencyFactor: number;
  readonly #jittery: boolean;
  readonly #loss: number;
  readonly #draws: TransferDraws;

  constructor({ source, target, links, resources, capacity, tcp, random }: PathOptions) {
    this.target = target;
    this.links = links;
    this.resources = resources;
    this.#latency = links.reduce((sum, link) => sum + link.latency, 0);
    this.#latencyFactor = tcp.latencyFactor;
    this.delay = this.#latency * tcp.latencyFactor;
    this.rate = Math.min(capacity, windowRate(tcp, seconds(this.#latency)));
    this.#jittery = links.some((link) => link.jitter > 0 && link.latency > 0);
    this.#loss = 1 - links.reduce((kept, link) => kept * (1 - link.loss), 1);
    this.#draws = new TransferDraws(random.derive("transfers", source, target).key);
  }

  /** The next transfer of `size` bytes. */
  draw(size: number): Drawn {
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
