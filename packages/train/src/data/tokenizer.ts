// Turns text into the tokens of a vocabulary, and tokens into text. Characters here, in the manner of nanoGPT's
// shakespeare_char; GPT-2's byte pairs in bytePairs.ts, whose tables are loaded when they are asked for.

import { ConfigError, unreachable } from "@atoll/core";
import { bytePairTokenizer } from "./bytePairs.ts";
import type { Tokenizer, Vocabulary } from "./vocabulary.ts";

export async function createTokenizer(vocabulary: Vocabulary): Promise<Tokenizer> {
  switch (vocabulary.kind) {
    case "characters":
      return characterTokenizer(vocabulary);
    case "bpe":
      return bytePairTokenizer(vocabulary);
    default:
      return unreachable(vocabulary);
  }
}

/** The text of tokens that come one by one: characters whose bytes are not all there yet are held back. */
export function createDecoder(tokenizer: Tokenizer): {
  /** The text that this token completes, often "". */
  push(token: number): string;
  /** What is left: U+FFFD for a character that was never completed. */
  end(): string;
} {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push: (token) => decoder.decode(tokenizer.bytes(token), { stream: true }),
    end: () => decoder.decode(),
  };
}

function characterTokenizer(vocabulary: Extract<Vocabulary, { kind: "characters" }>): Tokenizer {
  const encoder = new TextEncoder();
  const tokenOf = new Map(vocabulary.symbols.map((symbol, token) => [symbol, token]));
  return {
    vocabulary,
    encode(text) {
      const characters = [...text];
      const unknown = [...new Set(characters)].filter((character) => !tokenOf.has(character));
      if (unknown.length > 0)
        throw new ConfigError(
          `Text: expected characters of the vocabulary's ${vocabulary.size}, got others: ${namesOf(unknown)}. Leave them out.`,
        );
      return Uint16Array.from(characters, (character) => tokenOf.get(character)!);
    },
    bytes: (token) => encoder.encode(vocabulary.symbols[token]),
  };
}

const MOST_NAMED = 5;

/** `"é" (U+00E9), "ß" (U+00DF)`. */
function namesOf(characters: readonly string[]): string {
  const named = characters.slice(0, MOST_NAMED).map((character) => {
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return `${JSON.stringify(character)} (U+${code})`;
  });
  const more = characters.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
