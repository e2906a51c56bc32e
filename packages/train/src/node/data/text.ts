// Text as nanoGPT reads it, by characters (prepare.py of its shakespeare_char example): every distinct character of a
// UTF-8 file is one token, numbered in the order of code points; or by GPT-2's byte pairs (prepare.py of its shakespeare
// example). The first 90 % train, the last 10 % validate.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ConfigError, messageOf } from "@atoll/core";
import { encodePieces } from "../../data/bytePairs.ts";
import { type Dataset, windowsDataset } from "../../data/dataset.ts";
import { characterVocabulary, type Vocabulary } from "../../data/vocabulary.ts";
import type { DataOptions } from "./download.ts";
import { locate, type PublishedData } from "./locate.ts";

export interface TextDatasets {
  readonly train: Dataset;
  readonly validation: Dataset;
}

/** What tokens a text is cut into; by default its characters. */
export interface TokenOptions {
  readonly tokenizer?: "characters" | "bpe";
  /** Which byte pairs the model knows: those that occur in the text (the default), or all 50,257 of GPT-2. */
  readonly vocabulary?: "occurring" | "all";
}

interface TokenizedText {
  readonly tokens: Uint16Array;
  readonly vocabulary: Vocabulary;
}

const TRAIN_SHARE = 0.9;
/** Tokens are 16 bits wide. */
const MAX_SYMBOLS = 2 ** 16;
const CODE_POINTS = 0x11_0000;
const CHUNK_BYTES = 2 ** 20;

const TINY_SHAKESPEARE: PublishedData = {
  title: "Tiny Shakespeare",
  folder: "tinyshakespeare",
  files: [
    {
      name: "input.txt",
      alternatives: [],
      urls: ["https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"],
      sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    },
  ],
  advice: "name any UTF-8 text with data.file=…",
};

/**
 * Loads Karpathy's Tiny Shakespeare (40,000 lines, 65 characters) from the data directory, or downloads it into it.
 * @param source where it is published
 * @throws RunError if it is missing and cannot be downloaded; as `loadText` otherwise.
 */
export async function loadTinyShakespeare(
  options: DataOptions,
  blockSize: number,
  tokenOptions: TokenOptions = {},
  source: PublishedData = TINY_SHAKESPEARE,
): Promise<TextDatasets> {
  const [path] = await locate(source, options);
  return loadText(path!, blockSize, tokenOptions);
}

/**
 * Loads any UTF-8 text file: examples are windows of `blockSize` tokens.
 * @throws ConfigError if the file cannot be read, is empty, is not UTF-8 (names the byte), has more than 65,536 distinct
 * characters, or is too short for one window in each of the two parts.
 */
export async function loadText(
  path: string,
  blockSize: number,
  { tokenizer = "characters", vocabulary: keep = "occurring" }: TokenOptions = {},
): Promise<TextDatasets> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw new ConfigError(`Cannot read the text file ${path}: ${messageOf(cause)}.`, cause);
  });
  if (file.length === 0) throw new ConfigError(`The text file ${path} is empty; expected UTF-8 text.`);
  const { tokens, vocabulary } =
    tokenizer === "bpe" ? await encodePieces(decode(path, file), keep) : byCharacters(path, file);
  const trainLength = Math.floor(TRAIN_SHARE * tokens.length);
  if (Number.isInteger(blockSize) && tokens.length - trainLength < blockSize + 1)
    throw new ConfigError(
      `The text file ${path} has ${tokens.length} ${tokenizer === "bpe" ? "tokens" : "characters"}: its last tenth, for validation, holds ${tokens.length - trainLength}, but blockSize ${blockSize} needs at least ${blockSize + 1}. Choose a smaller blockSize or a longer text.`,
    );
  const name = basename(path);
  const part = (partName: string, partTokens: Uint16Array): Dataset =>
    windowsDataset({ name: partName, tokens: partTokens, blockSize, vocabulary });
  return {
    train: part(name, tokens.subarray(0, trainLength)),
    validation: part(`${name}-validation`, tokens.subarray(trainLength)),
  };
}

function byCharacters(path: string, file: Uint8Array): TokenizedText {
  const counts = new Uint32Array(CODE_POINTS);
  let length = 0;
  for (const text of decode(path, file)) {
    for (let i = 0; i < text.length; length++) {
      const code = text.codePointAt(i)!;
      counts[code]!++;
      i += code > 0xffff ? 2 : 1;
    }
  }
  const symbols: string[] = [];
  const tokenOf = new Uint16Array(CODE_POINTS);
  for (let code = 0; code < CODE_POINTS; code++) {
    if (counts[code] === 0) continue;
    tokenOf[code] = symbols.length;
    symbols.push(String.fromCodePoint(code));
  }
  if (symbols.length > MAX_SYMBOLS)
    throw new ConfigError(
      `The text file ${path} has ${symbols.length} distinct characters; expected at most ${MAX_SYMBOLS}, since a token has 16 bits.`,
    );
  const tokens = new Uint16Array(new SharedArrayBuffer(2 * length));
  let next = 0;
  for (const text of decode(path, file)) {
    for (let i = 0; i < text.length; next++) {
      const code = text.codePointAt(i)!;
      tokens[next] = tokenOf[code]!;
      i += code > 0xffff ? 2 : 1;
    }
  }
  return { tokens, vocabulary: characterVocabulary(symbols) };
}

/** The text in pieces, each of whole characters: a long file would not fit into one string. */
function* decode(path: string, file: Uint8Array): Generator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for (let start = 0; start < file.length; start += CHUNK_BYTES)
      yield decoder.decode(file.subarray(start, start + CHUNK_BYTES), { stream: true });
    yield decoder.decode();
  } catch (cause) {
    throw new ConfigError(
      `The text file ${path} is not UTF-8: byte ${validLength(file)} does not fit. Convert it to UTF-8 first.`,
      cause,
    );
  }
}

/** How many bytes of a file that is not UTF-8 come before its first wrong one, by bisection. */
function validLength(file: Uint8Array): number {
  let valid = 0;
  let invalid = file.length + 1;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      invalid = middle;
    }
  }
  return valid;
}
