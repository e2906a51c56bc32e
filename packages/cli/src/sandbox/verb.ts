// What the sandbox commands have in common: which sandbox, and the engine that it is on.

import { type Engine, exec, findEngine } from "@atoll/cluster";
import { ConfigError, unknownName } from "@atoll/core";
import { type ParsedArguments, parseArguments } from "../arguments.ts";
import type { Row } from "../help.ts";
import type { Terminal } from "../terminal.ts";

export interface Verb {
  /** For the help: "shell [node]". */
  readonly usage: string;
  readonly summary: string;
  /** Its own flags, for the help. */
  readonly flagRows: readonly Row[];
  /** What it does when it is interrupted, as of a command; absent: nothing that has to be said. */
  readonly whenInterrupted?: string;
  run(argv: readonly string[], terminal: Terminal): Promise<number>;
}

type Flags = Parameters<typeof parseArguments>[1];

const COMMON = { name: { type: "string" }, engine: { type: "string" }, json: { type: "boolean" } } as const;

export const COMMON_ROWS: readonly Row[] = [
  ["--name NAME", "which sandbox (sandbox)"],
  ["--engine docker|podman", "the engine to use, instead of the first that answers"],
  ["--json", "print one JSON object as the last line of standard output"],
];

/**
 * @param most how many arguments without a dash there may be
 * @throws ConfigError for what the verb does not know
 */
export function parseVerb(argv: readonly string[], flags: Flags, most: number): ParsedArguments {
  const parsed = parseArguments(argv, { ...COMMON, ...flags });
  const extra = parsed.positionals[most];
  if (extra !== undefined)
    throw new ConfigError(
      `Unexpected argument "${extra}". Options of sandboxes are flags, such as --nodes 3; see npx atoll help sandbox.`,
    );
  return parsed;
}

export function engineOf({ values }: ParsedArguments, { environment }: Terminal): Promise<Engine> {
  return findEngine({ exec, environment }, choiceOf(values.engine, "engine", ["docker", "podman"]));
}

/** One of a few words, or undefined if the flag is not there. */
export function choiceOf<T extends string>(
  value: string | boolean | undefined,
  flag: string,
  known: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw unknownName(flag, String(value), known);
  return found;
}
