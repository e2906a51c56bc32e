// The k-th largest of a list of magnitudes, as WebAssembly functions on byte offsets. Magnitudes are bits of float32 numbers without
// the sign: they are ordered like the numbers, and what is not a number comes after all others.

import {
  assemble,
  choose,
  type Frame,
  i32,
  i32x4,
  type Local,
  range,
  type Value,
  v128,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const REGISTER_BYTES = 16;
const FLOAT_BYTES = 4;
const LANES = 4;

/** Where a list begins, and its bytes: what comes behind it up to a multiple of four numbers is −1. */
export interface MagnitudeList {
  readonly magnitudes: Local;
  readonly bytes: Local;
}

/** Of all four lanes, whatever `of` makes of two. */
function ofLanes(frame: Pick<Frame<string>, "local">, four: Value, of: (a: Value, b: Value) => Value): Value {
  const [whole, half] = [frame.local("v128"), frame.local("v128")];
  const rotated = (x: Local, bytes: number): Value =>
    v128.shuffle(
      x.get,
      x.get,
      range(REGISTER_BYTES).map((i) => (i + bytes) % REGISTER_BYTES),
    );
  return [
    ...whole.set(four),
    ...half.set(of(whole.get, rotated(whole, 8))),
    ...i32x4.lane(of(half.get, rotated(half, 4)), 0),
  ];
}

/** `lowest` and `highest` become the least and the largest of a list that is not empty. */
function extremes(
  frame: Frame<string>,
  { magnitudes, bytes }: MagnitudeList,
  { lowest, highest }: Readonly<Record<"lowest" | "highest", Local>>,
): Code {
  const [four, least, most] = [frame.local("v128"), frame.local("v128"), frame.local("v128")];
  return [
    ...least.set(i32x4.splat(i32.constant(-1))),
    ...most.set(v128.zero()),
    ...frame.count(bytes.get, REGISTER_BYTES, (index) => [
      ...four.set(v128.load(i32.add(magnitudes.get, index))),
      // Unsigned, −1 is the largest there is.
      ...least.set(i32x4.minimumUnsigned(least.get, four.get)),
      ...most.set(i32x4.maximum(most.get, four.get)),
    ]),
    ...lowest.set(ofLanes(frame, least.get, i32x4.minimumUnsigned)),
    ...highest.set(ofLanes(frame, most.get, i32x4.maximum)),
  ];
}

/** How many of a list are larger than each of four bounds. */
function countingAbove(
  frame: Frame<string>,
  { magnitudes, bytes }: MagnitudeList,
  bounds: Local,
): { readonly count: Code; readonly counts: Value } {
  // Several sums, so that one need not wait for the other.
  const sums = range(LANES).map(() => frame.local("v128"));
  return {
    count: [
      ...sums.flatMap((sum) => sum.set(v128.zero())),
      ...frame.count(bytes.get, REGISTER_BYTES, (index) =>
        sums.flatMap((sum, lane) => {
          const magnitude = v128.loadSplat(i32.add(magnitudes.get, index), FLOAT_BYTES * lane);
          return sum.set(i32x4.subtract(sum.get, i32x4.greater(magnitude, bounds.get)));
        }),
      ),
    ],
    counts: sums.map(({ get }) => get).reduce((a, b) => i32x4.add(a, b)),
  };
}

/** Pieces that what is left to search is cut into by the bounds of each round. */
const PIECES = LANES + 1;

/**
 * Finds the k-th largest of a list of k or more by counting how many are above four bounds at a time. Exactly k are larger than
 * `bound` in the end. Only where several equal the k-th largest more may be, which `isShared` says: then it is bound + 1.
 */
export function searching(
  frame: Frame<string>,
  list: MagnitudeList,
  { k, bound, isShared }: Readonly<Record<"k" | "bound" | "isShared", Local>>,
): Code {
  // More than k are larger than `bound`, and fewer than k larger than `upper`, which is `span` more; or exactly k are larger than
  // `bound`, and `span` is 0.
  const [upper, span, piece] = [frame.local("i32"), frame.local("i32"), frame.local("i32")];
  const [bounds, counts] = [frame.local("v128"), frame.local("v128")];
  const [above, exact, next] = [frame.local("i32"), frame.local("i32"), frame.local("i32")];
  const { count, counts: counted } = countingAbove(frame, list, bounds);
  const ranks = i32x4.splat(k.get);
  return [
    ...extremes(frame, list, { lowest: bound, highest: upper }),
    ...bound.set(i32.subtract(bound.get, i32.constant(1))),
    ...span.set(
      choose(
        i32.equal(list.bytes.get, i32.multiply(k.get, i32.constant(FLOAT_BYTES))),
        i32.constant(0),
        i32.subtract(upper.get, bound.get),
      ),
    ),
    ...frame.repeat(i32.greaterUnsigned(span.get, i32.constant(1)), [
      ...piece.set(i32.divideUnsigned(span.get, i32.constant(PIECES))),
      ...piece.set(choose(piece.get, piece.get, i32.constant(1))),
      ...bounds.set(
        i32x4.add(
          i32x4.splat(bound.get),
          i32x4.minimumUnsigned(
            i32x4.multiply(i32x4.splat(piece.get), i32x4.constant(1, 2, 3, 4)),
            i32x4.splat(span.get),
          ),
        ),
      ),
      ...count,
      ...counts.set(counted),
      ...above.set(i32.ones(i32x4.bitmask(i32x4.greater(counts.get, ranks)))),
      ...exact.set(i32x4.bitmask(i32x4.equal(counts.get, ranks))),
      // Where one of the bounds is exact, it is the first that is not below.
      ...next.set(i32.add(bound.get, i32.multiply(i32.add(above.get, i32.constant(1)), piece.get))),
      ...upper.set(
        choose(
          i32.or(
            i32.equal(above.get, i32.constant(LANES)),
            i32.lessUnsigned(span.get, i32.subtract(next.get, bound.get)),
          ),
          upper.get,
          next.get,
        ),
      ),
      ...bound.set(choose(exact.get, next.get, i32.add(bound.get, i32.multiply(above.get, piece.get)))),
      ...span.set(choose(exact.get, i32.constant(0), i32.subtract(upper.get, bound.get))),
    ]),
    ...isShared.set(span.get),
  ];
}

/** `count` becomes how many of a list are larger than a bound that is not negative. */
export function countLarger(frame: Frame<string>, list: MagnitudeList, bound: Value, count: Local): Code {
  const bounds = frame.local("v128");
  const above = countingAbove(frame, list, bounds);
  return [...bounds.set(i32x4.splat(bound)), ...above.count, ...count.set(i32x4.lane(above.counts, 0))];
}

/**
 * `(magnitudes, length, k) => magnitude`: of a multiple of four magnitudes, one that k of them reach, and more only where several
 * equal the k-th largest.
 */
export const magnitudeOfRank: WasmFunction = assemble(
  "magnitudeOfRank",
  { magnitudes: "i32", length: "i32", k: "i32" },
  "i32",
  (frame) => {
    const { magnitudes, length, k } = frame.arguments;
    const [bytes, bound, isShared] = [frame.local("i32"), frame.local("i32"), frame.local("i32")];
    return [
      bytes.set(i32.shiftLeft(length.get, i32.constant(2))),
      searching(frame, { magnitudes, bytes }, { k, bound, isShared }),
      i32.add(bound.get, i32.constant(1)),
    ];
  },
);
