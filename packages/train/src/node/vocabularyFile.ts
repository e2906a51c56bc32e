// vocabulary.json of a run directory: what the tokens of its text stand for.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, messageOf } from "@atoll/core";
import { z } from "zod";
import type { Vocabulary } from "../data/index.ts";

export const VOCABULARY_FILE = "vocabulary.json";

const size = z
  .int()
  .min(1)
  .max(2 ** 16);
const schema = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("characters"), size, symbols: z.array(z.string()) }),
    z.strictObject({
      kind: z.literal("bpe"),
      encoding: z.literal("r50k_base"),
      size,
      kept: z.array(z.int().min(0)).nullable(),
    }),
  ])
  .refine((vocabulary) => entriesOf(vocabulary) === vocabulary.size, "size is not the number of entries");

const entriesOf = (vocabulary: Vocabulary): number =>
  vocabulary.kind === "characters" ? vocabulary.symbols.length : (vocabulary.kept?.length ?? vocabulary.size);

/** The vocabulary of a run; undefined for one that is of no text. @throws ConfigError if the file is damaged */
export function readVocabulary(runDirectory: string): Vocabulary | undefined {
  const path = join(runDirectory, VOCABULARY_FILE);
  if (!existsSync(path)) return undefined;
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new ConfigError(
      `Damaged run: ${path}: expected a vocabulary (${reason}). Train the run again.`,
      cause,
    );
  }
}
