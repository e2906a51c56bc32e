// Range checks of optimizer options.

import { ConfigError } from "@atoll/core";

/** @throws ConfigError unless `least` ≤ value < `below`. */
export function requireRange(
  where: string,
  value: number,
  { least, below = Number.POSITIVE_INFINITY }: { readonly least: number; readonly below?: number },
): void {
  if (value >= least && value < below) return;
  const upper = Number.isFinite(below) ? ` and below ${below}` : "";
  throw new ConfigError(`${where}: expected a number of at least ${least}${upper}, got ${value}.`);
}
