// A path: the links from one node to another, reduced to what a transfer needs. It counts its transfers, because that
// number names their random draws, and with slow start it knows how far its connection has come.
// A full mesh of 1,000 nodes has a million of them: what follows from the rest is not kept, and numbers that change from path
// to path are few, since each takes room of its own.

import { ConfigError, invariant, type Random, type RandomKey, type Rank, seconds } from "@atoll/core";
import { type Drawn, drawLosses, TransferDraws } from "./draws.ts";
import type { Link } from "./link.ts";
import { LossyConnection } from "./lossyConnection.ts";
import { Connection } from "./slowStart.ts";
import { flowRate, SEGMENT_SIZE, shareWeight, type TcpModel } from "./tcp.ts";

/** Transfers so far; with slow start or windows by rounds, the state of the connection as well. JSON. */
export type PathSnapshot = number | readonly [transfers: number, ...connection: readonly number[]];

const UNLIMITED = Number.POSITIVE_INFINITY;

/** The part of its packets that a path may lose: what loses more takes thousands of round trips for each. */
const MOST_LOSS = 0.999;
const ROUNDING = 1e-9;

/** The numbers of the transfer that is drawn at present, of whatever path. */
const draws = new TransferDraws();

export interface PathOptions {
  readonly source: Rank;
  readonly target: Rank;
  readonly links: readonly Link[];
  /** Numbers of the capacities that the path takes: its links' directions and the NICs of the nodes it goes through. */
  readonly resources: readonly number[];
  /** The least of those capacities, in bytes per second. */
  readonly capacity: number;
  readonly tcp: TcpModel;
  readonly random: Random;
}

/** What one number of each transfer over a single link makes of it. Uniform numbers: on [0, 1). */
export interface Chances {
  /** Of the transfers' numbers (TransferDraws), as integers of 32 bits. */
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
  readonly resources: readonly number[];
  /** The rate of a transfer that has the path to itself: its least capacity or its window's, in bytes per second. */
  readonly rate: number;
  /** Transfers so far. */
  transfers = 0;
  readonly #tcp: TcpModel;
  /** The only one of its links; else undefined. */
  readonly #link: Link | undefined;
  /** Where there are several. */
  readonly #links: readonly Link[] | undefined;
  readonly #latency: number;
  readonly #loss: number;
  /** Undefined where it is infinite, 1, and `rate`. */
  readonly #ceiling: number | undefined;
  readonly #weight: number | undefined;
  readonly #meanRate: number | undefined;
  readonly #jittery: boolean;
  /** The key of its transfers' numbers, as integers of 32 bits: those take no room of their own. */
  readonly #first: number;
  readonly #second: number;
  readonly #connection: Connection | LossyConnection | undefined;
  /** Made when they are asked for first: only some ways of timing do. */
  #chances: Chances | undefined;

  constructor({ source, target, links, resources, capacity, tcp, random }: PathOptions) {
    this.source = source;
    this.target = target;
    this.#tcp = tcp;
    this.#link = links.length === 1 ? links[0] : undefined;
    this.#links = links.length === 1 ? undefined : links;
    this.resources = resources;
    const latency = seconds(links.reduce((sum, link) => sum + link.latency, 0));
    this.#latency = latency;
    this.#loss = 1 - links.reduce((kept, link) => kept * (1 - link.loss), 1);
    const mean = flowRate(tcp, latency, this.#loss);
    const ceiling = tcp.mode === "rounds" ? flowRate(tcp, latency, 0) : mean;
    this.#ceiling = ceiling === UNLIMITED ? undefined : ceiling;
    this.rate = Math.min(capacity, ceiling);
    this.#meanRate = mean === ceiling ? undefined : Math.min(capacity, mean);
    this.#weight = tcp.rttWeights ? shareWeight(tcp, latency) : undefined;
    this.#jittery = links.some((link) => link.jitter > 0 && link.latency > 0);
    const { key } = random.derive("transfers", source, target);
    this.#first = key[0] | 0;
    this.#second = key[1] | 0;
    if (tcp.mode === "rounds") this.#connection = this.#createLossy(links);
    else if (tcp.slowStart) this.#connection = new Connection(2 * latency, this.rate, tcp.flows);
  }

  /** In order; a list of its own each time. */
  get links(): readonly Link[] {
    return this.#links ?? [this.#link!];
  }

  /** How many links that is. */
  get hops(): number {
    return this.#links?.length ?? 1;
  }

  /** What window and loss leave of its rate, whatever the capacities. */
  get ceiling(): number {
    return this.#ceiling ?? UNLIMITED;
  }

  /** The rate that transfers have on average: less than `rate` where each one's own is drawn. */
  get meanRate(): number {
    return this.#meanRate ?? this.rate;
  }

  /** The path's part of a shared capacity is in proportion to this. */
  get weight(): number {
    return this.#weight ?? 1;
  }

  /** Seconds before the first byte takes bandwidth, without jitter and loss. */
  get delay(): number {
    return this.#latency * this.#tcp.latencyFactor;
  }

  /** Whether nothing about a transfer is left to chance or to the connection. */
  get isCertain(): boolean {
    return !this.#jittery && this.#loss === 0 && !this.#tcp.slowStart;
  }

  /** Undefined where all is certain, or only `draw` knows. */
  get chances(): Chances | undefined {
    if (this.#chances === undefined && this.#link !== undefined && !this.isCertain && !this.#tcp.slowStart)
      this.#chances = this.#createChances(this.#link);
    return this.#chances;
  }

  snapshot(): PathSnapshot {
    const connection = this.#connection;
    return connection === undefined ? this.transfers : [this.transfers, ...connection.state];
  }

  restore(snapshot: PathSnapshot): void {
    const [transfers, ...state] = typeof snapshot === "number" ? ([snapshot] as const) : snapshot;
    this.transfers = transfers;
    if (this.#connection !== undefined) this.#connection.state = state;
  }

  /** Since when the connection is idle, where the rate was not what `draw` took it to be. */
  set idleSince(time: number) {
    if (this.#connection !== undefined) this.#connection.idleSince = time;
  }

  /**
   * The next transfer, of `size` bytes, begun at a moment of simulated time.
   * @throws ConfigError if hardly a packet gets over all the links of the path
   */
  draw(size: number, at: number): Drawn {
    const transfer = this.transfers++;
    if (this.isCertain) return { delay: this.delay, size, limit: UNLIMITED };
    if (this.#loss > MOST_LOSS + ROUNDING)
      throw new ConfigError(
        `Option "network.loss": the ${this.hops} links from node ${this.source} to node ${this.target} lose ${Number((100 * this.#loss).toPrecision(8))} % of all packets together, of which hardly one gets through. Lower it, or take a topology with shorter routes.`,
      );
    draws.seek(this.#first, this.#second, transfer);
    const connection = this.#connection;
    if (connection instanceof LossyConnection) return connection.transfer(this.#drawDelay(), size, at, draws);
    const drawn = this.#drawLosses(size);
    return connection === undefined ? drawn : connection.transfer(drawn, at);
  }

  #drawLosses(size: number): Drawn {
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

  #createLossy(links: readonly Link[]): LossyConnection {
    const { congestion, flows } = this.#tcp;
    invariant(congestion !== "none", "windows by rounds without congestion control");
    return new LossyConnection({
      control: congestion,
      flows,
      roundTrip: 2 * this.#latency,
      swing: links.reduce((sum, link) => sum + link.latency * link.jitter, 0),
      loss: this.#loss,
      rate: this.rate,
    });
  }

  /** Seconds before the first byte takes bandwidth, by the next of the random numbers. */
  #drawDelay(): number {
    if (!this.#jittery) return this.delay;
    let latency = this.#latency;
    if (this.#link !== undefined) latency += drawnPart(this.#link);
    else for (const link of this.#links!) latency += drawnPart(link);
    return latency * this.#tcp.latencyFactor;
  }

  #createChances({ latency, jitter }: Link): Chances {
    return {
      key: [this.#first, this.#second],
      latency: this.#latency,
      swing: this.#jittery ? latency * jitter : 0,
      factor: this.#tcp.latencyFactor,
      lossWord: this.#jittery ? 1 : 0,
      packets: this.#loss === 0 ? Number.MAX_VALUE : (1 - 1e-9) / -Math.log1p(-this.#loss),
    };
  }
}

/** Seconds that chance adds to a link's latency, or takes from it. */
const drawnPart = ({ latency, jitter }: Link): number => latency * jitter * (2 * draws.uniform() - 1);
