// Command-line arguments: split by node:util's parser, checked and complained of in our words.

import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { ConfigError, nearest } from "@atoll/core";

export interface ParsedArguments {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** @throws ConfigError for an unknown flag (with the nearest known one), a missing value, or one too many. */
export function parseArguments(argv: readonly string[], flags: ParseArgsOptionsConfig): ParsedArguments {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: flags,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag === undefined) {
      const next = tokens[i + 1];
      const follows = next?.kind === "positional" && !next.value.includes("=") ? next.value : undefined;
      throw unknownFlag(rawName, value ?? follows, Object.keys(flags));
    }
    if (flag.type === "boolean" && value !== undefined)
      throw new ConfigError(`Flag "${rawName}": expected no value, got "${value}". Write ${rawName} alone.`);
    if (flag.type === "string" && !value)
      throw new ConfigError(`Flag "${rawName}": expected a value after it, got nothing. See npx atoll help.`);
  }
  return { values: values as ParsedArguments["values"], positionals };
}

/** Someone who writes --nodes=3 or --nodes 3 means the option nodes=3. */
function unknownFlag(flag: string, value: string | undefined, known: readonly string[]): ConfigError {
  const bare = flag.replace(/^-+/, "");
  const guess = nearest(bare, known);
  const hint =
    guess !== undefined
      ? ` Did you mean "--${guess}"?`
      : value !== undefined
        ? ` Options of a run are written without dashes: ${bare}=${value}.`
        : "";
  const flags = [...known].sort().map((name) => `--${name}`);
  return new ConfigError(`Unknown flag "${flag}".${hint} Known: ${flags.join(", ")}.`);
}
