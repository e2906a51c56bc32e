// Bandwidth traces: the bandwidth of a link as somebody measured it over time. Row i holds from its time until that of
// row i + 1; the last row only says when the trace ends, its value is never used. After the end a trace starts over if it
// may repeat; otherwise there is no bandwidth to be had and a transfer that needs some ends the run.
// A trace says nothing of latency and loss, which stay those of the link. Reading files is not done here (traceText.ts).

import { ConfigError, type ConfigTree, formatSeconds, type Random, type Rank, RunError } from "@atoll/core";
import type { Steps } from "./steps.ts";

/** From when on, in seconds, and how many bytes per second. */
export type TracePoint = readonly [seconds: number, bytesPerSecond: number];

export interface TraceOptions {
  /** Two or more, at ascending times from 0 on; the last one is the end. */
  readonly points: readonly TracePoint[];
  /** Whether the trace starts over at its end. Default false. */
  readonly repeat?: boolean | undefined;
  /**
   * Whether each link begins at a moment of the trace of its own, drawn from the seed, so that links do not rise and fall
   * together. Needs `repeat`. Default false.
   */
  readonly shift?: boolean | undefined;
  /** What messages and reports call it, such as its file. Default "trace". */
  readonly name?: string | undefined;
}

/** Seconds that a row of a trace that repeats takes at least, on average. */
const LEAST_ROW = 1e-6;

export interface TraceModel {
  /** The option that it was given by. */
  readonly where: string;
  readonly name: string;
  /** Those at which the bandwidth changes, and the end. */
  readonly points: readonly TracePoint[];
  /** Of the points that were given. */
  readonly rows: number;
  readonly repeat: boolean;
  readonly shift: boolean;
  /** Seconds from its beginning to its end. */
  readonly length: number;
  /** Bytes per second: least, mean over time, most. */
  readonly least: number;
  readonly mean: number;
  readonly most: number;
}

/** @param where the option's place in a message @throws ConfigError for points that make no trace, or a shift without repeat */
export function resolveTrace(options: TraceOptions, where: string): TraceModel {
  const { points, repeat = false, shift = false, name = "trace" } = options;
  if (!Array.isArray(points) || points.length < 2)
    throw new ConfigError(
      `Option "${where}": expected two or more points [seconds, bytes per second], the last of which is the end, got ${JSON.stringify(points)}.`,
    );
  for (const [i, point] of points.entries()) {
    const problem = problemOf(point, i === 0 ? undefined : points[i - 1]![0]);
    if (problem !== undefined)
      throw new ConfigError(
        `Option "${where}.points[${i}]": expected ${problem}, got ${JSON.stringify(point)}.`,
      );
  }
  if (shift && !repeat)
    throw new ConfigError(
      `Option "${where}.shift" needs ${where}.repeat: a link that begins in the middle of the trace comes to its end earlier. Set repeat, or leave shift out.`,
    );
  if (repeat && points.at(-1)![0] < LEAST_ROW * (points.length - 1))
    throw new ConfigError(
      `Option "${where}": expected a trace that repeats to take at least ${LEAST_ROW} s for each of its ${points.length - 1} rows, got ${points.at(-1)![0]} s in all. Check that its times are seconds.`,
    );
  const values = points.slice(0, -1).map(([, value]) => value);
  const length = points.at(-1)![0];
  const most = highest(values);
  if (most === 0)
    throw new ConfigError(
      `Option "${where}": expected a bandwidth above 0 at some time, got 0 from beginning to end.`,
    );
  const moved = values.reduce((sum, value, i) => sum + value * (points[i + 1]![0] - points[i]![0]), 0);
  const last = points.length - 1;
  return {
    where,
    name,
    points: points.filter(([, value], i) => i === 0 || i === last || value !== points[i - 1]![1]),
    rows: points.length,
    repeat,
    shift,
    length,
    least: -highest(values.map((x) => -x)),
    mean: moved / length,
    most,
  };
}

/** Of a list of any length, which could be too many arguments for Math.max. */
const highest = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);

/** What a point should have been, if it is none; `before` is the time of the one before it. */
export function problemOf(point: TracePoint, before: number | undefined): string | undefined {
  const isNumber = (x: unknown): boolean => typeof x === "number" && Number.isFinite(x);
  if (!Array.isArray(point) || point.length !== 2 || !point.every(isNumber))
    return "[seconds, bytes per second], two numbers";
  const [time, value] = point as TracePoint;
  if (value < 0) return "bytes per second of at least 0";
  if (before === undefined) return time === 0 ? undefined : "the time 0 at the beginning";
  return time > before ? undefined : `a time after ${before} s`;
}

/** What config.json and a report say of a trace; the points are among the options it was given by. */
export const traceConfig = ({ points: _, where: __, ...summary }: TraceModel): ConfigTree => summary;

/** How a trace that an option names is told to repeat: one of `network.links` among its other values. */
const repeated = (where: string, name: string): string =>
  where.includes("[")
    ? `"trace":${JSON.stringify({ file: name, repeat: true })} in ${where.replace(/\.trace$/, "")}`
    : `${where}.repeat=true`;

/** A transfer that still has bytes to move when its link's bandwidth trace is over. */
export class TraceEndedError extends RunError {}

/** The bandwidth of one link. */
export class TraceBandwidth implements Steps {
  readonly #trace: TraceModel;
  readonly #link: string;
  /** Seconds from the trace's beginning to where the link begins. */
  readonly #offset: number;
  /** The row looked at last, counted on through repetitions, and from when to when it holds. */
  #row = 0;
  #from = Number.POSITIVE_INFINITY;
  #until = Number.NEGATIVE_INFINITY;

  /** @param random the network's stream, which is not used up. Both directions of a link begin at the same moment. */
  constructor(trace: TraceModel, random: Random, source: Rank, target: Rank) {
    this.#trace = trace;
    this.#link = `${source} to ${target}`;
    const ends = [Math.min(source, target), Math.max(source, target)];
    this.#offset = trace.shift ? random.derive("trace", ...ends).uniform() * trace.length : 0;
  }

  /** @throws TraceEndedError after the end of a trace that does not repeat */
  at(time: number): number {
    const { where, name, points, repeat, length } = this.#trace;
    if (!repeat && time >= length)
      throw new TraceEndedError(
        `The bandwidth trace "${name}" of the link from node ${this.#link.replace(" to ", " to node ")} ends at ${formatSeconds(length)}, but at simulated time ${formatSeconds(time)} a transfer still has bytes to move. Give a longer trace, or let it start over, as by ${repeated(where, name)}.`,
      );
    this.#seek(time);
    return points[this.#row % (points.length - 1)]![1];
  }

  nextChange(time: number): number {
    const { repeat, length } = this.#trace;
    if (!repeat && time >= length) return Number.POSITIVE_INFINITY;
    this.#seek(time);
    return this.#until;
  }

  /** Goes to the last row that begins no later than `time`. */
  #seek(time: number): void {
    if (time >= this.#from && time < this.#until) return;
    const { points, length } = this.#trace;
    const rows = points.length - 1;
    const turn = Math.floor((time + this.#offset) / length);
    let low = 0;
    let high = rows - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#begin(turn * rows + middle) <= time) low = middle;
      else high = middle - 1;
    }
    // The quotient is rounded, so the turn may be off by one.
    let row = turn * rows + low;
    while (this.#begin(row) > time) row--;
    while (this.#begin(row + 1) <= time) row++;
    this.#row = row;
    this.#from = this.#begin(row);
    this.#until = this.#begin(row + 1);
  }

  #begin(row: number): number {
    const { points, length } = this.#trace;
    const rows = points.length - 1;
    const turn = Math.floor(row / rows);
    return turn * length + points[row - turn * rows]![0] - this.#offset;
  }
}
