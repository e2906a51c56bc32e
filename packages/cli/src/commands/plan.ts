// atoll plan: what a run would take, without training: utilisation, time, bytes, and the bandwidth that it needs.

import { resolve } from "node:path";
import { writeFileAtomic } from "@atoll/checkpoint/node";
import { ConfigError } from "@atoll/core";
import { parseAssignments } from "@atoll/core/config";
import { describeNetwork, type PlanRecord, planNotes, planRun, planText, renderPlan } from "@atoll/study";
import { parseArguments } from "../arguments.ts";
import { table } from "../help.ts";
import { describeOptions } from "../optionsHelp.ts";
import { preparePagePath } from "../pagePath.ts";
import { planOptions, type ResolvedPlan, resolvePlan } from "../planOptions.ts";
import type { Command } from "../terminal.ts";
import { withTraces } from "../traceFiles.ts";

export const planCommand: Command = {
  help: () => Promise.resolve(planHelp()),
  async run(argv, terminal) {
    const { values, positionals } = parseArguments(argv, {
      json: { type: "boolean" },
      report: { type: "string" },
    });
    const stray = positionals.find((argument) => !argument.includes("="));
    if (stray !== undefined)
      throw new ConfigError(
        `Expected key=value, got "${stray}": a plan is of no experiment. Example: npx atoll plan parameters=1e9 layers=24 stepSeconds=0.1.`,
      );
    const given = await withTraces(parseAssignments(positionals), terminal.workingDirectory);
    const resolved = resolvePlan(given);
    const { options, strategy, assumes } = resolved;
    const record: PlanRecord = {
      strategy,
      options,
      plan: planRun(options),
      network: describeNetwork(options),
      notes: planNotes(options, assumes),
    };
    const path =
      typeof values.report === "string" ? resolve(terminal.workingDirectory, values.report) : undefined;
    // What cannot be written is said before the plan is.
    if (path !== undefined) preparePagePath("--report", path);
    terminal.error(planText(record));
    if (path !== undefined) {
      await writeFileAtomic(path, renderPlan(record));
      terminal.error(`\nReport  ${path}\n`);
    }
    if (values.json === true) terminal.output(`${JSON.stringify(summaryOf(record, resolved))}\n`);
    return 0;
  },
};

const summaryOf = ({ options, plan, notes }: PlanRecord, { config }: ResolvedPlan): object => ({
  strategy: config.strategy,
  nodes: options.nodes,
  parameters: options.parameters,
  layers: options.layers,
  stepSeconds: options.stepSeconds,
  bitsPerParameter: options.bitsPerParameter ?? 32,
  schedule: options.schedule,
  maxSteps: options.maxSteps,
  utilization: plan.utilization,
  secondsPerStep: plan.secondsPerStep,
  totalSeconds: plan.totalSeconds,
  bytesPerStep: plan.bytesPerStep,
  totalBytes: plan.totalBytes,
  exchanges: plan.exchanges,
  requiredBandwidth: plan.requiredBandwidth,
  notes,
  network: config.network,
  allReduce: config.allReduce,
  seed: config.seed,
});

const planHelp =
  (): string => `Plans a run without training: compute utilisation, time, bytes, and the bandwidth that it needs.

Usage: npx atoll plan [key=value …] [flags]

Each layer is sent when its backward pass ends, and its next forward pass waits for the result,
unless the strategy lets it go on. With schedule=train all is sent after the step, as
train does.

Flags:
${table([
  ["--json", "print one JSON object with the plan as the last line of standard output"],
  ["--report FILE", "write a page with the plan's tables and its curve over bandwidth, such as plan.html"],
])}

Options; a dot goes into a choice's own options, which are indented under it:
${table(describeOptions(planOptions))}

Exit codes: 0 done, 1 the report cannot be written, 2 the command line is wrong.

Examples:
  npx atoll plan parameters=1e9 layers=24 stepSeconds=0.1 strategy=diloco bitsPerParameter=16
  npx atoll plan model=xl device=h100 tokens=65536 nodes=8 strategy=streamingdiloco
  npx atoll plan parameters=7e9 layers=32 stepSeconds=1 nodes=16 --report plan.html
`;
