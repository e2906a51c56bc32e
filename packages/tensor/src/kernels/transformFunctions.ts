// Cosine transforms of the columns of a matrix, as WebAssembly functions on byte offsets (see transforms.ts), written out for
// one length: Lee's algorithm (IEEE Trans. ASSP 32, 1984) without loops, four columns at once. Strides are in elements, widths
// multiples of four. Results are turned: a column becomes a row, which is filled up with zeros to a multiple of four.

import { assemble, type Frame, f32x4, i32, LANES, type Local, range, type Value, v128 } from "./assembler.ts";
import type { Code, WasmFunction } from "./encode.ts";

const FOUR = [0, 1, 2, 3] as const;
const REGISTER_BYTES = 16;
const FLOAT_BYTES = 4;

const floats = (count: Value): Value => i32.shiftLeft(count, i32.constant(2));
const row = (start: Value, index: Value, stride: Value): Value =>
  i32.add(start, floats(i32.multiply(index, stride)));

/**
 * The numbers that a transform of this length multiplies by, [2 · length] at most: the scales of the first coefficient and
 * of the others, what differences are multiplied by where a length is halved, and the cosines of the odd length at the end.
 */
export function tableOf(length: number): Float32Array {
  const numbers = [Math.sqrt(1 / length), Math.sqrt(2 / length)];
  let half = length;
  for (; half % 2 === 0; half /= 2)
    for (let n = 0; n < half / 2; n++) numbers.push(0.5 / Math.cos((Math.PI * (2 * n + 1)) / (2 * half)));
  for (let quarter = 0; quarter < (half === 1 ? 0 : half); quarter++)
    numbers.push(Math.cos((Math.PI * quarter) / (2 * half)));
  return Float32Array.from(numbers);
}

/** Where the halving of a length has its factors in the table, and where the odd length at the end has its cosines. */
const factorsAt = (whole: number, length: number): number => 2 + whole - length;

/** Writes out one transform: statements, in the order in which they are to be run. */
interface Script {
  readonly code: Code[];
  /** A value that is used again. */
  keep(value: Value): Local;
  /** value · table[index] */
  scaled(value: Value, index: number): Value;
}

function scriptOf(frame: Frame<string>, table: Local): Script {
  const code: Code[] = [];
  return {
    code,
    keep(value) {
      const local = frame.local("v128");
      code.push(local.set(value));
      return local;
    },
    scaled: (value, index) => f32x4.multiply(value, v128.loadSplat(table.get, FLOAT_BYTES * index)),
  };
}

/** cos(π a / 2N) · value for an odd N, by the cosines of the first quarter; nothing where it is zero. */
function timesCosine(
  script: Script,
  value: Value,
  a: number,
  N: number,
  at: number,
): { readonly value: Value; readonly negative: boolean } | undefined {
  const turn = a % (4 * N);
  const mirrored = turn > 2 * N ? 4 * N - turn : turn;
  if (mirrored === N) return undefined;
  const negative = mirrored > N;
  const quarter = negative ? 2 * N - mirrored : mirrored;
  return { value: quarter === 0 ? value : script.scaled(value, at + quarter), negative };
}

/** Σ cos(π a / 2N) x over some terms; zero if all vanish. */
function sumOfCosines(
  script: Script,
  terms: readonly { readonly x: Local; readonly a: number }[],
  N: number,
  at: number,
): Local {
  let sum: Value | undefined;
  for (const { x, a } of terms) {
    const term = timesCosine(script, x.get, a, N, at);
    if (term === undefined) continue;
    if (sum === undefined) sum = term.negative ? f32x4.subtract(v128.zero(), term.value) : term.value;
    else sum = term.negative ? f32x4.subtract(sum, term.value) : f32x4.add(sum, term.value);
  }
  return script.keep(sum ?? v128.zero());
}

/**
 * X[k] = Σ x[n] cos(π(2n + 1)k / 2N) for an odd N: even k see the sums of the two ends, and odd k their differences, so half of
 * all products are enough.
 */
function multipliedOut(script: Script, xs: readonly Local[], at: number): readonly Local[] {
  const N = xs.length;
  if (N === 1) return xs;
  const ends = range((N - 1) / 2).map((n) => ({ a: xs[n]!, b: xs[N - 1 - n]! }));
  const sums = ends.map(({ a, b }) => script.keep(f32x4.add(a.get, b.get)));
  const differences = ends.map(({ a, b }) => script.keep(f32x4.subtract(a.get, b.get)));
  return range(N).map((k) => {
    const terms = k % 2 === 0 ? [...sums, xs[(N - 1) / 2]!] : differences;
    return sumOfCosines(
      script,
      terms.map((x, n) => ({ x, a: (2 * n + 1) * k })),
      N,
      at,
    );
  });
}

/** x[n] = Σ X[k] cos(π(2n + 1)k / 2N), its transpose: what even k give is the same at both ends, what odd k give turns its sign. */
function multipliedBack(script: Script, xs: readonly Local[], at: number): readonly Local[] {
  const N = xs.length;
  if (N === 1) return xs;
  const half = (N - 1) / 2;
  const part = (n: number, parity: 0 | 1): Local =>
    sumOfCosines(
      script,
      xs.flatMap((x, k) => (k % 2 === parity ? [{ x, a: (2 * n + 1) * k }] : [])),
      N,
      at,
    );
  const even = range(half + 1).map((n) => part(n, 0));
  const odd = range(half).map((n) => part(n, 1));
  const near = odd.map((o, n) => script.keep(f32x4.add(even[n]!.get, o.get)));
  const far = odd.map((o, n) => script.keep(f32x4.subtract(even[n]!.get, o.get)));
  return [...near, even[half]!, ...far.toReversed()];
}

/** How often a length is halved in one go: eight elements and what becomes of them fit into the sixteen registers. */
const HALVINGS = 3;

/** How often a length can be halved in one go. */
function halvingsOf(length: number): number {
  let halvings = 0;
  for (let half = length; half % 2 === 0 && halvings < HALVINGS; half /= 2) halvings++;
  return halvings;
}

/**
 * The first so many halvings: the blocks whose transforms are those of the sums, and of the differences, of the two ends.
 * Positions that meet each other in them are dealt with together, so that nothing has to leave the registers on the way.
 */
function halved(script: Script, xs: readonly Local[], halvings: number, whole: number): readonly Local[][] {
  const length = xs.length / 2 ** halvings;
  const groups = range(length).map((n) =>
    groupOf(script, (i) => xs[i]!, { n, length: xs.length, halvings, whole }),
  );
  return range(2 ** halvings).map((block) => groups.map((group) => group[block]!));
}

/** Element n of each block. */
function groupOf(
  script: Script,
  x: (index: number) => Local,
  {
    n,
    length,
    halvings,
    whole,
  }: { readonly n: number; readonly length: number; readonly halvings: number; readonly whole: number },
): readonly Local[] {
  if (halvings === 0) return [x(n)];
  const pairs = new Map<number, { readonly sum: Local; readonly difference: Local }>();
  const pair = (i: number): { readonly sum: Local; readonly difference: Local } => {
    const present = pairs.get(i);
    if (present !== undefined) return present;
    const [near, far] = [x(i), x(length - 1 - i)];
    const made = {
      sum: script.keep(f32x4.add(near.get, far.get)),
      difference: script.keep(script.scaled(f32x4.subtract(near.get, far.get), factorsAt(whole, length) + i)),
    };
    pairs.set(i, made);
    return made;
  };
  const next = { n, length: length / 2, halvings: halvings - 1, whole };
  return [...groupOf(script, (i) => pair(i).sum, next), ...groupOf(script, (i) => pair(i).difference, next)];
}

/** X[k] = Σ x[n] cos(π(2n + 1)k / 2N), as values that are used once. */
function forward(script: Script, xs: readonly Local[], whole: number): readonly Value[] {
  const N = xs.length;
  if (N % 2 === 1) return multipliedOut(script, xs, factorsAt(whole, N)).map(({ get }) => get);
  const halvings = halvingsOf(N);
  return joined(script, halved(script, xs, halvings, whole), whole);
}

/** The coefficients of all blocks, by those of the blocks of sums and of differences. */
function joined(script: Script, blocks: readonly (readonly Local[])[], whole: number): readonly Value[] {
  if (blocks.length === 1) return forward(script, blocks[0]!, whole);
  const even = joined(script, blocks.slice(0, blocks.length / 2), whole);
  const odd = joined(script, blocks.slice(blocks.length / 2), whole).map((value) => script.keep(value));
  return even.flatMap((value, k) => {
    const next = odd[k + 1];
    return [value, next === undefined ? odd[k]!.get : f32x4.add(odd[k]!.get, next.get)];
  });
}

/** x[n] = Σ X[k] cos(π(2n + 1)k / 2N), the transpose of `forward`. */
function inverse(script: Script, xs: readonly Local[], whole: number): readonly Local[] {
  const N = xs.length;
  const at = factorsAt(whole, N);
  if (N % 2 === 1) return multipliedBack(script, xs, at);
  const half = range(N / 2);
  const even = half.map((k) => xs[2 * k]!);
  const odd = half.map((k) =>
    k === 0 ? xs[1]! : script.keep(f32x4.add(xs[2 * k + 1]!.get, xs[2 * k - 1]!.get)),
  );
  const sums = inverse(script, even, whole);
  const differences = inverse(script, odd, whole).map((d, n) => script.keep(script.scaled(d.get, at + n)));
  const near = half.map((n) => script.keep(f32x4.add(sums[n]!.get, differences[n]!.get)));
  const far = half.map((n) => script.keep(f32x4.subtract(sums[n]!.get, differences[n]!.get)));
  return [...near, ...far.toReversed()];
}

/** Four rows of four elements, turned. */
function turned(script: Script, [a, b, c, d]: readonly Value[]): readonly Value[] {
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

const COLUMNS = {
  x: "i32",
  stride: "i32",
  width: "i32",
  out: "i32",
  outStride: "i32",
  table: "i32",
} as const;

/** The function that loads four columns, does `transform` and writes them as rows. */
const ofColumns = (
  name: string,
  length: number,
  transform: (script: Script, loaded: readonly Local[]) => (k: number) => Value,
): WasmFunction =>
  assemble(name, COLUMNS, undefined, (frame) => {
    const { x, stride, width, out, outStride, table } = frame.arguments;
    const source = frame.local("i32");
    const targets = FOUR.map(() => frame.local("i32"));
    return [
      frame.count(width.get, FOUR.length, (column) => {
        const script = scriptOf(frame, table);
        script.code.push(source.set(i32.add(x.get, floats(column))));
        const loaded = range(length).map(() => {
          const element = script.keep(v128.load(source.get));
          script.code.push(source.set(i32.add(source.get, floats(stride.get))));
          return element;
        });
        const made = transform(script, loaded);
        for (const j of FOUR)
          script.code.push(targets[j]!.set(row(out.get, i32.add(column, i32.constant(j)), outStride.get)));
        for (let k = 0; k < length; k += FOUR.length) {
          const rows = turned(
            script,
            FOUR.map((j) => (k + j < length ? made(k + j) : v128.zero())),
          );
          for (const j of FOUR) script.code.push(v128.store(targets[j]!.get, rows[j]!, FLOAT_BYTES * k));
        }
        return script.code.flat();
      }),
    ];
  });

const scaleOf = (k: number): number => (k === 0 ? 0 : 1);

/** `(x, stride, width, out, outStride, table)`: each column of x [length, width] -> a row of out [width, length]. */
export const forwardColumns = (length: number): WasmFunction =>
  ofColumns("forwardColumns", length, (script, xs) => {
    const coefficients = forward(script, xs, length);
    return (k) => script.scaled(coefficients[k]!, scaleOf(k));
  });

/** The inverse of `forwardColumns`, of the same form. */
export const inverseColumns = (length: number): WasmFunction =>
  ofColumns("inverseColumns", length, (script, coefficients) => {
    const scaled = coefficients.map((x, k) => script.keep(script.scaled(x.get, scaleOf(k))));
    const elements = inverse(script, scaled, length);
    return (n) => elements[n]!.get;
  });

/** `(x, stride, rows, width, out)`: rows of x that lie `stride` apart, one after the other in `out`. */
export const copyRows: WasmFunction = assemble(
  "copyRows",
  { x: "i32", stride: "i32", rows: "i32", width: "i32", out: "i32" },
  undefined,
  (frame) => {
    const { x, stride, rows, width, out } = frame.arguments;
    const [from, to] = [frame.local("i32"), frame.local("i32")];
    return [
      frame.count(rows.get, 1, (r) => [
        ...from.set(row(x.get, r, stride.get)),
        ...to.set(row(out.get, r, width.get)),
        ...frame.count(floats(width.get), REGISTER_BYTES, (at) =>
          v128.store(i32.add(to.get, at), v128.load(i32.add(from.get, at))),
        ),
      ]),
    ];
  },
);
