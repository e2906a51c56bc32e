// What the senders of a schedule are at: the path that each of them sends over, and what chance does to its next transfers
// there, which is drawn for several at once. A ring among 4,096 nodes makes 33 million transfers, nearly all of which lose
// nothing, so what each of them takes lies side by side in memory, and not in an object for each path.

import { type Rank, threefryBlocks } from "@atoll/core";
import type { Drawn } from "./draws.ts";
import type { Path } from "./path.ts";
import { SEGMENT_SIZE } from "./tcp.ts";

/** Transfers of a sender that are drawn at once at most. */
const MOST_AHEAD = 16;

const NOBODY = -1;

/** Instead of a number of bytes: only `draw` knows. */
const ASK = -1;

/** Places of `#terms`: see Chances. */
const [LATENCY, SWING, FACTOR, PACKETS, TERMS] = [0, 1, 2, 3, 4];

/** By member. Whoever takes the next transfer of one from `ahead` adds the stride to its place. */
export class Senders {
  /** The member that each sends to, or NOBODY. */
  readonly targetOf: Int32Array;
  /** Bytes per second. */
  readonly rates: Float64Array;
  /**
   * Of each one's next transfers the delay in seconds and the bytes up to which nothing is lost, or ASK,
   * [16, member, 2]: where all send in each round, they are read one after another.
   */
  readonly ahead: Float64Array;
  /** From one transfer of a member to the next. */
  readonly stride: number;
  /** Where in it each one's next transfer is. */
  readonly places: Int32Array;
  /** The place after the last that has been drawn. */
  readonly ends: Int32Array;
  readonly #ranks: readonly Rank[];
  readonly #path: (source: Rank, target: Rank) => Path;
  readonly #paths: (Path | undefined)[];
  /** The number of the transfer at each one's first place. */
  readonly #origins: Float64Array;
  /** The chances of the paths: keys [member, 2], terms [member, 4]. */
  readonly #keys: Int32Array;
  readonly #terms: Float64Array;
  readonly #lossWords: Uint8Array;
  /** 0: there are none, the terms stand for all transfers. */
  readonly #isDrawn: Uint8Array;
  readonly #words = new Uint32Array(2 * MOST_AHEAD);

  constructor(ranks: readonly Rank[], path: (source: Rank, target: Rank) => Path) {
    const members = ranks.length;
    this.#ranks = ranks;
    this.#path = path;
    this.#paths = ranks.map(() => undefined);
    this.targetOf = new Int32Array(members).fill(NOBODY);
    this.rates = new Float64Array(members);
    // Rows that are a power of two apart would be in each other's way in the cache.
    this.stride = 2 * (members + 4);
    this.ahead = new Float64Array(this.stride * MOST_AHEAD);
    this.places = Int32Array.from(ranks, (_, member) => 2 * member);
    this.ends = this.places.slice();
    this.#origins = new Float64Array(members);
    this.#keys = new Int32Array(2 * members);
    this.#terms = new Float64Array(TERMS * members);
    this.#lossWords = new Uint8Array(members);
    this.#isDrawn = new Uint8Array(members);
  }

  pathOf(member: number): Path {
    return this.#paths[member]!;
  }

  /** Lets a member send to another than before. */
  turnTo(member: number, target: number): void {
    this.#leave(member);
    const path = this.#path(this.#ranks[member]!, this.#ranks[target]!);
    this.#paths[member] = path;
    this.targetOf[member] = target;
    this.rates[member] = path.rate;
    this.#origins[member] = path.transfers;
    this.places[member] = 2 * member;
    this.ends[member] = 2 * member;
    this.#isDrawn[member] = path.chances === undefined ? 0 : 1;
    if (path.chances === undefined) {
      const lossless = path.isCertain ? Number.POSITIVE_INFINITY : ASK;
      this.#terms.set([path.delay, 0, 1, lossless], TERMS * member);
    } else {
      const { key, latency, swing, factor, packets, lossWord } = path.chances;
      this.#keys.set(key, 2 * member);
      this.#terms.set([latency, swing, factor, packets], TERMS * member);
      this.#lossWords[member] = lossWord;
    }
  }

  /** Draws a member's next transfers: twice as many as the last time, so that few are drawn in vain. */
  foresee(member: number): void {
    const first = 2 * member;
    const before = (this.ends[member]! - first) / this.stride;
    const count = Math.min(Math.max(1, 2 * before), MOST_AHEAD);
    const transfer = this.#nextOf(member);
    this.#origins[member] = transfer;
    this.places[member] = first;
    this.ends[member] = first + count * this.stride;
    if (this.#isDrawn[member] === 1) this.#drawAhead(member, transfer, count);
    else this.#fill(member);
  }

  #fill(member: number): void {
    const { ahead, stride } = this;
    const end = this.ends[member]!;
    for (let place = this.places[member]!; place < end; place += stride) {
      ahead[place] = this.#terms[TERMS * member + LATENCY]!;
      ahead[place + 1] = this.#terms[TERMS * member + PACKETS]!;
    }
  }

  #drawAhead(member: number, transfer: number, count: number): void {
    const { ahead, stride } = this;
    const words = this.#words;
    threefryBlocks(this.#keys[2 * member]!, this.#keys[2 * member + 1]!, transfer, 0, words, count);
    const terms = this.#terms;
    const latency = terms[TERMS * member + LATENCY]!;
    const swing = terms[TERMS * member + SWING]!;
    const factor = terms[TERMS * member + FACTOR]!;
    const packets = terms[TERMS * member + PACKETS]!;
    const lossWord = this.#lossWords[member]!;
    for (let i = 0, place = 2 * member; i < 2 * count; i += 2, place += stride) {
      ahead[place] = (latency + swing * (2 * (words[i]! / 2 ** 32) - 1)) * factor;
      const lossless = Math.floor(packets * (words[i + lossWord]! / 2 ** 32));
      ahead[place + 1] = lossless < 1 ? ASK : lossless * SEGMENT_SIZE;
    }
  }

  /** The transfer just taken from `ahead` after chance had its say, where there is more of it. */
  draw(member: number, size: number, at: number): Drawn {
    const path = this.pathOf(member);
    path.transfers = this.#nextOf(member) - 1;
    return path.draw(size, at);
  }

  /** Tells the paths how many transfers they have had. */
  leave(): void {
    for (let member = 0; member < this.#ranks.length; member++) this.#leave(member);
  }

  #leave(member: number): void {
    const path = this.#paths[member];
    if (path !== undefined) path.transfers = this.#nextOf(member);
  }

  /** The number of a member's next transfer. */
  #nextOf(member: number): number {
    return this.#origins[member]! + (this.places[member]! - 2 * member) / this.stride;
  }
}
