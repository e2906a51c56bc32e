// The config as text: one dotted path and value a row, as the command line takes them, and how to run it again.

import { type ConfigTree, type ConfigValue, formatBytes } from "@atoll/core";
import { sum } from "d3-array";
import { formatCount } from "../format.ts";
import { isList, type Run, treeOf } from "../run.ts";
import { compareConfigs, flatten, type OptionRow } from "./configRows.ts";
import { type Content, html, type Markup } from "./html.ts";
import { type ReportedRun, shortLabel } from "./reportedRun.ts";
import { section } from "./section.ts";
import { type Cell, emptyState, table } from "./table.ts";

/** With more runs, a row a run is easier to read than a column. */
const MOST_COLUMNS = 6;

/** Longer values (recorded durations, tables of links) are cut here; `config.json` has them whole. */
const LONGEST_VALUE = 2000;

export function configSection(runs: readonly ReportedRun[]): Markup {
  return section("config", "Configuration", runs.length === 1 ? configOfRun(runs[0]!) : differencesOf(runs));
}

function configOfRun({ config }: Run): Content {
  const { options, resolved, ...rest } = config;
  const command = commandOf(rest.command);
  const groups = [
    { title: "Run", rows: flatten(command === null ? rest : { ...rest, command }, "") },
    { title: "Options, as on the command line", rows: flatten(treeOf(options), "") },
    { title: "What they came to", rows: flatten(treeOf(resolved), "") },
  ].filter(({ rows }) => rows.length > 0);
  const count = sum(groups, ({ rows }) => rows.length);
  if (count === 0) return emptyState("The run recorded no config.");
  return html`<details open=""><summary>All ${count} values</summary>
${optionTable(groups.map(({ title, rows }) => optionGroup(groups.length > 1 ? title : null, rows)))}</details>`;
}

/** What the runs differ in, and folded away what they share. */
function differencesOf(runs: readonly ReportedRun[]): Content {
  const { differing, shared } = compareConfigs(runs.map(({ config }) => config));
  if (differing.length + shared.length === 0) return emptyState("No run recorded its config.");
  return [
    differing.length === 0
      ? html`<p>The runs have the same configuration.</p>\n`
      : differing.length > 0 && runs.length > MOST_COLUMNS
        ? runRows(runs, differing)
        : settingRows(runs, differing),
    shared.length === 0
      ? null
      : html`<details><summary>${formatCount(shared.length)} values that all runs share</summary>
${optionTable(optionGroup(null, shared))}</details>`,
  ];
}

type Differing = ReturnType<typeof compareConfigs>["differing"];

const settingCell = (value: string | null): Cell => ({
  shown: value === null ? "–" : shortLabel(value),
  value: value ?? "",
});

const DIFFERENCES = "Settings in which the runs differ. A dash: the run has no such setting.";

/** A row a setting, a column a run. */
const settingRows = (runs: readonly ReportedRun[], differing: Differing): Markup =>
  table({
    name: "config-differences",
    caption: DIFFERENCES,
    columns: [{ label: "Setting" }, ...runs.map(({ label }) => ({ label: shortLabel(label, 28) }))],
    rows: differing.map(({ path, values }) => [path, ...values.map(settingCell)]),
  });

/** A row a run, a column a setting. */
const runRows = (runs: readonly ReportedRun[], differing: Differing): Markup =>
  table({
    name: "config-differences",
    caption: DIFFERENCES,
    columns: [{ label: "Run" }, ...differing.map(({ path }) => ({ label: path }))],
    rows: runs.map(({ label }, i) => [
      { shown: shortLabel(label), value: label },
      ...differing.map(({ values }) => settingCell(values[i]!)),
    ]),
  });

const optionTable = (groups: Content): Markup =>
  html`<p class="filter" hidden=""><label>Find <input type="search" id="option-filter" autocomplete="off"/></label> <span id="option-count" aria-live="polite"></span></p>
<table class="options">
${groups}</table>`;

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

function shorten(value: string): Content {
  if (value.length <= LONGEST_VALUE) return value;
  return [
    value.slice(0, LONGEST_VALUE),
    html`<em>… (${formatBytes(value.length)} of text in all; config.json has it whole)</em>`,
  ];
}

export function reproduceSection(runs: readonly ReportedRun[]): Markup {
  return section(
    "reproduce",
    "Reproduce",
    runs.length === 1 ? instructions(runs[0]!.config) : commandsOf(runs),
  );
}

function commandsOf(runs: readonly ReportedRun[]): Content {
  const known = runs.flatMap(({ label, config }) => {
    const command = commandOf(config.command);
    return command === null ? [] : [{ label, command, config }];
  });
  if (known.length === 0)
    return emptyState("No run recorded its command; config.json of each holds its options.");
  const measured = known.filter(({ config }) => isMeasured(config)).length;
  const times =
    measured === 0
      ? "."
      : `, but for the times of the ${formatCount(measured)} runs whose steps were measured on the machine.`;
  return [
    html`<p>The same commands and seeds give the same numbers${times}</p>\n`,
    html`<details><summary>The commands of ${formatCount(known.length)} runs</summary>
${known.map(({ label, command }) => html`<p class="kind">${label}</p><pre class="command"><code>${command}</code></pre>\n`)}</details>`,
  ];
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
