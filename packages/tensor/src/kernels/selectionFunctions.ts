// The k elements of largest magnitude, as WebAssembly functions on byte offsets (see selection.ts). Which elements come into
// question is marked while they are computed, in a byte for every four elements, so that they are found again in their order
// without looking at all of them.

import {
  assemble,
  choose,
  type Frame,
  f32x4,
  i32,
  i32x4,
  i64,
  type Local,
  type Value,
  v128,
  when,
} from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";
import { countLarger, searching } from "./rankFunctions.ts";

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

/** Marks are looked at by words of so many bytes, the last of which may be a half. */
const WORD_BYTES = 8;
/** What is listed of each: the word, and behind it the place of its first element. */
const ENTRY_BYTES = 16;
const ENTRY_PLACE = 8;
const BYTE_BITS = 8;

/** Lists the words of marks in which there are any; without branches, which no processor could predict. */
function listingWords(
  frame: Frame<"marks" | "bytes">,
  { words, end }: Readonly<Record<"words" | "end", Local>>,
): Code {
  const { marks, bytes } = frame.arguments;
  const word = frame.local("i64");
  const whole = i32.and(bytes.get, i32.constant(-WORD_BYTES));
  const listed = (value: Value, index: Value): Code => [
    ...word.set(value),
    ...i64.store(end.get, word.get),
    ...i32.store(end.get, floats(index), ENTRY_PLACE),
    ...end.set(choose(i64.isZero(word.get), end.get, i32.add(end.get, i32.constant(ENTRY_BYTES)))),
  ];
  return [
    ...end.set(words.get),
    ...frame.count(whole, WORD_BYTES, (index) => listed(i64.load(i32.add(marks.get, index)), index)),
    ...when(i32.subtract(bytes.get, whole), listed(i64.loadHalf(i32.add(marks.get, whole)), whole)),
  ];
}

/** Lists what is marked: the places of the elements, and their magnitudes. */
function listing(
  frame: Frame<"x" | "marks" | "bytes">,
  {
    places,
    magnitudes,
    words: entry,
    found,
  }: Readonly<Record<"places" | "magnitudes" | "words" | "found", Local>>,
): Code {
  const { x } = frame.arguments;
  const integer = (): Local => frame.local("i32");
  const [end, bit, first, place, isLast] = [integer(), integer(), integer(), integer(), integer()];
  const [word, rest] = [frame.local("i64"), frame.local("i64")];
  // A bit's byte tells which four, its place in the byte which of them.
  const inByte = i32.and(bit.get, i32.constant(BYTE_BITS - 1));
  const before = i32.shiftRightUnsigned(i32.subtract(bit.get, inByte), i32.constant(1));
  const magnitude = i32.and(i32.load(i32.add(x.get, floats(place.get))), i32.constant(MAGNITUDE));
  return [
    ...listingWords(frame, { words: entry, end }),
    ...word.set(i64.load(entry.get)),
    ...first.set(i32.load(entry.get, ENTRY_PLACE)),
    ...frame.repeat(i32.lessUnsigned(entry.get, end.get), [
      ...bit.set(i32.ofLong(i64.trailingZeros(word.get))),
      ...place.set(i32.add(first.get, i32.add(before, inByte))),
      ...i32.store(i32.add(places.get, found.get), place.get),
      ...i32.store(i32.add(magnitudes.get, found.get), magnitude),
      ...found.set(i32.add(found.get, i32.constant(FLOAT_BYTES))),
      ...rest.set(i64.and(word.get, i64.subtract(word.get, i64.constant(1)))),
      ...isLast.set(i64.isZero(rest.get)),
      ...word.set(choose(isLast.get, i64.load(entry.get, ENTRY_BYTES), rest.get)),
      ...entry.set(i32.add(entry.get, i32.multiply(isLast.get, i32.constant(ENTRY_BYTES)))),
      ...first.set(i32.load(entry.get, ENTRY_PLACE)),
    ]),
  ];
}

/**
 * Moves the elements that are larger than `kth`, and the first `left` of those that are equal, out of x: k in all. `least` becomes
 * the least magnitude of them. What is not moved is written as well, where the next that is will be; so there is no branch that no
 * processor could predict.
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
  const isLeast = i32.and(isMoved.get, i32.lessUnsigned(magnitude.get, least.get));
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
    ...least.set(choose(isLeast, magnitude.get, least.get)),
    ...values.set(i32.add(values.get, floats(isMoved.get))),
    ...shorts.set(i32.add(shorts.get, i32.shiftLeft(isMoved.get, i32.constant(1)))),
    ...k.set(i32.subtract(k.get, isMoved.get)),
    ...index.set(i32.add(index.get, i32.constant(FLOAT_BYTES))),
  ]);
}

/**
 * `(x, marks, bytes, k, list, room, values, shorts) => least`: of the marked elements the k of largest magnitude are moved to
 * `values`, in their order, and their places to `shorts`, 16 bits each; they become zero. Of equal magnitudes the first are taken;
 * what is not a number counts as larger than everything. Marks have a multiple of four bytes. `list` has 3 · `room` elements, where
 * `room` is eight more than there can be marks. Returns the least magnitude that was moved, as bits, or −1 and does nothing where
 * fewer than k are marked; how many are marked is where the list begins.
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
  "i32",
  (frame) => {
    const { k, list: places, room } = frame.arguments;
    const integer = (): Local => frame.local("i32");
    const [magnitudes, words, bytes] = [integer(), integer(), integer()];
    const [kth, isShared, larger, left, least] = [integer(), integer(), integer(), integer(), integer()];
    const found = { magnitudes, bytes };
    return [
      magnitudes.set(i32.add(places.get, floats(room.get))),
      words.set(i32.add(magnitudes.get, floats(room.get))),
      listing(frame, { places, magnitudes, words, found: bytes }),
      least.set(i32.constant(-1)),
      when(i32.greaterOrEqual(bytes.get, floats(k.get)), [
        ...v128.store(i32.add(magnitudes.get, bytes.get), i32x4.splat(i32.constant(-1))),
        ...searching(frame, found, { k, bound: kth, isShared }),
        ...when(isShared.get, [
          ...kth.set(i32.add(kth.get, i32.constant(1))),
          ...countLarger(frame, found, kth.get, larger),
          ...left.set(i32.subtract(k.get, larger.get)),
        ]),
        ...moving(frame, { places, magnitudes, kth, left, least }),
      ]),
      i32.store(places.get, i32.shiftRightUnsigned(bytes.get, i32.constant(2))),
      least.get,
    ];
  },
);
