import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, RunError } from "@atoll/core";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Dataset } from "../../data/dataset.ts";
import { createDecoder, createTokenizer } from "../../data/tokenizer.ts";
import type { Vocabulary } from "../../data/vocabulary.ts";
import { loadText, loadTinyShakespeare, type PublishedData } from "./index.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "atoll-text-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const symbolsOf = (vocabulary: Vocabulary | undefined): readonly string[] => {
  if (vocabulary?.kind !== "characters") throw new Error("expected characters");
  return vocabulary.symbols;
};

const textOf = ({ source, vocabulary }: Dataset): string => {
  if (source.kind !== "windows") throw new Error("expected windows");
  return Array.from(source.tokens, (token) => symbolsOf(vocabulary)[token]!).join("");
};

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(directory, "own.txt");
  await writeFile(path, content);
  return path;
}

test("tokens spell the text; the vocabulary is its characters in order; the last tenth validates", async () => {
  const text = fc.string({ unit: "binary", minLength: 20, maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(text, async (content) => {
      // A byte order mark at the start is not part of the text.
      fc.pre(!content.startsWith("\ufeff"));
      const characters = [...content];
      const { train, validation } = await loadText(await file(content), 1);
      expect(textOf(train) + textOf(validation)).toBe(content);
      expect(train.size + 1).toBe(Math.floor(0.9 * characters.length));
      const codes = symbolsOf(train.vocabulary).map((symbol) => symbol.codePointAt(0)!);
      expect(codes).toEqual([...new Set(characters.map((c) => c.codePointAt(0)!))].sort((a, b) => a - b));
    }),
  );
});

test("characters that straddle the pieces a long file is read in come out whole", async () => {
  const content = `x${"€𝄞".repeat(200_000)}`;
  const { train, validation } = await loadText(await file(content), 8);
  expect(textOf(train) + textOf(validation)).toBe(content);
});

test("by byte pairs the text is the same; what is too short for a window is said in tokens", async () => {
  const content = `${"Now is the winter of our discontent\n".repeat(40_000)}${"ACGT".repeat(10_000)}`;
  const path = await file(content);
  const { train, validation } = await loadText(path, 8, { tokenizer: "bpe" });
  const tokenizer = await createTokenizer(train.vocabulary!);
  const decoder = createDecoder(tokenizer);
  const written = [train, validation].flatMap(({ source }) => {
    if (source.kind !== "windows") throw new Error("expected windows");
    return Array.from(source.tokens, (token) => decoder.push(token));
  });
  expect(written.join("") === content).toBe(true);
  expect(train.vocabulary).toMatchObject({ kind: "bpe", size: tokenizer.vocabulary.size });
  const short = loadText(await file("Now is the winter of our discontent"), 1, { tokenizer: "bpe" });
  await expect(short).rejects.toThrow(/has 7 tokens: its last tenth, for validation, holds 1/);
});

describe("a file that cannot serve is refused with one sentence", () => {
  const tooMany = Array.from({ length: 65_537 }, (_, i) => String.fromCodePoint(0x1_0000 + i)).join("");
  const late = Buffer.concat([Buffer.from("ä".repeat(600_001)), Buffer.of(0xff), Buffer.from("rest")]);
  test.each<[string, string | Uint8Array, number, RegExp]>([
    ["empty", "", 4, /own\.txt is empty/],
    [
      "too short by one character",
      "a".repeat(40),
      4,
      /40 characters: its last tenth, for validation, holds 4, but blockSize 4 needs at least 5/,
    ],
    ["not UTF-8", Buffer.from([0x61, 0x62, 0xc3, 0x28]), 1, /is not UTF-8: byte \d does not fit/],
    ["not UTF-8 far in", late, 4, /is not UTF-8: byte 1200002 does not fit/],
    ["UTF-8 cut short", Buffer.from("aaaaaaaaaaaaaaaaaaaa€").subarray(0, -1), 1, /is not UTF-8/],
    ["too many symbols", tooMany, 4, /has 65537 distinct characters; expected at most 65536/],
    ["no blockSize", "a".repeat(100), 0.5, /blockSize must be a positive integer, got 0\.5/],
  ])("%s", async (_, content, blockSize, message) => {
    const path = await file(content);
    await expect(loadText(path, blockSize)).rejects.toThrow(ConfigError);
    await expect(loadText(path, blockSize)).rejects.toThrow(message);
  });

  test("absent", async () => {
    await expect(loadText(join(directory, "none.txt"), 4)).rejects.toThrow(ConfigError);
    await expect(loadText(join(directory, "none.txt"), 4)).rejects.toThrow(/none\.txt: ENOENT/);
  });
});

describe("Tiny Shakespeare", () => {
  const content = "First Citizen:\nBefore we proceed any further, hear me speak.\n";
  const source = (url: string): PublishedData => ({
    title: "Tiny Shakespeare",
    folder: "tinyshakespeare",
    files: [
      {
        name: "input.txt",
        alternatives: [],
        urls: [url],
        sha256: createHash("sha256").update(content).digest("hex"),
      },
    ],
    advice: "name any UTF-8 text with data.file=…",
  });

  test("is downloaded once, then read; offline it says what to do", async () => {
    const server = createServer((_, response) => response.end(content));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/input.txt`;
    const options = { directory, fetch };
    const { train } = await loadTinyShakespeare(options, 4, {}, source(url));
    expect(train.name).toBe("input.txt");
    expect(await readFile(join(directory, "tinyshakespeare", "input.txt"), "utf8")).toBe(content);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));

    expect(await loadTinyShakespeare(options, 4, {}, source(url))).toMatchObject({
      train: { size: train.size },
    });
    await rm(join(directory, "tinyshakespeare"), { recursive: true });
    const error: unknown = await loadTinyShakespeare(options, 4, {}, source(url)).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RunError);
    expect((error as Error).message).toMatch(/missing: input\.txt.*ECONNREFUSED.*by hand.*data\.file=/);
  });
});
