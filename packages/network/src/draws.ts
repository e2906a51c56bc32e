// What chance does to one transfer: the jitter of its latency and the packets that are lost.
// Jitter is uniform on latency · [1 − jitter, 1 + jitter], the default of Linux's tc-netem, so it is never negative.
// Loss is an idealised selective repeat: each lost packet is sent again after one more round trip, until none is lost.
// What congestion control makes of the loss is a limit on the mean rate (tcp.ts), none by default, or is drawn by the gaps
// between losses (flights.ts).
// Transfer n of a path draws from blocks (n, 0), (n, 1) … of the path's key: its luck depends on nothing but the seed,
// the two ends and how many transfers went before, and a path's whole state is that one number.

import { threefryBlocks } from "@atoll/core";

/** One transfer after chance had its say. */
export interface Drawn {
  /** Seconds before bytes take bandwidth, round trips of retransmission and slow start included. */
  readonly delay: number;
  /** Bytes that take bandwidth, those sent again included. */
  readonly size: number;
  /** The rate that congestion windows leave this transfer, in bytes per second; Infinity: no less than the path's. */
  readonly limit: number;
}

/** Where random numbers come from, uniform on [0, 1). */
export interface Uniforms {
  uniform(): number;
}

/** Uniform numbers on [0, 1) for one transfer after another, of any path. */
export class TransferDraws implements Uniforms {
  /** The path's key. */
  #first = 0;
  #second = 0;
  /** The words of the block last made: written in place, since a ring among 4,096 nodes makes 33 million of them. */
  readonly #block = new Uint32Array(2);
  #transfer = 0;
  #word = 0;

  /** Goes to the first number of a transfer. @param first @param second of the path's key, as integers of 32 bits */
  seek(first: number, second: number, transfer: number): void {
    this.#first = first;
    this.#second = second;
    this.#transfer = transfer;
    this.#word = 0;
  }

  uniform(): number {
    const word = this.#word++;
    if ((word & 1) === 0)
      threefryBlocks(this.#first, this.#second, this.#transfer, word >>> 1, this.#block, 1);
    return this.#block[word & 1]! / 2 ** 32;
  }
}

/** How many packets get through before the next one that is lost, each with probability `loss`; Infinity if none is. */
export function drawGap(loss: number, draws: Uniforms): number {
  if (loss === 0) return Number.POSITIVE_INFINITY;
  return Math.floor(Math.log1p(-draws.uniform()) / Math.log1p(-loss));
}

/** Above this many expected losses the normal distribution stands in for the binomial one. */
const NORMAL_FROM = 64;

/**
 * How many of `packets` are lost, each with probability `loss`: exact by the gaps between losses, which are geometric
 * (Devroye, "Non-uniform random variate generation", 1986, X.4), or the normal approximation for large counts.
 */
export function drawLosses(packets: number, loss: number, draws: TransferDraws): number {
  const mean = packets * loss;
  if (mean > NORMAL_FROM) {
    const radius = Math.sqrt(-2 * Math.log(1 - draws.uniform()));
    const normal = radius * Math.cos(2 * Math.PI * draws.uniform());
    return Math.min(packets, Math.max(0, Math.round(mean + normal * Math.sqrt(mean * (1 - loss)))));
  }
  const logKept = Math.log1p(-loss);
  let losses = 0;
  let next = 0;
  for (;;) {
    const uniform = draws.uniform();
    // −log(1 − u) ≥ u, so most transfers are known to lose nothing without a logarithm.
    if (uniform >= (next - packets) * logKept) return losses;
    next += Math.floor(Math.log1p(-uniform) / logKept);
    if (next >= packets) return losses;
    losses++;
    next++;
  }
}
