// What the tokens of a text stand for: plain data, kept in a run's directory beside the model that was trained on it.

export type Vocabulary =
  /** Token i is the character `symbols[i]`. */
  | { readonly kind: "characters"; readonly size: number; readonly symbols: readonly string[] }
  /**
   * Byte pairs of a published encoding. Where `kept` is given, token i is the encoding's token `kept[i]`, ascending, and
   * all 256 single bytes are among them, so that any text can be written; null: all tokens in their own order.
   */
  | {
      readonly kind: "bpe";
      /** GPT-2's and GPT-3's, 50,257 tokens with the end of text. */
      readonly encoding: "r50k_base";
      readonly size: number;
      readonly kept: readonly number[] | null;
    };

export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  /** @throws ConfigError for text that the vocabulary cannot write, with the characters that it lacks */
  encode(text: string): Uint16Array;
  /** What a token stands for, in UTF-8; a byte pair may be a part of a character. */
  bytes(token: number): Uint8Array;
}

/** @param symbols one character (code point) a token */
export const characterVocabulary = (symbols: readonly string[]): Vocabulary => ({
  kind: "characters",
  size: symbols.length,
  symbols,
});
