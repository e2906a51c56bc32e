// Options with several values: `network.profile=wan,mobile nodes=4,16` are the four combinations of them. Commas inside
// brackets belong to a value: `nodes=2 network.bandwidth=[1e6,1e7],1e9` are two.

import { ConfigError } from "@atoll/core";

/** One combination. */
export interface Combination {
  /** Every option with its one value, as `key=value`. */
  readonly pairs: readonly string[];
  /** Only those that differ between combinations, by name. */
  readonly varied: Readonly<Record<string, string>>;
}

/**
 * All combinations of the values given, the last option varying fastest. The options of a choice go with that choice
 * wherever they are written: order does not matter to a run.
 * @throws ConfigError for what is no `key=value`, an empty value, one that is given twice, or an option given twice
 */
export function combinations(given: readonly string[]): readonly Combination[] {
  const options = given.map(readOption);
  refuseTwice(
    options.map(({ name }) => name),
    "Option",
  );
  return options.reduce<readonly Combination[]>(
    (before, { name, values }) =>
      before.flatMap(({ pairs, varied }) =>
        values.map((value) => ({
          pairs: [...pairs, `${name}=${value}`],
          varied: values.length === 1 ? varied : { ...varied, [name]: value },
        })),
      ),
    [{ pairs: [], varied: {} }],
  );
}

/** "network.profile=wan nodes=4"; empty where nothing differs. */
export const labelOf = ({ varied }: Combination): string =>
  Object.entries(varied)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

function readOption(pair: string): { readonly name: string; readonly values: readonly string[] } {
  const at = pair.indexOf("=");
  if (at <= 0)
    throw new ConfigError(
      `Expected key=value or key=value,value, got "${pair}". Example: network.profile=wan,mobile.`,
    );
  const name = pair.slice(0, at);
  const text = pair.slice(at + 1);
  const values = isList(name) ? [text] : splitValues(text);
  if (values.includes(""))
    throw new ConfigError(`Option "${name}": expected values with commas between them, got "${text}".`);
  refuseTwice(values, `Option "${name}": value`);
  return { name, values };
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
