// A path: the links from one node to another, reduced to what a transfer needs. It counts its transfers, because that
// number names their random draws, and with slow start it knows how far its connection has come. Over a single link it draws
// for several transfers ahead: a ring among 4,096 nodes makes 33 million, nearly all of which lose nothing.

import { invariant, type Random, type Rank, seconds } from "@atoll/core";
import { type Drawn, drawLosses, MOST_AHEAD, TransferDraws } from "./draws.ts";
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
  readonly #certain: boolean;
  /** Whether what chance does to the next transfers is drawn before their sizes are known. */
  readonly #foreseeable: boolean;
  /** Of the transfers from `#aheadFrom` on: the delay in seconds and the bytes up to which nothing is lost (−1: ask). */
  #ahead = new Float64Array(0);
  #aheadFrom = 0;

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
    this.#certain = !this.#jittery && this.#loss === 0 && !tcp.slowStart;
    this.#foreseeable = links.length === 1 && !tcp.slowStart;
    this.#draws = new TransferDraws(random.derive("transfers", source, target).key);
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
    if (this.#certain) return { delay: this.delay, size, limit: UNLIMITED };
    if (this.#foreseeable) {
      let place = 2 * (transfer - this.#aheadFrom);
      if (place < 0 || place >= this.#ahead.length) {
        this.#lookAhead(transfer);
        place = 0;
      }
      const delay = this.#ahead[place]!;
      if (size <= this.#ahead[place + 1]!) return { delay, size, limit: UNLIMITED };
    }
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

  /**
   * Draws for the transfers from this one on, twice as many each time that the ones drawn before are used up, so that few
   * are drawn in vain.
   */
  #lookAhead(transfer: number): void {
    const before = this.#ahead.length / 2;
    const follows = transfer === this.#aheadFrom + before;
    const count = follows ? Math.min(Math.max(1, 2 * before), MOST_AHEAD) : 1;
    if (count !== before) this.#ahead = new Float64Array(2 * count);
    this.#aheadFrom = transfer;
    // A transfer of n packets loses none if its number is at least −n log(1 − loss) (drawLosses). Where rounding could
    // decide, the transfer is left to drawLosses itself.
    const packets = (1 - 1e-9) / -Math.log1p(-this.#loss);
    const { delay } = this;
    const latency = this.#latency;
    const factor = this.#latencyFactor;
    const swing = this.links[0]!.latency * this.links[0]!.jitter;
    const jittery = this.#jittery;
    const place = jittery ? 1 : 0;
    const lossy = this.#loss > 0;
    const ahead = this.#ahead;
    this.#draws.fillFirstTwo(transfer, ahead);
    for (let i = 0; i < ahead.length; i += 2) {
      const lossless = lossy ? Math.floor(packets * ahead[i + place]!) : Number.POSITIVE_INFINITY;
      ahead[i] = jittery ? (latency + swing * (2 * ahead[i]! - 1)) * factor : delay;
      ahead[i + 1] = lossless < 1 ? -1 : lossless * SEGMENT_SIZE;
    }
  }
}
