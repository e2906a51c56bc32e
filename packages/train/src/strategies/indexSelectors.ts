// Which few of a vector's elements a round is about: drawn from the shared stream, so every rank knows them and nothing
// is sent for the choice. The three ways are EXO Gym's; each chooses exactly as many elements as it is asked for.

import { type Random, unreachable } from "@atoll/core";

export const selectorKinds = ["random", "shuffledSequential", "partitioned"] as const;

/**
 * - random: each round draws anew.
 * - shuffledSequential: all elements are shuffled once, and rounds go through that order again and again.
 * - partitioned: the elements are shuffled and dealt to rounds; when there are too few left for one more, dealt anew.
 */
export type SelectorKind = (typeof selectorKinds)[number];

export interface Selection {
  /** The same on every rank. */
  readonly random: Random;
  /** From 1. */
  readonly round: number;
  /** Elements there are. */
  readonly length: number;
  /** Elements to choose, at most `length`. */
  readonly count: number;
}

/** The chosen indices, all different, only to be read; a pure function of its argument, whatever was asked before. */
export type IndexSelector = (selection: Selection) => Uint32Array;

export function indexSelector(kind: SelectorKind): IndexSelector {
  const shuffled = rememberedPermutation();
  switch (kind) {
    case "random":
      return rememberedSelection(({ random, round, length, count }) =>
        sample(random.derive("elements", round), length, count),
      );
    case "shuffledSequential":
      return ({ random, round, length, count }) => {
        const order = shuffled(random.derive("elements"), length);
        const start = ((round - 1) * count) % length;
        return Uint32Array.from({ length: count }, (_, i) => order[(start + i) % length]!);
      };
    case "partitioned":
      return ({ random, round, length, count }) => {
        const parts = Math.floor(length / count);
        const cycle = Math.floor((round - 1) / parts);
        const start = ((round - 1) % parts) * count;
        return shuffled(random.derive("elements", cycle), length).subarray(start, start + count);
      };
    default:
      return unreachable(kind);
  }
}

/** `count` different integers below `length`, each set as likely as any other, ascending (Floyd's algorithm). */
function sample(random: Random, length: number, count: number): Uint32Array {
  const taken = new Uint8Array(length);
  const chosen = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const last = length - count + i;
    const drawn = random.integer(last + 1);
    const index = taken[drawn] === 0 ? drawn : last;
    taken[index] = 1;
    chosen[i] = index;
  }
  return chosen.sort();
}

/** Permutations of a stream; the last one is kept, since all ranks ask for it in many rounds and drawing it is slow. */
function rememberedPermutation(): (random: Random, length: number) => Uint32Array {
  let last: { readonly name: string; readonly order: Uint32Array } | undefined;
  return (random, length) => {
    const name = `${random.key}:${length}`;
    if (last?.name !== name) last = { name, order: random.permutation(length) };
    return last.order;
  };
}

/** What all ranks ask for in a round is drawn once: of the round itself, and of one that is written back. */
const KEPT_SELECTIONS = 2;

function rememberedSelection(select: IndexSelector): IndexSelector {
  const kept = new Map<string, Uint32Array>();
  return (selection) => {
    const { random, round, length, count } = selection;
    const name = [random.key, round, length, count].join();
    let chosen = kept.get(name);
    if (chosen === undefined) {
      chosen = select(selection);
      const oldest = kept.keys().next();
      if (kept.size === KEPT_SELECTIONS && !oldest.done) kept.delete(oldest.value);
      kept.set(name, chosen);
    }
    return chosen;
  };
}
