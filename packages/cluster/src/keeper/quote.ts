// Quoting for /bin/sh: the one shell that Atoll ever writes for. Source: POSIX, Shell Command Language, 2.2.2 Single-Quotes.

import { ConfigError } from "@atoll/core";

/**
 * A word that a POSIX shell takes for exactly this text.
 *
 * @throws ConfigError a NUL character, which no argument and no variable can hold
 */
export function quote(text: string): string {
  if (text.includes("\0"))
    throw new ConfigError(
      `Expected arguments and variables without a NUL character, got ${JSON.stringify(text)}. No program can be given one.`,
    );
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
