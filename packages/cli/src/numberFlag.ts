// A flag's value as a number.

import { ConfigError } from "@atoll/core";

/** @throws ConfigError if it is none, or below the least */
export function numberOf(
  flag: string,
  text: string | undefined,
  { least, whole = false }: { readonly least: number; readonly whole?: boolean },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= least && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "a whole number" : "a number";
  const bound = Number.isFinite(least) ? ` of at least ${least}` : "";
  throw new ConfigError(`Flag "${flag}": expected ${kind}${bound}, got "${text}".`);
}
