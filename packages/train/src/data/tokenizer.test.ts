// Text to tokens and back: arbitrary Unicode, by characters and by byte pairs, in whole vocabularies and in ones cut down
// to a text.

import { ConfigError } from "@atoll/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodePieces } from "./bytePairs.ts";
import { createDecoder, createTokenizer } from "./tokenizer.ts";
import { characterVocabulary, type Tokenizer, type Vocabulary } from "./vocabulary.ts";

/** Any code points, and words with spaces, which make longer byte pairs. */
const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        "the",
        " king",
        "’s",
        "\n\n",
        "  ",
        "Zürich",
        "王",
        "🙂",
        "<|endoftext|>",
        "\ufeff",
        "42",
      ),
    )
    .map((words) => words.join("")),
);
const whole: Vocabulary = { kind: "bpe", encoding: "r50k_base", size: 50_257, kept: null };

const textOf = (tokenizer: Tokenizer, tokens: Iterable<number>): string => {
  const decoder = createDecoder(tokenizer);
  return Array.from(tokens, (token) => decoder.push(token)).join("") + decoder.end();
};

test("any text comes back from GPT-2's byte pairs, and from those of some other text", async () => {
  const all = await createTokenizer(whole);
  const { vocabulary } = await encodePieces(["The king is dead, long live the king!"], "occurring");
  const few = await createTokenizer(vocabulary);
  fc.assert(
    fc.property(texts, (text) => {
      for (const tokenizer of [all, few]) {
        const tokens = tokenizer.encode(text);
        expect(textOf(tokenizer, tokens)).toBe(text);
        expect(tokens.every((token) => token < tokenizer.vocabulary.size)).toBe(true);
      }
    }),
  );
});

test("the byte pairs are GPT-2's, and what looks like a special token is text", async () => {
  const { encode, bytes } = await createTokenizer(whole);
  expect([...encode("Hello world")]).toEqual([15_496, 995]);
  expect([...encode("<|endoftext|>")]).toEqual([27, 91, 437, 1659, 5239, 91, 29]);
  expect(new TextDecoder().decode(bytes(50_256))).toBe("<|endoftext|>");
  const singles = Array.from({ length: 256 }, (_, token) => bytes(token));
  expect(singles.every(({ length }) => length === 1)).toBe(true);
  expect(new Set(singles.map(([byte]) => byte)).size).toBe(256);
});

test("a text in pieces has the tokens of the whole, numbered by those that occur", async () => {
  const { encode } = await createTokenizer(whole);
  const pieces = fc.array(fc.oneof(texts, fc.constantFrom(" ", "\n", "a", "'", "l")), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const ranks = encode(parts.join(""));
      expect((await encodePieces(parts, "all")).tokens).toEqual(ranks);
      const { tokens, vocabulary } = await encodePieces(parts, "occurring");
      const kept = vocabulary.kept!;
      const wanted = new Set([...Array(256).keys(), ...ranks]);
      expect(kept).toEqual([...wanted].sort((a, b) => a - b));
      expect(vocabulary.size).toBe(kept.length);
      expect([...tokens].map((token) => kept[token])).toEqual([...ranks]);
    }),
  );
});

test("a rank that was not kept is written in the longest kept parts", async () => {
  const { vocabulary } = await encodePieces(["king"], "occurring"); // one byte pair beside the single bytes
  const { encode, bytes } = await createTokenizer(vocabulary);
  const parts = Array.from(encode("kingdom"), (token) => new TextDecoder().decode(bytes(token)));
  expect(parts).toEqual(["king", "d", "o", "m"]);
});

test("a character whose bytes come one by one is held back until it is whole", async () => {
  const { vocabulary } = await encodePieces([""], "occurring");
  const tokenizer = await createTokenizer(vocabulary);
  const decoder = createDecoder(tokenizer);
  const tokens = [...tokenizer.encode("é🙂")];
  expect(tokens.map((token) => decoder.push(token))).toEqual(["", "é", "", "", "", "🙂"]);
  expect(decoder.push(tokens[0]!) + decoder.end()).toBe("\ufffd");
});

test("characters: any text of them comes back, others are named", async () => {
  const symbols = [..."\n aéß王🙂"];
  const tokenizer = await createTokenizer(characterVocabulary(symbols));
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...symbols) }), (text) => {
      expect([...tokenizer.encode(text)]).toEqual([...text].map((character) => symbols.indexOf(character)));
      expect(textOf(tokenizer, tokenizer.encode(text))).toBe(text);
    }),
  );
  expect(() => tokenizer.encode("aÿ🙂𝄞ÿ")).toThrow(ConfigError);
  expect(() => tokenizer.encode("aÿ🙂𝄞ÿ")).toThrow(/vocabulary's 7, .*"ÿ" \(U\+00FF\), "𝄞" \(U\+1D11E\)\. /);
  expect(() => tokenizer.encode("bcdefgh")).toThrow(/"f" \(U\+0066\) and 2 more/);
});

test("half a surrogate pair is refused: UTF-8 cannot write it", async () => {
  const { encode } = await createTokenizer(whole);
  expect(() => encode("a\ud800")).toThrow(/expected whole characters, got half of a surrogate pair/);
});
