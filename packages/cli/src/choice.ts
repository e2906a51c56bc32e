// A choice is an option with a name and options of its own: `strategy=diloco strategy.H=50`.

import { ConfigError, type ConfigTree, nearest } from "@atoll/core";
import { unknownOption } from "@atoll/core/config";
import { z } from "zod";
import { type Branch, branchesOf, peel } from "./schema.ts";

export interface ChoiceEntry {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType;
}

/** The schema of a choice: given whole, just by name, or by options of the usual one. */
export function choice(entries: readonly ChoiceEntry[], usual: string): z.ZodType {
  const branches = entries.map(({ name, summary, options }) =>
    (options as z.ZodObject).extend({ kind: z.literal(name) }).describe(summary),
  );
  const named = (value: unknown): unknown => {
    if (typeof value === "string") return { kind: value };
    return typeof value === "object" && value !== null ? { kind: usual, ...value } : value;
  };
  const union = z.discriminatedUnion(
    "kind",
    branches as unknown as [z.ZodObject<{ kind: z.ZodLiteral<string> }>],
  );
  return z.preprocess(named, union).prefault(usual);
}

/**
 * Looks for options that the chosen branch of a choice has not, which the schema could only call unknown: `strategy.H=5` under
 * DDP, and `strategy.h=5` as well.
 * @throws ConfigError that says which choice has the option, or which one may have been meant.
 */
export function refuseForeign(schema: z.ZodObject, given: ConfigTree, where = ""): void {
  for (const [key, option] of Object.entries(schema.shape)) {
    const { inner, fallback } = peel(option as z.ZodType);
    const branches = branchesOf(inner);
    const value = given[key];
    const path = where + key;
    if (typeof value !== "object" || value === null) continue;
    if (inner instanceof z.ZodObject) refuseForeign(inner, value as ConfigTree, `${path}.`);
    if (branches === undefined) continue;
    const { kind = fallback, ...options } = value as ConfigTree;
    const chosen = branches.find(({ name }) => name === kind);
    if (chosen === undefined) continue;
    for (const name of Object.keys(options))
      if (!Object.hasOwn(chosen.options, name)) throw refusalOf(name, { path, chosen, branches });
  }
}

interface Chosen {
  /** Of the choice. */
  readonly path: string;
  readonly chosen: Branch;
  readonly branches: readonly Branch[];
}

/** What is said of an option that the chosen branch has not: others may have it, or one that is called almost so. */
function refusalOf(name: string, { path, chosen, branches }: Chosen): ConfigError {
  const own = Object.keys(chosen.options);
  const all = [...new Set(branches.flatMap(({ options }) => Object.keys(options)))];
  const meant = all.includes(name) ? name : nearest(name, own) === undefined ? nearest(name, all) : undefined;
  if (meant === undefined) return unknownOption(name, path, { known: own });
  const owners = branches.filter(({ options }) => Object.hasOwn(options, meant)).map((owner) => owner.name);
  const [first, ...others] = owners;
  const more = others.length > 3 ? [...others.slice(0, 2), `${others.length - 2} others`] : others;
  const expected = `expected only with ${[`${path}=${first}`, ...more].join(" or ")}, got ${path}=${chosen.name}. Add ${path}=${first}, or leave the option out.`;
  return new ConfigError(
    meant === name
      ? `Option "${path}.${name}": ${expected}`
      : `Unknown option "${path}.${name}". Did you mean "${path}.${meant}"? It is ${expected}`,
  );
}
