// Cosine transforms of the columns of a matrix (see transformScript.ts), as WebAssembly functions on byte offsets (see
// transforms.ts). Strides are in elements, widths multiples of four.

import { assemble, type Frame, f32x4, i32, LANES, type Local, range, type Value, v128 } from "./assembler.ts";
import type { Code, ValueType, WasmFunction } from "./encode.ts";
import { LINE_BYTES } from "./manyVectors.ts";
import { signsOf } from "./roundingFunctions.ts";
import { markAt, marking, markOffset } from "./selectionFunctions.ts";
import {
  type Element,
  FIRST,
  forward,
  inverse,
  OTHERS,
  RELATIVE,
  type Script,
  scriptOf,
} from "./transformScript.ts";

const FOUR = [0, 1, 2, 3] as const;
const REGISTER_BYTES = 16;
const FLOAT_BYTES = 4;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));
const row = (start: Value, index: Value, stride: Value): Value =>
  i32.add(start, floats(i32.multiply(index, stride)));

/** Four rows of four elements, transposed. */
function transposed(script: Script, [a, b, c, d]: readonly Value[]): readonly Value[] {
  const mixed = (x: Value, y: Value, bytes: readonly number[]): Value => v128.shuffle(x, y, bytes);
  const [lowAb, lowCd] = [script.keep(mixed(a!, b!, LANES.low)), script.keep(mixed(c!, d!, LANES.low))];
  const [highAb, highCd] = [script.keep(mixed(a!, b!, LANES.high)), script.keep(mixed(c!, d!, LANES.high))];
  return [
    mixed(lowAb.get, lowCd.get, LANES.first),
    mixed(lowAb.get, lowCd.get, LANES.last),
    mixed(highAb.get, highCd.get, LANES.first),
    mixed(highAb.get, highCd.get, LANES.last),
  ];
}

const COLUMNS = { x: "i32", width: "i32", out: "i32", table: "i32" } as const;

/** Columns of so many elements, which lie `stride` apart, as what is made of them lies `outStride` apart. */
export interface Columns {
  readonly length: number;
  readonly stride: number;
  readonly outStride: number;
}

/** What becomes of four results, which belong at `target` and so many bytes behind it. */
interface Writer {
  readonly begin: Code;
  write(four: Local, target: Local, offset: number): Code;
  /** Statements that are spread over the transform of each four columns. */
  readonly meanwhile?: readonly Code[];
  readonly result?: Value;
}

const storing = (): Writer => ({
  begin: [],
  write: (four, target, offset) => v128.store(target.get, four.get, offset),
});

/** Further parameters of a function, its result, and what it does with what the transform gives. */
interface Use<P extends string> {
  readonly parameters: Readonly<Record<P, ValueType>>;
  readonly result?: ValueType;
  readonly writer: (frame: Frame<P | keyof typeof COLUMNS>) => Writer;
}

/** Of four columns: puts each of the results, in the order in which they are made; each is used once. */
type Transform = (script: Script, loaded: readonly Element[], put: (k: number, value: Value) => void) => void;

/** Writes what a transform makes of four columns, the first of which has this number. */
type Placing = (
  script: Script,
  column: Value,
  transformed: (put: (k: number, value: Value) => void) => void,
  write: Writer["write"],
) => void;

/** How results are placed in `out`; `target` is a local of its own. */
type Placement = (columns: Columns, out: Local, target: Local) => Placing;

/** As columns of the same kind. */
const straight: Placement =
  ({ outStride }, out, target) =>
  (script, column, transformed, write) => {
    script.code.push(target.set(i32.add(out.get, floats(column))));
    transformed((k, value) =>
      script.code.push(write(script.keep(value), target, FLOAT_BYTES * outStride * k)),
    );
  };

/** Transposed: a column becomes a row, which is filled up with zeros to a multiple of four. */
const intoRows: Placement =
  ({ length, outStride }, out, target) =>
  (script, column, transformed, write) => {
    const start = i32.multiply(column, i32.constant(FLOAT_BYTES * outStride));
    script.code.push(target.set(i32.add(out.get, start)));
    const made: Value[] = [];
    transformed((k, value) => {
      made[k] = value;
    });
    for (let k = 0; k < length; k += FOUR.length) {
      const rows = transposed(
        script,
        FOUR.map((j) => made[k + j] ?? v128.zero()),
      );
      for (const j of FOUR)
        script.code.push(write(script.keep(rows[j]!), target, FLOAT_BYTES * (j * outStride + k)));
    }
  };

/** The function that loads four columns, does `transform` and writes the results as `placement` says. */
const ofColumns = <P extends string = never>(
  name: string,
  placement: Placement,
  columns: Columns,
  transform: Transform,
  { parameters, result, writer }: Use<P> = {
    parameters: {} as Readonly<Record<P, ValueType>>,
    writer: storing,
  },
): WasmFunction =>
  assemble(name, { ...COLUMNS, ...parameters }, result, (frame) => {
    const { length, stride } = columns;
    const { x, width, out, table } = frame.arguments;
    const source = frame.local("i32");
    const place = placement(columns, out, frame.local("i32"));
    const { begin, write, meanwhile = [], result: left = [] } = writer(frame);
    return [
      begin,
      frame.count(width.get, FOUR.length, (column) => {
        const script = scriptOf(frame, table);
        script.code.push(source.set(i32.add(x.get, floats(column))));
        const loaded = range(length).map((r) =>
          script.later(() => v128.load(source.get, FLOAT_BYTES * stride * r)),
        );
        place(script, column, (put) => transform(script, loaded, put), write);
        return spreadOver(script.code, meanwhile).flat();
      }),
      left,
    ];
  });

/** Statements with others among them, at even distances. */
function spreadOver(code: readonly Code[], others: readonly Code[]): readonly Code[] {
  const place = (i: number): number => Math.floor((i * others.length) / code.length);
  return code.flatMap((statement, i) => [...others.slice(place(i), place(i + 1)), statement]);
}

const scaleOf = (k: number): number => (k === 0 ? FIRST : OTHERS);

const coefficientsOf =
  (length: number): Transform =>
  (script, xs, put) => {
    for (const [k, coefficient] of forward(script, xs, length).entries())
      put(k, script.scaled(coefficient, scaleOf(k)));
  };

/** Coefficients that are yet to be multiplied by the scale of all but the first. */
const unscaledOf =
  (length: number): Transform =>
  (script, xs, put) => {
    for (const [k, coefficient] of forward(script, xs, length).entries())
      put(k, k === 0 ? script.scaled(coefficient, RELATIVE) : coefficient);
  };

/** `(x, width, out, table)`: each column of x [length, width] -> one of out [length, width]. */
export const forwardColumns = (columns: Columns): WasmFunction =>
  ofColumns("forwardColumns", straight, columns, coefficientsOf(columns.length));

/** `(x, width, out, table)`: each column of x [length, width] -> a row of out [width, length]. */
export const forwardIntoRows = (columns: Columns): WasmFunction =>
  ofColumns("forwardIntoRows", intoRows, columns, coefficientsOf(columns.length));

/**
 * Statements that read a word of each of so many cache lines from `address` on, which become part of `read`: what is read for
 * nothing would not be read. All at once, the loads would hold up what comes next until the lines are there.
 */
const fetching = (read: Local, address: Local, lines: number): readonly Code[] =>
  range(lines).map((line) => read.set(i32.or(read.get, i32.load(address.get, LINE_BYTES * line))));

/**
 * `(x, width, out, table, ahead) => read`: as `forwardIntoRows`, but for the scale of all coefficients but the first, by which all
 * are yet to be multiplied; meanwhile it fetches as many elements from `ahead` on. Only for multiples of four.
 */
export const forwardAndFetch = (columns: Columns): WasmFunction =>
  ofColumns("forwardAndFetch", intoRows, columns, unscaledOf(columns.length), {
    parameters: { ahead: "i32" },
    result: "i32",
    writer(frame) {
      const { ahead } = frame.arguments;
      const read = frame.local("i32");
      const bytes = FOUR.length * FLOAT_BYTES * columns.length;
      return {
        ...storing(),
        meanwhile: [
          ...fetching(read, ahead, bytes / LINE_BYTES),
          ahead.set(i32.add(ahead.get, i32.constant(bytes))),
        ],
        result: read.get,
      };
    },
  });

/**
 * `(x, width, out, table, decay, factor, threshold, marks, ahead, aheadStride) => read`: as `forwardColumns`, whose coefficients
 * are added to what is there: out ← decay · out + factor · coefficients, these without the scale of all but the first, which is a
 * part of the factor; `marking` marks which elements of out, [length, outStride], reach the threshold. Meanwhile it fetches what
 * lies at `ahead` [width, length], rows so many bytes apart. Only for multiples of four.
 */
export const addColumns = (columns: Columns): WasmFunction =>
  ofColumns("addColumns", straight, columns, unscaledOf(columns.length), {
    parameters: {
      decay: "f32",
      factor: "f32",
      threshold: "i32",
      marks: "i32",
      ahead: "i32",
      aheadStride: "i32",
    },
    result: "i32",
    writer(frame) {
      const { out, decay, factor, threshold, marks, ahead, aheadStride } = frame.arguments;
      const read = frame.local("i32");
      const [kept, added, sum] = [frame.local("v128"), frame.local("v128"), frame.local("v128")];
      const { begin, mark } = marking(frame, threshold);
      return {
        begin: [...begin, ...kept.set(f32x4.splat(decay.get)), ...added.set(f32x4.splat(factor.get))],
        meanwhile: FOUR.flatMap(() => [
          ...fetching(read, ahead, Math.ceil((FLOAT_BYTES * columns.length) / LINE_BYTES)),
          ahead.set(i32.add(ahead.get, aheadStride.get)),
        ]),
        result: read.get,
        write: (four, target, offset) => [
          ...sum.set(
            f32x4.add(
              f32x4.multiply(v128.load(target.get, offset), kept.get),
              f32x4.multiply(four.get, added.get),
            ),
          ),
          ...v128.store(target.get, sum.get, offset),
          ...mark(sum, i32.add(marks.get, markAt(i32.subtract(target.get, out.get))), markOffset(offset)),
        ],
      };
    },
  });

const elementsOf =
  (length: number): Transform =>
  (script, coefficients, put) => {
    const scaled = coefficients.map((x, k) => script.later(() => script.scaled(x.get, scaleOf(k))));
    inverse(script, scaled, length, ({ get }, n) => put(n, get));
  };

/** The inverse of `forwardColumns`, of the same form. */
export const inverseColumns = (columns: Columns): WasmFunction =>
  ofColumns("inverseColumns", straight, columns, elementsOf(columns.length));

/** The same of `forwardIntoRows`'s form. */
export const inverseIntoRows = (columns: Columns): WasmFunction =>
  ofColumns("inverseIntoRows", intoRows, columns, elementsOf(columns.length));

/** As `inverseColumns`, of which only signs are written: 1, 0, −1, or what is not a number. */
export const inverseSigns = (columns: Columns): WasmFunction =>
  ofColumns("inverseSigns", straight, columns, elementsOf(columns.length), {
    parameters: {},
    writer: () => ({
      begin: [],
      write: (four, target, offset) => v128.store(target.get, signsOf(four), offset),
    }),
  });

/** Bytes that are copied at a time: a cache line, a register, an element. */
const PIECES = [64, REGISTER_BYTES, FLOAT_BYTES] as const;

/**
 * `(x, stride, rows, width, out, outStride)`: rows of x that lie `stride` apart, `outStride` apart in `out`, which may begin at x
 * where it lies closer.
 */
export const copyRows: WasmFunction = assemble(
  "copyRows",
  { x: "i32", stride: "i32", rows: "i32", width: "i32", out: "i32", outStride: "i32" },
  undefined,
  (frame) => {
    const { x, stride, rows, width, out, outStride } = frame.arguments;
    const [from, to, left] = [frame.local("i32"), frame.local("i32"), frame.local("i32")];
    const registers = range(4).map(() => frame.local("v128"));
    const copied = (bytes: (typeof PIECES)[number]): Code => {
      if (bytes === FLOAT_BYTES) return i32.store(to.get, i32.load(from.get));
      const used = registers.slice(0, bytes / REGISTER_BYTES);
      return [
        ...used.flatMap((register, i) => register.set(v128.load(from.get, REGISTER_BYTES * i))),
        ...used.flatMap((register, i) => v128.store(to.get, register.get, REGISTER_BYTES * i)),
      ];
    };
    return [
      frame.count(rows.get, 1, (r) => [
        ...from.set(row(x.get, r, stride.get)),
        ...to.set(row(out.get, r, outStride.get)),
        ...left.set(floats(width.get)),
        ...PIECES.flatMap((bytes) =>
          frame.repeat(i32.greaterOrEqualUnsigned(left.get, i32.constant(bytes)), [
            ...copied(bytes),
            ...from.set(i32.add(from.get, i32.constant(bytes))),
            ...to.set(i32.add(to.get, i32.constant(bytes))),
            ...left.set(i32.subtract(left.get, i32.constant(bytes))),
          ]),
        ),
      ]),
    ];
  },
);
