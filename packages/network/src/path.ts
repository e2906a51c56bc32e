// A path: the links from one node to another, reduced to what a transfer needs. It counts its transfers, because that
// number names their random draws, and with slow start it knows how far its connection has come.

import { invariant, type Random, type RandomKey, type Rank, seconds } from "@atoll/core";
import { type Drawn, drawLosses, TransferDraws } from "./draws.ts";
import type { Link } from "./link.ts";
import { LossyConnection } from "./lossyConnection.ts";
import { Connection } from "./slowStart.ts";
import { flowRate, SEGMENT_SIZE, shareWeight, type TcpModel } from "./tcp.ts";

/** Transfers so far; with slow start or windows by rounds, the state of the connection as well. JSON. */
export type PathSnapshot = number | readonly [transfers: number, ...connection: readonly number[]];

const UNLIMITED = Number.POSITIVE_INFINITY;

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

/** What one number of each transfer over a single link makes of it. Uniform numbers: on [0, 1). */
export interface Chances {
  /** Of the transfers' numbers (TransferDraws). */
  readonly key: RandomKey;
  /** Seconds. The delay is (latency + swing · (2u − 1)) · factor, with the first number u. */
  readonly latency: number;
  readonly swing: number;
  readonly factor: number;
  /** Which number says how many packets get through: the second, or the first where no delay is drawn. */
  readonly lossWord: 0 | 1;
  /**
   * Times that number: packets of which none is lost. By drawLosses n packets lose none if it is at least
   * −n log(1 − loss); this is so much less that rounding cannot decide. Without loss it is as large as numbers are.
   */
  readonly packets: number;
}

export class Path {
  readonly source: Rank;
  readonly target: Rank;
  readonly links: readonly Link[];
  readonly resources: Int32Array;
  /** The rate of a transfer that has the path to itself: its least capacity or its window's, in bytes per second. */
  readonly rate: number;
  /** What window and loss leave of it, whatever the capacities. */
  readonly ceiling: number;
  /** The rate that transfers have on average: less than `rate` where each one's own is drawn. */
  readonly meanRate: number;
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
  readonly #lossy: LossyConnection | undefined;
  /** Whether nothing about a transfer is left to chance or to the connection. */
  readonly isCertain: boolean;
  /** Undefined where all is certain, or only `draw` knows. */
  readonly chances: Chances | undefined;

  constructor({ source, target, links, resources, capacity, tcp, random }: PathOptions) {
    this.source = source;
    this.target = target;
    this.links = links;
    this.resources = resources;
    this.#latency = links.reduce((sum, link) => sum + link.latency, 0);
    this.#latencyFactor = tcp.latencyFactor;
    this.delay = this.#latency * tcp.latencyFactor;
    this.#loss = 1 - links.reduce((kept, link) => kept * (1 - link.loss), 1);
    const mean = flowRate(tcp, seconds(this.#latency), this.#loss);
    this.ceiling = tcp.mode === "rounds" ? flowRate(tcp, seconds(this.#latency), 0) : mean;
    this.rate = Math.min(capacity, this.ceiling);
    this.meanRate = Math.min(capacity, mean);
    this.weight = shareWeight(tcp, seconds(this.#latency));
    if (tcp.mode === "rounds") this.#lossy = this.#createLossy(tcp);
    else if (tcp.slowStart) this.#connection = new Connection(2 * this.#latency, this.rate, tcp.flows);
    this.#jittery = links.some((link) => link.jitter > 0 && link.latency > 0);
    this.isCertain = !this.#jittery && this.#loss === 0 && !tcp.slowStart;
    const { key } = random.derive("transfers", source, target);
    this.#draws = new TransferDraws(key);
    this.chances = this.#chances(key, tcp);
  }

  snapshot(): PathSnapshot {
    const connection = this.#connection ?? this.#lossy;
    return connection === undefined ? this.transfers : [this.transfers, ...connection.state];
  }

  restore(snapshot: PathSnapshot): void {
    const [transfers, ...state] = typeof snapshot === "number" ? ([snapshot] as const) : snapshot;
    this.transfers = transfers;
    const connection = this.#connection ?? this.#lossy;
    if (connection !== undefined) connection.state = state;
  }

  /** Since when the connection is idle, where the rate was not what `draw` took it to be. */
  set idleSince(time: number) {
    const connection = this.#connection ?? this.#lossy;
    if (connection !== undefined) connection.idleSince = time;
  }

  /** The next transfer, of `size` bytes, begun at a moment of simulated time. */
  draw(size: number, at: number): Drawn {
    const transfer = this.transfers++;
    if (this.isCertain) return { delay: this.delay, size, limit: UNLIMITED };
    if (this.#lossy !== undefined) return this.#drawFlights(this.#lossy, transfer, size, at);
    const drawn = this.#drawLosses(transfer, size);
    return this.#connection === undefined ? drawn : this.#connection.transfer(drawn, at);
  }

  #drawLosses(transfer: number, size: number): Drawn {
    const draws = this.#draws;
    draws.seek(transfer);
    const delay = this.#drawDelay();
    if (this.#loss === 0) return { delay, size, limit: UNLIMITED };
    const packets = Math.max(1, Math.ceil(size / SEGMENT_SIZE));
    let roundTrips = 0;
    let again = 0;
    for (let lost = packets; ; roundTrips++) {
      lost = drawLosses(lost, this.#loss, draws);
      if (lost === 0) break;
      again += lost;
    }
    return {
      delay: delay + roundTrips * 2 * this.#latency,
      size: size * (1 + again / packets),
      limit: UNLIMITED,
    };
  }

  #createLossy({ congestion, flows }: TcpModel): LossyConnection {
    invariant(congestion !== "none", "windows by rounds without congestion control");
    return new LossyConnection({
      control: congestion,
      flows,
      roundTrip: 2 * this.#latency,
      swing: this.links.reduce((sum, link) => sum + link.latency * link.jitter, 0),
      loss: this.#loss,
      rate: this.rate,
    });
  }

  #drawFlights(connection: LossyConnection, transfer: number, size: number, at: number): Drawn {
    this.#draws.seek(transfer);
    return connection.transfer(this.#drawDelay(), size, at, this.#draws);
  }

  /** Seconds before the first byte takes bandwidth, by the next of the random numbers. */
  #drawDelay(): number {
    if (!this.#jittery) return this.delay;
    let latency = this.#latency;
    for (const link of this.links) latency += link.latency * link.jitter * (2 * this.#draws.uniform() - 1);
    return latency * this.#latencyFactor;
  }

  #chances(key: RandomKey, tcp: TcpModel): Chances | undefined {
    if (this.isCertain || this.links.length > 1 || tcp.slowStart) return undefined;
    const [{ latency, jitter }] = this.links as readonly [Link];
    return {
      key,
      latency: this.#latency,
      swing: this.#jittery ? latency * jitter : 0,
      factor: this.#latencyFactor,
      lossWord: this.#jittery ? 1 : 0,
      packets: this.#loss === 0 ? Number.MAX_VALUE : (1 - 1e-9) / -Math.log1p(-this.#loss),
    };
  }
}
