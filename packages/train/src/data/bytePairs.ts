// Text by GPT-2's byte pairs (Sennrich et al., arXiv 1508.07909, over bytes as in Radford et al. 2019): the encoding and
// its table are gpt-tokenizer's, which brings them along; here are texts longer than a string, vocabularies cut down to
// the tokens that a text has, and any text written in those.

import { ConfigError } from "@atoll/core";
import type { Tokenizer, Vocabulary } from "./vocabulary.ts";

type BytePairVocabulary = Extract<Vocabulary, { kind: "bpe" }>;

/** Ranks 0 to 255 are the single bytes. */
const SINGLE_BYTES = 256;
const END_OF_TEXT = "<|endoftext|>";

/** The whole encoding: text to ranks, and what each rank stands for. */
interface BytePairs {
  encode(text: string): readonly number[];
  bytes(rank: number): Uint8Array;
  readonly size: number;
}

/** Loaded at the first call: half a megabyte of table, about 50 ms. */
async function loadBytePairs(): Promise<BytePairs> {
  const [{ encode }, { default: table }] = await Promise.all([
    import("gpt-tokenizer/encoding/r50k_base"),
    import("gpt-tokenizer/bpeRanks/r50k_base"),
  ]);
  const utf8 = new TextEncoder();
  // What looks like a special token in a text is text: there are no others in it.
  const plain = { disallowedSpecial: new Set<string>() };
  return {
    encode: (text) => Array.from(bounded(text)).flatMap((part) => encode(part, plain)),
    bytes(rank) {
      const entry = rank === table.length ? END_OF_TEXT : table[rank]!;
      return typeof entry === "string" ? utf8.encode(entry) : Uint8Array.from(entry);
    },
    size: table.length + 1,
  };
}

/** Characters of one kind in a row, as the encoding takes them together before it pairs bytes. */
const LONGEST_RUN = 4096;
const RUNS = new RegExp(
  ["\\p{L}", "\\p{N}", "\\s", "[^\\s\\p{L}\\p{N}]"].map((kind) => `${kind}{1,${LONGEST_RUN}}`).join("|"),
  "gu",
);

/**
 * Cuts a text in runs of letters, digits, spaces or signs that are longer than any word: pairing takes time by the square
 * of their length. Such a run's tokens may differ from GPT-2's where it is cut.
 */
function* bounded(text: string): Generator<string> {
  let start = 0;
  for (const { 0: run, index } of text.matchAll(RUNS)) {
    if (run.length < LONGEST_RUN) continue;
    yield text.slice(start, index + run.length);
    start = index + run.length;
  }
  yield text.slice(start);
}

export async function bytePairTokenizer(vocabulary: BytePairVocabulary): Promise<Tokenizer> {
  const pairs = await loadBytePairs();
  const { kept } = vocabulary;
  const rankOf = (token: number): number => (kept === null ? token : kept[token]!);
  const write = kept === null ? (rank: number) => [rank] : writerIn(kept, pairs);
  return {
    vocabulary,
    encode(text) {
      if (!text.isWellFormed())
        throw new ConfigError(
          "Text: expected whole characters, got half of a surrogate pair. Leave it out, or repair the text.",
        );
      return Uint16Array.from(pairs.encode(text).flatMap(write));
    },
    bytes: (token) => pairs.bytes(rankOf(token)),
  };
}

/**
 * How a rank is written in the kept ones: as itself, otherwise as the longest kept beginnings of its bytes one after the
 * other. Single bytes are kept, so it always comes to an end.
 */
function writerIn(kept: readonly number[], pairs: BytePairs): (rank: number) => readonly number[] {
  const key = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
  const tokenOf = new Map(kept.map((rank, token) => [rank, token]));
  let tokenOfBytes: ReadonlyMap<string, number> | undefined;
  return (rank) => {
    const token = tokenOf.get(rank);
    if (token !== undefined) return [token];
    tokenOfBytes ??= new Map(kept.map((each, index) => [key(pairs.bytes(each)), index]));
    const text = key(pairs.bytes(rank));
    const tokens: number[] = [];
    for (let start = 0; start < text.length; ) {
      let end = text.length;
      while (!tokenOfBytes.has(text.slice(start, end))) end--;
      tokens.push(tokenOfBytes.get(text.slice(start, end))!);
      start = end;
    }
    return tokens;
  };
}

/**
 * A text in pieces, none of which ends within a character, as tokens in shared memory.
 * @param keep which tokens the vocabulary has: those that occur, and the single bytes; or all of the encoding
 */
export async function encodePieces(
  pieces: Iterable<string>,
  keep: "occurring" | "all",
): Promise<{ readonly tokens: Uint16Array; readonly vocabulary: BytePairVocabulary }> {
  const pairs = await loadBytePairs();
  const parts: Uint16Array[] = [];
  let rest = "";
  for (const piece of pieces) {
    rest += piece;
    const end = lastCut(rest);
    parts.push(Uint16Array.from(pairs.encode(rest.slice(0, end))));
    rest = rest.slice(end);
  }
  parts.push(Uint16Array.from(pairs.encode(rest)));
  const tokens = new Uint16Array(
    new SharedArrayBuffer(2 * parts.reduce((length, part) => length + part.length, 0)),
  );
  let offset = 0;
  for (const part of parts) {
    tokens.set(part, offset);
    offset += part.length;
  }
  const shared = { kind: "bpe", encoding: "r50k_base" } as const;
  if (keep === "all") return { tokens, vocabulary: { ...shared, size: pairs.size, kept: null } };
  const kept = renumber(tokens);
  return { tokens, vocabulary: { ...shared, size: kept.length, kept } };
}

/**
 * Where a text can be cut without changing its tokens: before the last white space that follows something else. Only a
 * token's beginning is ever white space followed by something else.
 */
function lastCut(text: string): number {
  for (let i = text.length - 1; i > 0; i--) if (/\s/u.test(text[i]!) && !/\s/u.test(text[i - 1]!)) return i;
  return 0;
}

/** Numbers the ranks that occur, and the single bytes, in their order, in place; returns the ranks by number. */
function renumber(tokens: Uint16Array): readonly number[] {
  const occurs = new Uint8Array(2 ** 16).fill(1, 0, SINGLE_BYTES);
  for (const rank of tokens) occurs[rank] = 1;
  const numberOf = new Uint16Array(2 ** 16);
  const kept: number[] = [];
  for (const [rank, is] of occurs.entries()) {
    if (is === 0) continue;
    numberOf[rank] = kept.length;
    kept.push(rank);
  }
  for (let i = 0; i < tokens.length; i++) tokens[i] = numberOf[tokens[i]!]!;
  return kept;
}
