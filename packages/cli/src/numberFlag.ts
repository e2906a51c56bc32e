// A flag's value as a number.

import { ConfigError } from "@atoll/core";

/** @throws ConfigError if it is none, below the least, or above the most */
export function numberOf(
  flag: string,
  text: string | undefined,
  {
    least,
    most = Number.POSITIVE_INFINITY,
    whole = false,
  }: { readonly least: number; readonly most?: number; readonly whole?: boolean },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value >= least && value <= most && (!whole || Number.isInteger(value)))
    return value;
  const kind = whole ? "a whole number" : "a number";
  const bound = Number.isFinite(most)
    ? ` from ${least} to ${most}`
    : Number.isFinite(least)
      ? ` of at least ${least}`
      : "";
  throw new ConfigError(`Flag "${flag}": expected ${kind}${bound}, got "${text}".`);
}
