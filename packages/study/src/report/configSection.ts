// The config as text: one dotted path and value a row, as the command line takes them, and how to run it again.

import { type ConfigTree, type ConfigValue, formatBytes } from "@atoll/core";
import { sum } from "d3-array";
import { isList, type Run, treeOf } from "../run.ts";
import { type Content, html, type Markup } from "./html.ts";
import { emptyState } from "./table.ts";

/** Longer values (recorded durations, tables of links) are cut here; `config.json` has them whole. */
const LONGEST_VALUE = 2000;

export function configSection({ config }: Run): Markup {
  const { options, resolved, ...rest } = config;
  const command = commandOf(rest.command);
  const groups = [
    { title: "Run", rows: flatten(command === null ? rest : { ...rest, command }, "") },
    { title: "Options, as on the command line", rows: flatten(treeOf(options), "") },
    { title: "What they came to", rows: flatten(treeOf(resolved), "") },
  ].filter(({ rows }) => rows.length > 0);
  const count = sum(groups, ({ rows }) => rows.length);
  const body =
    count === 0
      ? emptyState("The run recorded no config.")
      : html`<details open=""><summary>All ${count} values</summary>
<p class="filter" hidden=""><label>Find <input type="search" id="option-filter" autocomplete="off"/></label> <span id="option-count" aria-live="polite"></span></p>
<table class="options">
${groups.map(({ title, rows }) => optionGroup(groups.length > 1 ? title : null, rows))}</table></details>`;
  return html`<section id="config"><h2>Configuration</h2>${body}</section>`;
}

function optionGroup(title: string | null, rows: readonly OptionRow[]): Markup {
  const head =
    title === null
      ? null
      : html`<tr class="group"><th scope="rowgroup" colspan="2">${title}</th></tr>
`;
  return html`<tbody>${head}${rows.map(
    ([path, value]) => html`<tr><th scope="row">${path}</th><td>${shorten(value)}</td></tr>
`,
  )}</tbody>`;
}

type OptionRow = readonly [path: string, value: string];

/** Every leaf with its dotted path; a list of plain values, or of lists of them (points, edges), is one leaf. */
function flatten(value: ConfigValue, path: string): readonly OptionRow[] {
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

function shorten(value: string): Content {
  if (value.length <= LONGEST_VALUE) return value;
  return [
    value.slice(0, LONGEST_VALUE),
    html`<em>… (${formatBytes(value.length)} of text in all; config.json has it whole)</em>`,
  ];
}

export function reproduceSection({ config }: Run): Markup {
  return html`<section id="reproduce"><h2>Reproduce</h2>${instructions(config)}</section>`;
}

function instructions(config: ConfigTree): Markup {
  const command = commandOf(config.command);
  if (command !== null)
    return html`<p>The same command and seed give the same numbers${isMeasured(config) ? ", but for times: steps were measured on the machine. To replay them, add compute.durations=[…] from config.json (resolved, compute)" : ""}.</p><pre class="command"><code>${command}</code></pre>`;
  if (Object.keys(config).length === 0)
    return emptyState("The run recorded neither its command nor its config.");
  return html`<p>The command was not recorded. <code>config.json</code> beside this page holds every option with the seed; the same options and seed give the same numbers.</p>`;
}

const isMeasured = ({ resolved }: ConfigTree): boolean =>
  treeOf(treeOf(resolved).compute).kind === "measured";

/** A command line as it was recorded, as text or as a list of arguments, which are quoted where a shell needs it. */
function commandOf(value: ConfigValue | undefined): string | null {
  if (typeof value === "string" && value !== "") return value;
  if (value === undefined || value === null || typeof value !== "object" || !isList(value)) return null;
  return commandText(value.map(String));
}

/** A command line as one types it. */
export const commandText = (command: readonly string[]): string => command.map(quoted).join(" ");

const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
