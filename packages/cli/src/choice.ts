// A choice is an option with a name and options of its own: `strategy=diloco strategy.H=50`.

import { ConfigError, type ConfigTree } from "@atoll/core";
import { z } from "zod";
import { branchesOf, peel } from "./schema.ts";

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
 * Looks for an option of a choice's other branch, which the schema could only call unknown: `strategy.H=5` under DDP.
 * @throws ConfigError that says which choice has the option.
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
    for (const name of Object.keys(options)) {
      if (Object.hasOwn(chosen.options, name)) continue;
      const owners = branches.filter((branch) => Object.hasOwn(branch.options, name));
      if (owners.length === 0) continue;
      const [first, ...others] = owners.map((owner) => owner.name);
      const more = others.length > 3 ? [...others.slice(0, 2), `${others.length - 2} others`] : others;
      const assignments = [`${path}=${first}`, ...more].join(" or ");
      throw new ConfigError(
        `Option "${path}.${name}": expected only with ${assignments}, got ${path}=${chosen.name}. Add ${path}=${owners[0]!.name}, or leave the option out.`,
      );
    }
  }
}
