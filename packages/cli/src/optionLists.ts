// Options with several values: `network.profile=wan,mobile nodes=4,16` are the four combinations of them. Commas inside
// brackets belong to a value: `nodes=2 network.bandwidth=[1e6,1e7],1e9` are two. An option for one of the values stands
// behind it and a colon: `network.topology=ring,torus torus:network.dimensions=[4,8]` are two, the second with dimensions.

import { ConfigError, nearest } from "@atoll/core";

/** One combination. */
export interface Combination {
  /** Every option with its one value, as `key=value`. */
  readonly pairs: readonly string[];
  /** Only those that differ between combinations, by name. */
  readonly varied: Readonly<Record<string, string>>;
  /** Names of those that it has for one of its values alone. */
  readonly conditional: ReadonlySet<string>;
}

/** An option as it was given. */
interface Given {
  readonly name: string;
  readonly values: readonly string[];
  /** The value that it is for, "torus", or, where other options have that value, too, "network.topology=torus". */
  readonly condition: string | undefined;
}

/** An option that holds where another one has a value. */
interface Conditional extends Given {
  readonly decides: { readonly name: string; readonly value: string };
}

/** A combination in the making. */
interface Assigned {
  readonly values: ReadonlyMap<string, string>;
  /** For what the options were given that not all combinations have. */
  readonly conditions: ReadonlyMap<string, string>;
}

/**
 * All combinations of the values given, the last option varying fastest, and what holds for some values alone faster still;
 * there it takes the place of what was given for all. The options of a choice go with that choice wherever they are written:
 * order does not matter to a run.
 * @throws ConfigError for what is no `key=value`, an empty value, one that is given twice, an option given twice, or one for a
 *   value that there is none of
 */
export function combinations(given: readonly string[]): readonly Combination[] {
  const options = given.map(readOption);
  refuseTwice(options.map(titleOf), "Option");
  const forAll = options.filter(({ condition }) => condition === undefined);
  const conditional = options
    .filter(({ condition }) => condition !== undefined)
    .map((option) => conditionalOf(option, forAll));
  refuseChains(conditional);
  let all: readonly Assigned[] = [{ values: new Map(), conditions: new Map() }];
  for (const { name, values } of forAll)
    all = all.flatMap((one) =>
      values.map((value) => ({ ...one, values: new Map(one.values).set(name, value) })),
    );
  for (const option of conditional) all = all.flatMap((one) => assignedWhere(one, option));
  return combinationsOf(all);
}

const titleOf = ({ name, condition }: Given): string =>
  condition === undefined ? name : `${condition}:${name}`;

/** With each of the values, where the combination has what they are for. */
function assignedWhere(
  one: Assigned,
  { name, values, condition, decides }: Conditional,
): readonly Assigned[] {
  if (one.values.get(decides.name) !== decides.value) return [one];
  const other = one.conditions.get(name);
  if (other !== undefined)
    throw new ConfigError(
      `Options "${other}:${name}" and "${condition}:${name}": both hold where ${decides.name}=${decides.value}. Give the option for one of them.`,
    );
  return values.map((value) => ({
    values: new Map(one.values).set(name, value),
    conditions: new Map(one.conditions).set(name, condition!),
  }));
}

/** Values of one option that another takes the place of make no difference any more. */
function combinationsOf(all: readonly Assigned[]): readonly Combination[] {
  const distinct = new Map(all.map((one) => [JSON.stringify([...one.values]), one]));
  const seen = new Map<string, Set<string>>();
  for (const { values } of distinct.values())
    for (const [name, value] of values) seen.set(name, (seen.get(name) ?? new Set()).add(value));
  return [...distinct.values()].map(({ values, conditions }) => ({
    pairs: [...values].map(([name, value]) => `${name}=${value}`),
    varied: Object.fromEntries([...values].filter(([name]) => seen.get(name)!.size > 1)),
    conditional: new Set(conditions.keys()),
  }));
}

/** "network.profile=wan nodes=4"; empty where nothing differs. */
export const labelOf = ({ varied }: Combination): string =>
  Object.entries(varied)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

/** Finds the option whose value it is that another option is for. */
function conditionalOf(option: Given, forAll: readonly Given[]): Conditional {
  const condition = option.condition!;
  const all = forAll.flatMap(({ name, values }) => values.map((value) => ({ name, value })));
  const meant = all.filter(({ name, value }) => condition === value || condition === `${name}=${value}`);
  const [decides, other] = meant;
  if (decides === undefined) {
    const known = all.flatMap(({ name, value }) => [value, `${name}=${value}`]);
    const guess = nearest(condition, known);
    throw new ConfigError(
      `Option "${titleOf(option)}": no option has the value "${condition}". ${guess === undefined ? "Write the value of one before the colon, as network.topology=ring,torus torus:network.dimensions=[4,8]." : `Did you mean "${guess}"?`}`,
    );
  }
  if (other !== undefined)
    throw new ConfigError(
      `Option "${titleOf(option)}": ${condition} is a value of ${decides.name} and of ${other.name}. Write ${decides.name}=${titleOf(option)} or ${other.name}=${titleOf(option)}.`,
    );
  return { ...option, decides };
}

/** What decides where others hold is the same wherever it has that value. */
function refuseChains(conditional: readonly Conditional[]): void {
  for (const option of conditional) {
    const other = conditional.find(({ decides }) => decides.name === option.name);
    if (other !== undefined)
      throw new ConfigError(
        `Option "${titleOf(option)}": where ${titleOf(other)} holds is decided by ${option.name}, which is given for all. Leave one of them out.`,
      );
  }
}

/** `key=value,value`, or for one value of another option, `value:key=…` or `other=value:key=…`. */
const CONDITION = /^((?:[\w.]+=)?[^:=]+):([\w.]+=.*)$/s;

function readOption(text: string): Given {
  const [, condition, pair = text] = CONDITION.exec(text) ?? [];
  const at = pair.indexOf("=");
  if (at <= 0)
    throw new ConfigError(
      `Expected key=value or key=value,value, got "${text}". Example: network.profile=wan,mobile.`,
    );
  const name = pair.slice(0, at);
  const given = pair.slice(at + 1);
  const values = isList(name) ? [given] : splitValues(given);
  const title = titleOf({ name, values, condition });
  if (values.includes(""))
    throw new ConfigError(`Option "${title}": expected values with commas between them, got "${given}".`);
  refuseTwice(values, `Option "${title}": value`);
  return { name, values, condition };
}

/** `track=tensorboard,wandb` and `record=…` are one list each: no result depends on them, so there is nothing to compare. */
const isList = (name: string): boolean => /^(track|record)(\.|$)/.test(name);

function refuseTwice(names: readonly string[], what: string): void {
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new ConfigError(`${what} "${twice}" is given twice. Give it once.`);
}

/** Cuts at commas outside of brackets and quotes. */
function splitValues(text: string): readonly string[] {
  const values: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    else if (character === "," && depth === 0) {
      values.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...values, text.slice(start)];
}
