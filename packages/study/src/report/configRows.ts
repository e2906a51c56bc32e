// Configs as rows of a dotted path and a text, as the command line takes them, and how those of several runs differ.

import type { ConfigTree, ConfigValue } from "@atoll/core";
import { isList, treeOf } from "../run.ts";

export type OptionRow = readonly [path: string, value: string];

/** Every leaf with its dotted path; a list of plain values, or of lists of them (points, edges), is one leaf. */
export function flatten(value: ConfigValue, path: string): readonly OptionRow[] {
  if (typeof value !== "object" || value === null) return [[path, plain(value)]];
  if (isList(value)) {
    if (value.every(isPlain)) return [[path, `[${value.map(plain).join(", ")}]`]];
    if (
      value.every((item) => typeof item === "object" && item !== null && isList(item) && item.every(isPlain))
    )
      return [[path, JSON.stringify(value)]];
    return value.flatMap((item, i) => flatten(item, `${path}.${i}`));
  }
  const entries = Object.entries(value as ConfigTree);
  if (entries.length === 0 && path !== "") return [[path, "{}"]];
  return entries.flatMap(([name, inner]) => flatten(inner, path === "" ? name : `${path}.${name}`));
}

const isPlain = (value: ConfigValue): boolean => typeof value !== "object" || value === null;

const plain = (value: ConfigValue): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Settings of several runs by whether they have the same value in all of them. */
export interface ConfigComparison {
  /** `values`: one a run, null where the run does not have the setting. */
  readonly differing: readonly { readonly path: string; readonly values: readonly (string | null)[] }[];
  readonly shared: readonly OptionRow[];
}

/** What names a run and where it was made says nothing of how it was set. */
const NAMES: ReadonlySet<string> = new Set(["name", "command", "repricedFrom"]);

/**
 * Compares configs setting by setting, in the order of the first that has it: the options as they were given, then what
 * came of them that is no option itself.
 */
export function compareConfigs(configs: readonly ConfigTree[]): ConfigComparison {
  const settings = configs.map((config) => new Map(settingsOf(config)));
  const paths = new Set(settings.flatMap((map) => [...map.keys()]));
  const rows = [...paths].map((path) => ({ path, values: settings.map((map) => map.get(path) ?? null) }));
  const isShared = ({ values }: { readonly values: readonly (string | null)[] }): boolean =>
    values.every((value) => value === values[0]);
  return {
    differing: rows.filter((row) => !isShared(row)),
    shared: rows.filter(isShared).map(({ path, values }) => [path, values[0]!] as const),
  };
}

function settingsOf({ options, resolved, ...rest }: ConfigTree): readonly OptionRow[] {
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !NAMES.has(name)));
  const given = [...flatten(own, ""), ...flatten(treeOf(options), "")];
  const known = new Set(given.map(([path]) => path));
  // An option of a choice that has none of its own, "digits", may have come to a tree below the same path.
  return [...given, ...flatten(treeOf(resolved), "").filter(([path]) => !known.has(path))];
}
