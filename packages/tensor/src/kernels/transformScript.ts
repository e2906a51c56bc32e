// Cosine transforms of four columns at once, written out for one length as statements on registers: Lee's algorithm (IEEE Trans.
// ASSP 32, 1984) without loops. Where elements come from and where coefficients go is transformFunctions.ts's.

import { type Frame, f32x4, type Local, range, type Value, v128 } from "./assembler.ts";
import type { Code } from "./encode.ts";

const LANES = 4;
const REGISTER_BYTES = 16;

/** What the first coefficient of a transform, and all others, are multiplied by so that it keeps lengths (Parseval). */
export const scalesOf = (length: number): { readonly first: number; readonly others: number } => ({
  first: Math.sqrt(1 / length),
  others: Math.sqrt(2 / length),
});

/** Where a table has the scales of the first coefficient, of all others, and that of the first relative to the others. */
export const FIRST = 0;
export const OTHERS = 1;
export const RELATIVE = 2;
const SCALES = 3;

/**
 * The numbers that a transform of this length multiplies by, four times each, [4 · (length + 3)] at most: scales, what differences
 * are multiplied by where a length is halved, and the cosines of the odd length at the end. It takes one instruction to load a
 * register from anywhere, and two to fill it with one number.
 */
export function tableOf(length: number): Float32Array {
  const { first, others } = scalesOf(length);
  const numbers = [first, others, first / others];
  let half = length;
  for (; half % 2 === 0; half /= 2)
    for (let n = 0; n < half / 2; n++) numbers.push(0.5 / Math.cos((Math.PI * (2 * n + 1)) / (2 * half)));
  for (let quarter = 0; quarter < (half === 1 ? 0 : half); quarter++)
    numbers.push(Math.cos((Math.PI * quarter) / (2 * half)));
  return Float32Array.from(numbers.flatMap((number) => new Array<number>(LANES).fill(number)));
}

/** Where the halving of a length has its factors in the table, and where the odd length at the end has its cosines. */
const factorsAt = (whole: number, length: number): number => SCALES + whole - length;

/** An element of four columns. */
export type Element = Pick<Local, "get">;

/** Writes out one transform: statements, in the order in which they are to be run. */
export interface Script {
  readonly code: Code[];
  /** A value that is used again. */
  keep(value: Value): Local;
  /** A value that is computed where it is used first, so that it need not wait for that in memory. */
  later(value: () => Value): Element;
  /** value · table[index] */
  scaled(value: Value, index: number): Value;
}

export function scriptOf(frame: Frame<string>, table: Local): Script {
  const code: Code[] = [];
  const keep = (value: Value): Local => {
    const local = frame.local("v128");
    code.push(local.set(value));
    return local;
  };
  return {
    code,
    keep,
    later(value) {
      let kept: Local | undefined;
      return {
        get get() {
          kept ??= keep(value());
          return kept.get;
        },
      };
    },
    scaled: (value, index) => f32x4.multiply(value, v128.load(table.get, REGISTER_BYTES * index)),
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
  terms: readonly { readonly x: Element; readonly a: number }[],
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
function multipliedOut(script: Script, xs: readonly Element[], at: number): readonly Element[] {
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
function multipliedBack(script: Script, xs: readonly Element[], at: number): readonly Element[] {
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
function halved(
  script: Script,
  xs: readonly Element[],
  halvings: number,
  whole: number,
): readonly Element[][] {
  const length = xs.length / 2 ** halvings;
  const groups = range(length).map((n) =>
    groupOf(script, (i) => xs[i]!, { n, length: xs.length, halvings, whole }),
  );
  return range(2 ** halvings).map((block) => groups.map((group) => group[block]!));
}

/** Element n of each block. */
function groupOf(
  script: Script,
  x: (index: number) => Element,
  {
    n,
    length,
    halvings,
    whole,
  }: { readonly n: number; readonly length: number; readonly halvings: number; readonly whole: number },
): readonly Element[] {
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
export function forward(script: Script, xs: readonly Element[], whole: number): readonly Value[] {
  const N = xs.length;
  if (N % 2 === 1) return multipliedOut(script, xs, factorsAt(whole, N)).map(({ get }) => get);
  const halvings = halvingsOf(N);
  return joined(script, halved(script, xs, halvings, whole), whole);
}

/** The coefficients of all blocks, by those of the blocks of sums and of differences. */
function joined(script: Script, blocks: readonly (readonly Element[])[], whole: number): readonly Value[] {
  if (blocks.length === 1) return forward(script, blocks[0]!, whole);
  const even = joined(script, blocks.slice(0, blocks.length / 2), whole);
  const odd = joined(script, blocks.slice(blocks.length / 2), whole).map((value) => script.keep(value));
  return even.flatMap((value, k) => {
    const next = odd[k + 1];
    return [value, next === undefined ? odd[k]!.get : f32x4.add(odd[k]!.get, next.get)];
  });
}

/** x[n] = Σ X[k] cos(π(2n + 1)k / 2N), the transpose of `forward`: elements are put in the order in which they are made. */
export function inverse(
  script: Script,
  xs: readonly Element[],
  whole: number,
  put: (x: Element, n: number) => void,
): void {
  const N = xs.length;
  if (N % 2 === 1) {
    for (const [n, x] of multipliedBack(script, xs, factorsAt(whole, N)).entries()) put(x, n);
    return;
  }
  const blocks = parted(script, xs, halvingsOf(N)).map((block) => {
    const elements = new Array<Element>(block.length);
    inverse(script, block, whole, (x, n) => {
      elements[n] = x;
    });
    return elements;
  });
  for (const n of blocks[0]!.keys()) {
    const elements = blocks.map((block) => block[n]!);
    for (const { x, index } of spread(script, elements, { n, length: N, whole })) put(x, index);
  }
}

/** The transpose of `joined`: what the blocks of sums and of differences are transformed back from. */
function parted(script: Script, xs: readonly Element[], halvings: number): readonly (readonly Element[])[] {
  if (halvings === 0) return [xs];
  const half = range(xs.length / 2);
  const even = half.map((k) => xs[2 * k]!);
  const odd = half.map((k) =>
    k === 0 ? xs[1]! : script.later(() => f32x4.add(xs[2 * k + 1]!.get, xs[2 * k - 1]!.get)),
  );
  return [...parted(script, even, halvings - 1), ...parted(script, odd, halvings - 1)];
}

/** The transpose of `groupOf`: element n of each block becomes those elements of the whole that are made of these alone. */
function spread(
  script: Script,
  xs: readonly Element[],
  { n, length, whole }: { readonly n: number; readonly length: number; readonly whole: number },
): readonly { readonly x: Element; readonly index: number }[] {
  if (xs.length === 1) return [{ x: xs[0]!, index: n }];
  const half = { n, length: length / 2, whole };
  const sums = spread(script, xs.slice(0, xs.length / 2), half);
  const differences = spread(script, xs.slice(xs.length / 2), half);
  return sums.flatMap(({ x: sum, index }, i) => {
    const difference = script.keep(script.scaled(differences[i]!.x.get, factorsAt(whole, length) + index));
    return [
      { x: script.keep(f32x4.add(sum.get, difference.get)), index },
      { x: script.keep(f32x4.subtract(sum.get, difference.get)), index: length - 1 - index },
    ];
  });
}
