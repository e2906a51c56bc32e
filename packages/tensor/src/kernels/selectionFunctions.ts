// The k elements of largest magnitude, as WebAssembly functions on byte offsets (see selection.ts). Which elements come into
// question is marked while they are computed, in a byte for every four elements, so that they are found again in their order
// without looking at all of them.

import {
  assemble,
  choose,
  type Frame,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  type Value,
  v128,
  when,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const REGISTER_BYTES = 16;
const FLOAT_BYTES = 4;
const MAGNITUDE = 0x7fffffff;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));

/** Where the mark of four elements lies, by where these do, in bytes. */
export const markAt = (bytes: Value): Value => i32.shiftRightUnsigned(bytes, i32.constant(4));
export const markOffset = (bytes: number): number => bytes / REGISTER_BYTES;

/** Marks which of four elements have bits, without the sign, that are at least a threshold: bit i stands for element i. */
export function marking(
  frame: Pick<Frame<string>, "local">,
  threshold: Local,
): { readonly begin: Code; mark(four: Local, address: Value, offset?: number): Code } {
  // One instruction says what is greater, and two what is greater or equal.
  const [below, magnitude] = [frame.local("v128"), frame.local("v128")];
  return {
    begin: [
      ...below.set(i32x4.splat(i32.subtract(threshold.get, i32.constant(1)))),
      ...magnitude.set(i32x4.splat(i32.constant(MAGNITUDE))),
    ],
    mark: (four, address, offset = 0) =>
      i32.storeByte(
        address,
        i32x4.bitmask(i32x4.greater(v128.and(four.get, magnitude.get), below.get)),
        offset,
      ),
  };
}

/** `(x, length, threshold, marks)`: marks of a multiple of four elements. */
export const markAtLeast: WasmFunction = assemble(
  "markAtLeast",
  { x: "i32", length: "i32", threshold: "i32", marks: "i32" },
  undefined,
  (frame) => {
    const { x, length, threshold, marks } = frame.arguments;
    const four = frame.local("v128");
    const { begin, mark } = marking(frame, threshold);
    return [
      begin,
      frame.count(floats(length.get), REGISTER_BYTES, (index) => [
        ...four.set(v128.load(i32.add(x.get, index))),
        ...mark(four, i32.add(marks.get, markAt(index))),
      ]),
    ];
  },
);

/** `(a, b, length, decay, factor, threshold, marks)`: a ← decay · a + factor · b; and `markAtLeast` of a. */
export const decayAndMark: WasmFunction = assemble(
  "decayAndMark",
  { a: "i32", b: "i32", length: "i32", decay: "f32", factor: "f32", threshold: "i32", marks: "i32" },
  undefined,
  (frame) => {
    const { a, b, length, decay, factor, threshold, marks } = frame.arguments;
    const [kept, added, four] = [frame.local("v128"), frame.local("v128"), frame.local("v128")];
    const { begin, mark } = marking(frame, threshold);
    return [
      [...begin, ...kept.set(f32x4.splat(decay.get)), ...added.set(f32x4.splat(factor.get))],
      frame.count(floats(length.get), REGISTER_BYTES, (index) => {
        const at = i32.add(a.get, index);
        const more = f32x4.multiply(v128.load(i32.add(b.get, index)), added.get);
        return [
          ...four.set(f32x4.add(f32x4.multiply(v128.load(at), kept.get), more)),
          ...v128.store(at, four.get),
          ...mark(four, i32.add(marks.get, markAt(index))),
        ];
      }),
    ];
  },
);

/** Lists where there are marks in so many bytes, a multiple of four; without questions, whose answers nothing foretells. */
function listingWords(
  frame: Frame<"marks" | "bytes">,
  { words, end }: Readonly<Record<"words" | "end", Local>>,
): Code {
  const { marks, bytes } = frame.arguments;
  return [
    ...end.set(words.get),
    ...frame.count(bytes.get, FLOAT_BYTES, (index) => [
      ...i32.store(end.get, index),
      ...end.set(
        choose(i32.load(i32.add(marks.get, index)), i32.add(end.get, i32.constant(FLOAT_BYTES)), end.get),
      ),
    ]),
  ];
}

/**
 * Lists what is marked: the places of the elements, and their magnitudes; `common` becomes the bits that all of these have, `any`
 * those that one has.
 */
function listing(
  frame: Frame<"x" | "marks" | "bytes">,
  {
    places,
    magnitudes,
    words,
    found,
    common,
    any,
  }: Readonly<Record<"places" | "magnitudes" | "words" | "found" | "common" | "any", Local>>,
): Code {
  const { x, marks } = frame.arguments;
  const integer = (): Local => frame.local("i32");
  const [end, index, word] = [integer(), integer(), integer()];
  const [bit, place, magnitude] = [integer(), integer(), integer()];
  // A bit's byte tells which four, its place in the byte which of them.
  const inByte = i32.and(bit.get, i32.constant(7));
  const before = i32.shiftRightUnsigned(i32.subtract(bit.get, inByte), i32.constant(1));
  return [
    ...listingWords(frame, { words, end }),
    ...common.set(i32.constant(-1)),
    ...frame.count(i32.subtract(end.get, words.get), FLOAT_BYTES, (number) => [
      ...index.set(i32.load(i32.add(words.get, number))),
      ...word.set(i32.load(i32.add(marks.get, index.get))),
      ...frame.repeat(word.get, [
        ...bit.set(i32.trailingZeros(word.get)),
        ...place.set(i32.add(floats(index.get), i32.add(before, inByte))),
        ...magnitude.set(i32.and(i32.load(i32.add(x.get, floats(place.get))), i32.constant(MAGNITUDE))),
        ...i32.store(i32.add(places.get, found.get), place.get),
        ...i32.store(i32.add(magnitudes.get, found.get), magnitude.get),
        ...common.set(i32.and(common.get, magnitude.get)),
        ...any.set(i32.or(any.get, magnitude.get)),
        ...found.set(i32.add(found.get, i32.constant(FLOAT_BYTES))),
        ...word.set(i32.and(word.get, i32.subtract(word.get, i32.constant(1)))),
      ]),
    ]),
  ];
}

/** How many of the magnitudes, whose end is filled up with negative ones, are larger than one that is not negative. */
function counting(
  frame: Frame<string>,
  { magnitudes, found, reached }: Readonly<Record<"magnitudes" | "found" | "reached", Local>>,
): (bound: Value) => Code {
  const [bounds, counts] = [frame.local("v128"), frame.local("v128")];
  const lane = (number: number): Value => i32x4.lane(counts.get, number);
  return (bound) => [
    ...bounds.set(i32x4.splat(bound)),
    ...counts.set(v128.zero()),
    ...frame.count(found.get, REGISTER_BYTES, (index) => {
      const four = v128.load(i32.add(magnitudes.get, index));
      return counts.set(i32x4.subtract(counts.get, i32x4.greater(four, bounds.get)));
    }),
    ...reached.set(i32.add(i32.add(lane(0), lane(1)), i32.add(lane(2), lane(3)))),
  ];
}

/**
 * `kth` becomes the k-th largest magnitude, or a smaller one that no more than k reach: bit by bit, from the highest on in which
 * magnitudes differ.
 */
function searching(
  frame: Frame<string>,
  {
    k,
    kth,
    reached,
    common,
    any,
    countAbove,
  }: Readonly<Record<"k" | "kth" | "reached" | "common" | "any", Local>> & {
    readonly countAbove: (bound: Value) => Code;
  },
): Code {
  const [bit, trial] = [frame.local("i32"), frame.local("i32")];
  const different = i32.subtract(any.get, common.get);
  const highest = i32.subtract(i32.constant(31), i32.leadingZeros(different));
  return [
    ...bit.set(choose(different, i32.shiftLeft(i32.constant(1), highest), i32.constant(0))),
    // The bits above that are the same in all.
    ...kth.set(i32.and(common.get, i32.subtract(i32.constant(0), i32.shiftLeft(bit.get, i32.constant(1))))),
    ...when(i32.equal(bit.get, i32.constant(0)), kth.set(common.get)),
    ...frame.repeat(bit.get, [
      ...trial.set(i32.or(kth.get, bit.get)),
      ...countAbove(i32.subtract(trial.get, i32.constant(1))),
      ...bit.set(i32.shiftRightUnsigned(bit.get, i32.constant(1))),
      ...kth.set(choose(i32.greaterOrEqual(reached.get, k.get), trial.get, kth.get)),
      ...when(i32.equal(reached.get, k.get), bit.set(i32.constant(0))),
    ]),
  ];
}

/**
 * `(magnitudes, length, k) => magnitude`: of a multiple of four magnitudes, as bits, one that k of them reach, and no more where the
 * k-th largest is not there twice.
 */
export const magnitudeOfRank: WasmFunction = assemble(
  "magnitudeOfRank",
  { magnitudes: "i32", length: "i32", k: "i32" },
  "i32",
  (frame) => {
    const { magnitudes, length, k } = frame.arguments;
    const [found, reached, kth] = [frame.local("i32"), frame.local("i32"), frame.local("i32")];
    const [common, any] = [frame.local("i32"), frame.local("i32")];
    const countAbove = counting(frame, { magnitudes, found, reached });
    return [
      found.set(floats(length.get)),
      common.set(i32.constant(-1)),
      frame.count(found.get, FLOAT_BYTES, (index) => {
        const magnitude = i32.load(i32.add(magnitudes.get, index));
        return [...common.set(i32.and(common.get, magnitude)), ...any.set(i32.or(any.get, magnitude))];
      }),
      searching(frame, { k, kth, reached, common, any, countAbove }),
      kth.get,
    ];
  },
);

/**
 * Moves the elements that are larger than `kth`, and the first `left` of those that are equal, out of x: k in all. What is not moved
 * is written as well, where the next that is will be; so there is no question that nothing foretells.
 */
function moving(
  frame: Frame<"x" | "values" | "shorts" | "k">,
  {
    places,
    magnitudes,
    kth,
    left,
    least,
  }: Readonly<Record<"places" | "magnitudes" | "kth" | "left" | "least", Local>>,
): Code {
  const { x, values, shorts, k } = frame.arguments;
  const integer = (): Local => frame.local("i32");
  const [index, place, address] = [integer(), integer(), integer()];
  const [bits, magnitude, isMoved] = [integer(), integer(), integer()];
  const isEqual = i32.equal(magnitude.get, kth.get);
  const isLarger = i32.greater(magnitude.get, kth.get);
  const isFirst = i32.and(isEqual, i32.greater(left.get, i32.constant(0)));
  const lower = f32.minimum(least.get, f32.ofBits(magnitude.get));
  return frame.repeat(k.get, [
    ...magnitude.set(i32.load(i32.add(magnitudes.get, index.get))),
    ...place.set(i32.load(i32.add(places.get, index.get))),
    ...address.set(i32.add(x.get, floats(place.get))),
    ...bits.set(i32.load(address.get)),
    ...isMoved.set(i32.or(isLarger, isFirst)),
    ...left.set(i32.subtract(left.get, isEqual)),
    ...i32.store(values.get, bits.get),
    ...i32.storeShort(shorts.get, place.get),
    ...i32.store(address.get, choose(isMoved.get, i32.constant(0), bits.get)),
    ...least.set(choose(isMoved.get, lower, least.get)),
    ...values.set(i32.add(values.get, floats(isMoved.get))),
    ...shorts.set(i32.add(shorts.get, i32.shiftLeft(isMoved.get, i32.constant(1)))),
    ...k.set(i32.subtract(k.get, isMoved.get)),
    ...index.set(i32.add(index.get, i32.constant(FLOAT_BYTES))),
  ]);
}

/**
 * `(x, marks, bytes, k, list, room, values, shorts) => least`: of the marked elements the k of largest magnitude are moved to
 * `values`, in their order, and their places to `shorts`, 16 bits each; they become zero. Of equal magnitudes the first are taken;
 * what is not a number counts as larger than everything. `list` has 3 · `room` elements, where `room` is four more than there can
 * be marks. Returns the least magnitude that was moved, or −1 and does nothing where fewer than k are marked.
 */
export const takeMarked: WasmFunction = assemble(
  "takeMarked",
  {
    x: "i32",
    marks: "i32",
    bytes: "i32",
    k: "i32",
    list: "i32",
    room: "i32",
    values: "i32",
    shorts: "i32",
  },
  "f32",
  (frame) => {
    const { k, list: places, room } = frame.arguments;
    const [magnitudes, words] = [frame.local("i32"), frame.local("i32")];
    const [found, reached] = [frame.local("i32"), frame.local("i32")];
    const [kth, left, least] = [frame.local("i32"), frame.local("i32"), frame.local("f32")];
    const [common, any] = [frame.local("i32"), frame.local("i32")];
    const countAbove = counting(frame, { magnitudes, found, reached });
    return [
      magnitudes.set(i32.add(places.get, floats(room.get))),
      words.set(i32.add(magnitudes.get, floats(room.get))),
      listing(frame, { places, magnitudes, words, found, common, any }),
      least.set(f32.constant(-1)),
      when(i32.greaterOrEqual(found.get, floats(k.get)), [
        ...v128.store(i32.add(magnitudes.get, found.get), i32x4.splat(i32.constant(-1))),
        ...searching(frame, { k, kth, reached, common, any, countAbove }),
        ...countAbove(kth.get),
        ...left.set(i32.subtract(k.get, reached.get)),
        ...least.set(f32.constant(Number.POSITIVE_INFINITY)),
        ...moving(frame, { places, magnitudes, kth, left, least }),
      ]),
      i32.store(places.get, i32.shiftRightUnsigned(found.get, i32.constant(2))),
      least.get,
    ];
  },
);
