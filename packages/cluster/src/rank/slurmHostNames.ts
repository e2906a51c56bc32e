// Slurm's compressed lists of nodes, "gpu[01-03,7]r[1-2],login", one name each: what `scontrol show hostnames` prints.
// Source: slurm.conf(5) on NodeName. At most two brackets a name, as Slurm itself has it, are not enforced.

import { ConfigError } from "@atoll/core";

/** More than any cluster has: a list like n[1-999999999] is a mistake. */
const MOST_NODES = 100_000;

/**
 * @param where the variable's name, for the message
 * @throws ConfigError brackets that do not match, or a range that is none
 */
export function hostNames(where: string, list: string): readonly string[] {
  const refuse = (): never => {
    throw new ConfigError(
      `Environment variable ${where}: expected a list of nodes like n[01-03,7],login, got ${JSON.stringify(list)}. It is set by Slurm; set MASTER_ADDR and unset it if it is not.`,
    );
  };
  const names = splitOutsideBrackets(list).flatMap((item) => expand(item.trim()) ?? refuse());
  return names.length > MOST_NODES || names.includes("") ? refuse() : names;
}

function splitOutsideBrackets(list: string): readonly string[] {
  const items = [""];
  let depth = 0;
  for (const character of list) {
    if (character === "," && depth === 0) {
      items.push("");
      continue;
    }
    if (character === "[") depth++;
    if (character === "]") depth--;
    items[items.length - 1] += character;
  }
  return items;
}

/** Undefined if the item is none. */
function expand(item: string): readonly string[] | undefined {
  const parts = /^([^[\]]*)(?:\[([^[\]]*)\](.*))?$/s.exec(item);
  if (!parts) return undefined;
  const [, head = "", ranges, tail = ""] = parts;
  if (ranges === undefined) return [head];
  const tails = expand(tail);
  const numbers = ranges.split(",").map(range);
  if (!tails || numbers.some((each) => each === undefined)) return undefined;
  return numbers.flatMap((each) => each!).flatMap((number) => tails.map((rest) => `${head}${number}${rest}`));
}

/** "08-10" → 08, 09, 10: as wide as the first number is written. */
function range(text: string): readonly string[] | undefined {
  const parts = /^(\d+)(?:-(\d+))?$/.exec(text.trim());
  if (!parts) return undefined;
  const [, first = "", last = first] = parts;
  const count = Number(last) - Number(first) + 1;
  if (count < 1 || count > MOST_NODES) return undefined;
  return Array.from({ length: count }, (_, i) => String(Number(first) + i).padStart(first.length, "0"));
}
