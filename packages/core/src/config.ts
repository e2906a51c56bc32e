// Options given as text: `strategy.H=50` sets H inside strategy. This file turns such pairs into a nested object and
// words the complaints of a zod schema as Atoll's errors. It knows no option by name. It is an entry point of its own
// (@atoll/core/config), since worker threads and the web page have no use for zod.

import { z } from "zod";
import { ConfigError, nearest, unknownName } from "./errors.ts";

export type ConfigValue = string | number | boolean | null | readonly ConfigValue[] | ConfigTree;
export interface ConfigTree {
  readonly [name: string]: ConfigValue;
}

/**
 * Reads a value as a user types it: numbers (1e-3, 50), true, false, null, JSON in brackets, otherwise text.
 * @throws ConfigError that names the option, where brackets or quotes do not match
 */
function parseValue(name: string, text: string): ConfigValue {
  if (text === "true") return true;
  if (text === "false") return false;
  if (text === "null") return null;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^[[{]/.test(text)) {
    try {
      return JSON.parse(text) as ConfigValue;
    } catch (cause) {
      throw new ConfigError(
        `Option "${name}": cannot read ${text} as JSON; check its brackets and quotes.`,
        cause,
      );
    }
  }
  return text;
}

const isTree = (value: ConfigValue | undefined): value is ConfigTree =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads `key=value` arguments into one tree. `strategy=diloco strategy.H=50` names a choice and sets an option of it:
 * the choice goes under `kind`, so the result is `{ strategy: { kind: "diloco", H: 50 } }`. Of an option that is given twice
 * the last value holds, so that a script's options can be overridden.
 * @throws ConfigError for what is no `key=value`, or a value that cannot be read
 */
export function parseAssignments(pairs: readonly string[]): ConfigTree {
  const root: Record<string, ConfigValue> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at <= 0) throw new ConfigError(`Expected key=value, got "${pair}". Example: strategy.H=50.`);
    const name = pair.slice(0, at);
    assign(root, name, parseValue(name, pair.slice(at + 1)));
  }
  return root;
}

function assign(root: Record<string, ConfigValue>, path: string, value: ConfigValue): void {
  const names = path.split(".");
  if (names.some((name) => name === "" || name === "__proto__"))
    throw new ConfigError(`Bad option name "${path}".`);
  let tree = root;
  for (const name of names.slice(0, -1)) {
    const inner = tree[name];
    const next: Record<string, ConfigValue> = isTree(inner)
      ? { ...inner }
      : inner === undefined
        ? {}
        : { kind: inner };
    tree[name] = next;
    tree = next;
  }
  const last = names.at(-1)!;
  const present = tree[last];
  tree[last] = isTree(present) && !isTree(value) ? { ...present, kind: value } : value;
}

/** Lays `over` on `base`, option by option; a choice (`kind`) that changes drops the options of the old one. */
export function mergeConfig(base: ConfigTree, over: ConfigTree): ConfigTree {
  const result: Record<string, ConfigValue> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const present = result[name];
    const below = isTree(present) ? present : present === undefined ? undefined : { kind: present };
    if (below === undefined || (!isTree(value) && !isTree(present))) {
      result[name] = value;
      continue;
    }
    const above = isTree(value) ? value : { kind: value };
    const changed = above.kind !== undefined && above.kind !== below.kind;
    result[name] = changed ? above : mergeConfig(below, above);
  }
  return result;
}

/**
 * Checks `value` against `schema`.
 * @throws ConfigError that names the option by its dotted path, what was expected, what came, and the nearest known name.
 */
export function parseConfig<S extends z.ZodType>(schema: S, value: unknown, where = ""): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap(unfold);
  // A misspelt name also leaves the right one without a value: the misspelling is what to complain of.
  const issue = issues.find(({ code }) => code === "unrecognized_keys") ?? issues[0]!;
  throw new ConfigError(describe(issue, schema, value, where), result.error);
}

/**
 * What is wrong with the only form of a union that the value's own type fits: of a number or an object, an object that
 * lacks a property. A union with a complaint of its own keeps it.
 */
function unfold(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union" || issue.message !== "Invalid input") return [issue];
  const fitting = issue.errors.filter((form) => !form.some(isOfWholeType));
  if (fitting.length !== 1) return [issue];
  return fitting[0]!
    .map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }))
    .flatMap((inner) => unfold(inner));
}

const isOfWholeType = ({ code, path }: z.core.$ZodIssue): boolean =>
  code === "invalid_type" && path.length === 0;

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown, where: string): string {
  const path = dotted(where, issue.path);
  if (issue.code === "unrecognized_keys")
    return unknownOption(issue.keys[0]!, path, {
      known: knownKeys(schema, value, issue.path),
      elsewhere: placesOf(issue.keys[0]!, schema, where),
    }).message;
  const got = at(value, issue.path);
  if (issue.code === "invalid_union" && "options" in issue && got === undefined)
    return `Option "${path}": expected one of ${(issue.options as readonly unknown[]).join(", ")}, got nothing.`;
  if (issue.code === "invalid_union" && "options" in issue)
    return describeChoice(path.replace(/\.kind$/, ""), String(got), issue.options as readonly unknown[]);
  if (issue.code === "invalid_value" && ["string", "number", "boolean"].includes(typeof got))
    return describeChoice(path, String(got), issue.values);
  if (issue.code === "invalid_value" && isTree(got as ConfigValue | undefined)) {
    const inner = Object.keys(got as ConfigTree).filter((name) => name !== "kind");
    return `Option "${path}": expected one of ${issue.values.join(", ")}, without options of its own, got ${inner.map((name) => `${path}.${name}`).join(" and ")}. Leave that out.`;
  }
  return `Option "${path || "(config)"}": ${expectedOf(issue)}, got ${got === undefined ? "nothing" : JSON.stringify(got)}.`;
}

/** "faults.schedule[0].node" */
const dotted = (where: string, path: readonly PropertyKey[]): string =>
  path.reduce<string>((before, key) => {
    if (typeof key === "number") return `${before}[${key}]`;
    return before === "" ? String(key) : `${before}.${String(key)}`;
  }, where);

/** "expected a number of at least 1" */
function expectedOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "too_small" && (issue.origin === "number" || issue.origin === "int"))
    return `expected a number ${issue.inclusive === false ? "above" : "of at least"} ${issue.minimum}`;
  if (issue.code === "too_big" && (issue.origin === "number" || issue.origin === "int"))
    return `expected a number ${issue.inclusive === false ? "below" : "of at most"} ${issue.maximum}`;
  if (issue.code === "invalid_union" && issue.message === "Invalid input" && issue.errors.length > 0) {
    const forms = issue.errors.map(([first]) => (first === undefined ? "" : expectedOf(first)));
    return `expected ${[...new Set(forms)].map((form) => form.replace(/^expected /, "")).join(" or ")}`;
  }
  if (issue.code === "invalid_value" && issue.values.length > 1)
    return `expected one of ${issue.values.join(", ")}`;
  return issue.message
    .replace(/^(Invalid input|Too small|Too big): /, "")
    .replace(/, received .*$/, "")
    .replace(/\bexpected int\b/, "expected an integer")
    .replace(/\bexpected number\b/, "expected a number")
    .replace(/\bexpected object\b/, "expected an object")
    .replace(/\bexpected array\b/, "expected a list")
    .replace(/\bexpected string\b/, "expected text")
    .replace(/\bexpected boolean\b/, "expected true or false");
}

/** `Option "strategy": unknown choice "dilocco". Did you mean "diloco"? Known: diloco, fedavg.` */
const describeChoice = (path: string, got: string, known: readonly unknown[]): string =>
  `Option "${path}": u${unknownName("choice", got, known.map(String)).message.slice(1)}`;

/** Most places that are named for one option. */
const MOST_PLACES = 2;

/**
 * `Unknown option "strategy.h". Did you mean "strategy.H"? Known here: H, outer.`
 * @param elsewhere options of other parts that have the very name
 */
export function unknownOption(
  name: string,
  path: string,
  { known, elsewhere = [] }: { readonly known: readonly string[]; readonly elsewhere?: readonly string[] },
): ConfigError {
  const full = (key: string): string => (path === "" ? key : `${path}.${key}`);
  const near = nearest(name, known);
  const isCase = near?.toLowerCase() === name.toLowerCase();
  const same = isCase ? [] : elsewhere.slice(0, MOST_PLACES);
  const guesses = same.length > 0 ? same : near === undefined ? [] : [full(near)];
  const hint =
    guesses.length === 0 ? "" : ` Did you mean ${guesses.map((guess) => `"${guess}"`).join(" or ")}?`;
  return new ConfigError(
    `Unknown option "${full(name)}".${hint}${known.length > 0 ? ` Known here: ${known.join(", ")}.` : ""}`,
  );
}

const depth = (path: string): number => path.split(".").length;

/** Where a schema has options of this name, in its objects and in any branch of its choices: those of fewest names first. */
const placesOf = (name: string, schema: z.ZodType, where: string): readonly string[] =>
  [...new Set(pathsTo(name, schema, where))].sort((a, b) => depth(a) - depth(b));

function pathsTo(name: string, schema: z.ZodType, where: string): readonly string[] {
  const inner = unwrap(schema, undefined);
  if (inner instanceof z.ZodDiscriminatedUnion) {
    const branches = inner.def.options as readonly z.ZodType[];
    return branches.flatMap((branch) => pathsTo(name, branch, where));
  }
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, option]) => {
    const path = where === "" ? key : `${where}.${key}`;
    return [...(key === name ? [path] : []), ...pathsTo(name, option as z.ZodType, path)];
  });
}

/** What was given at a path; a choice given as plain text is its own `kind`. */
const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "string" && key === "kind"
        ? inner
        : (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );

/** The option names that the object at `path` of the schema takes, following the branch of a union that `value` chose. */
function knownKeys(schema: z.ZodType, value: unknown, path: readonly PropertyKey[]): readonly string[] {
  let current: z.ZodType | undefined = unwrap(schema, value);
  let inner = value;
  for (const key of path) {
    inner = (inner as Record<PropertyKey, unknown> | undefined)?.[key];
    const next: z.ZodType | undefined =
      current instanceof z.ZodObject
        ? (current.shape[key as string] as z.ZodType | undefined)
        : current instanceof z.ZodArray
          ? (current.element as z.ZodType)
          : undefined;
    current = next && unwrap(next, inner);
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape).filter((name) => name !== "kind") : [];
}

function unwrap(schema: z.ZodType, value: unknown): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrap(schema.def.innerType as z.ZodType, value);
  if (schema instanceof z.ZodPipe) {
    const input = schema.def.in as z.ZodType;
    return unwrap(input instanceof z.ZodTransform ? (schema.def.out as z.ZodType) : input, value);
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const kind = (value as { kind?: unknown } | undefined)?.kind;
    const branches = schema.def.options as readonly z.ZodType[];
    const chosen = branches.find(
      (branch) => branch instanceof z.ZodObject && (branch.shape.kind as z.ZodType).safeParse(kind).success,
    );
    return chosen ?? schema;
  }
  // Of a union of plain forms the object is the one with names in it.
  if (schema instanceof z.ZodUnion) {
    const forms = (schema.def.options as readonly z.ZodType[]).map((form) => unwrap(form, value));
    return forms.find((form) => form instanceof z.ZodObject) ?? schema;
  }
  return schema;
}
