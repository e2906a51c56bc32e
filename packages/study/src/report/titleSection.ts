// The head of the report: what was run, how it ended, and the figures that it is judged by.

import { type ConfigTree, type ConfigValue, type Evaluated, formatBytes, formatSeconds } from "@atoll/core";
import { describeCompute } from "../compute.ts";
import { describeCounts } from "../faults.ts";
import { formatCount, formatLoss, formatPercent } from "../format.ts";
import {
  describeChoice,
  divergence,
  faultCounts,
  finalEvaluation,
  meanBytesSent,
  meanNodeTime,
  mostBytesSent,
  networkName,
  type Outcome,
  type Run,
  simulatedSeconds,
  timeName,
} from "../run.ts";
import { type Content, html, type Markup } from "./html.ts";
import type { ReportedRun } from "./reportedRun.ts";
import type { Section } from "./section.ts";
import { facts } from "./table.ts";
import { titleOfRuns } from "./titleOfRuns.ts";

/** Names beyond this are set smaller. */
const LONG_NAME = 60;

/** The page's title in the browser. */
export const pageTitle = (runs: readonly ReportedRun[]): string =>
  runs.length === 1 ? runs[0]!.name : `${formatCount(runs.length)} runs`;

export const titleSection: Section = (runs, options) =>
  runs.length === 1 ? titleOfRun(runs[0]!) : titleOfRuns(runs, options);

function titleOfRun(run: Run): Markup {
  const { started, settings } = run;
  const faults = faultCounts(run);
  const long = run.name.length > LONG_NAME ? " long" : "";
  return html`<header>
<p class="kind">Atoll · report of a run</p>
<h1 class="name${long}" dir="auto">${run.name}</h1>
${outcomeLine(run)}
${run.truncated ? html`<p class="note">The last line of events.jsonl was cut off and is left out.</p>` : null}
${run.warnings.map((warning) => html`<p class="note">${warning}</p>\n`)}
${facts([
  ["Strategy", describeChoice(settings.strategy) ?? started?.strategy ?? null],
  ["Experiment", describeChoice(settings.experiment)],
  ["Model", describeChoice(settings.model)],
  ["Data", describeChoice(settings.data)],
  ["Optimizer", describeChoice(settings.optimizer)],
  ["Nodes", started && formatCount(started.nodes)],
  ["Network", networkName(run)],
  ["Compute", describeCompute(settings.compute)],
  ["All-reduce", describeAllReduce(settings.allReduce)],
  ["Links shaped", describeShaping(settings)],
  ["Faults", faults && describeCounts(faults)],
  ["Batch size", describeChoice(settings.batchSize)],
  ["Seed", started ? String(started.seed) : describeChoice(settings.seed)],
  ["Started", started && startTime(started.startedAt)],
  ["Resumed at", started && started.resumedFrom > 0 ? `step ${formatCount(started.resumedFrom)}` : null],
])}
${headline(run)}
</header>`;
}

/** The usual choice goes without saying. */
const describeAllReduce = (choice: ConfigValue | undefined): string | null =>
  choice === "topology" ? null : describeChoice(choice);

/** Who made the network's conditions felt; simulated ones go without saying. */
function describeShaping({ mode, shaping }: ConfigTree): string | null {
  if (mode !== "processes" || typeof shaping !== "string" || shaping === "none") return null;
  return shaping === "userSpace" ? "in user space" : `by ${shaping}`;
}

function outcomeLine({ outcome, stepsDone, started }: Run): Markup {
  const steps = started ? `${formatCount(stepsDone)} of ${formatCount(started.maxSteps)} steps` : "no steps";
  return html`<p class="outcome ${outcome.kind}"><span class="badge">${outcome.kind}</span> ${sentence(outcome, steps)}</p>`;
}

function sentence(outcome: Outcome, steps: string): Content {
  switch (outcome.kind) {
    case "completed":
      return `${steps}.`;
    case "diverged":
      return `${steps}. ${divergence(outcome.since)}`;
    case "interrupted":
    case "failed":
      return [`After ${steps}`, outcome.message === null ? "." : [": ", outcome.message]];
    case "unfinished":
      return `After ${steps} the events stop without an end: the run goes on, or was killed.`;
    default:
      return outcome satisfies never;
  }
}

/** "2026-11-20 19:14:03 UTC"; a time that cannot be read is shown as it is. */
function startTime(startedAt: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(startedAt);
  return match ? `${match[1]} ${match[2]} UTC` : startedAt;
}

interface Figure {
  readonly label: string;
  readonly value: string;
  readonly detail: Content;
}

function headline(run: Run): Content {
  const figures = [...qualityFigures(run), ...costFigures(run)];
  if (figures.length === 0) return null;
  return html`<ul class="headline">${figures.map(
    ({ label, value, detail }) =>
      html`<li><span class="label">${label}</span><span class="value">${value}</span><span class="detail">${detail}</span></li>\n`,
  )}</ul>`;
}

function qualityFigures(run: Run): readonly Figure[] {
  const evaluation = finalEvaluation(run);
  if (evaluation !== null) return evaluationFigures(evaluation);
  const loss = run.steps.loss.at(-1);
  return loss === undefined
    ? []
    : [{ label: "Training loss", value: formatLoss(loss), detail: "of the last step" }];
}

function evaluationFigures({ split, loss, accuracy }: Evaluated): readonly Figure[] {
  const name = split === "test" ? "Test" : "Validation";
  const figures = [
    {
      label: `${name} loss, global`,
      value: formatLoss(loss.global),
      detail: `local ${formatLoss(loss.local)}`,
    },
  ];
  if (accuracy !== null)
    figures.push({
      label: `${name} accuracy, global`,
      value: formatPercent(accuracy.global),
      detail: `local ${formatPercent(accuracy.local)}`,
    });
  return figures;
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function costFigures(run: Run): readonly Figure[] {
  const figures: Figure[] = [];
  const simulated = simulatedSeconds(run);
  const split = meanNodeTime(run);
  if (simulated !== null)
    figures.push({
      label: capitalized(timeName(run)),
      value: formatSeconds(simulated),
      detail:
        split && simulated > 0
          ? `${formatPercent(split.compute / (split.compute + split.communication + split.waiting), 1)} of it compute`
          : null,
    });
  const sent = meanBytesSent(run);
  const most = mostBytesSent(run);
  if (sent !== null)
    figures.push({
      label: "Sent per node",
      value: formatBytes(sent),
      detail: most !== null ? `mean; at most ${formatBytes(most)}` : null,
    });
  if (run.started)
    figures.push({ label: "Parameters", value: formatCount(run.started.parameters), detail: null });
  const peak = run.summary?.peakRssBytes;
  const resumedFrom = run.started?.resumedFrom ?? 0;
  if (run.finished)
    figures.push({
      label: "Wall time",
      value: formatSeconds(run.finished.wallSeconds),
      detail: [
        // The clock on the wall starts anew with every part of a run.
        ...(resumedFrom > 0 ? [`since step ${formatCount(resumedFrom)}`] : []),
        ...(typeof peak === "number" ? [`peak memory ${formatBytes(peak)}`] : []),
      ].join("; "),
    });
  return figures;
}
