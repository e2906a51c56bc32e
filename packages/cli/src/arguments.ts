// Command-line arguments: flags by node:util's parser, complaints in our words.

import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { ConfigError, messageOf, unknownName } from "@atoll/core";

export interface ParsedArguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** @throws ConfigError for an unknown flag (with the nearest known one) or a missing value. */
export function parseArguments(argv: readonly string[], flags: ParseArgsOptionsConfig): ParsedArguments {
  const known = Object.keys(flags).map((name) => `--${name}`);
  for (const argument of argv) {
    const name = argument.split("=")[0]!;
    if (name.startsWith("--") && name !== "--" && !known.includes(name))
      throw unknownName("flag", name, known);
  }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options: flags, allowPositionals: true });
    return { values: values as ParsedArguments["values"], positionals };
  } catch (error) {
    throw new ConfigError(`Bad command line: ${messageOf(error)} See --help.`, error);
  }
}
