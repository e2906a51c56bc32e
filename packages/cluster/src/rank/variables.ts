// Environment variables that say by name what is wrong with them. An empty one counts as unset, as engines use it.

import { ConfigError } from "@atoll/core";

export interface Variable {
  readonly name: string;
  readonly text: string;
  /** @throws ConfigError no whole number, or a smaller one */
  wholeFrom(least: number): number;
  /** @throws ConfigError no port number */
  port(): number;
}

export interface Variables {
  has(name: string): boolean;
  /** The first of `names` that is set. */
  first(names: readonly string[]): Variable | undefined;
  /** Its name; without one, the first name. */
  nameOf(names: readonly string[]): string;
  /** @throws ConfigError none of `names` is set, though `because` is */
  required(names: readonly string[], because: string, remedy?: string): Variable;
}

export function variablesOf(environment: Readonly<Record<string, string | undefined>>): Variables {
  const first = (names: readonly string[]): Variable | undefined => {
    const name = names.find((candidate) => (environment[candidate] ?? "").trim() !== "");
    return name === undefined ? undefined : variable(name, environment[name]!.trim());
  };
  return {
    has: (name) => first([name]) !== undefined,
    first,
    nameOf: (names) => first(names)?.name ?? names[0]!,
    required(names, because, remedy) {
      const found = first(names);
      if (found) return found;
      throw new ConfigError(
        `${because} is set and ${names.join(" or ")} is not: expected both. ${remedy ?? `Set ${names[0]}.`}`,
      );
    },
  };
}

function variable(name: string, text: string): Variable {
  const whole = (least: number, most: number, expected: string): number => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    throw new ConfigError(
      `Environment variable ${name}: expected ${expected}, got ${JSON.stringify(text)}. It is set by whoever started this process.`,
    );
  };
  return {
    name,
    text,
    wholeFrom: (least) => whole(least, 1e6, `a whole number from ${least} on`),
    port: () => whole(1, 65_535, "a port from 1 to 65535"),
  };
}
