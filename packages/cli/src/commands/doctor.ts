// atoll doctor: what this machine has, what is missing for which kind of run, and how to get it. It changes nothing, asks
// no network, and what it finds is no failure: it ends with code 0.

import { capture, exec, type Finding, remediesOf } from "@atoll/cluster";
import { ConfigError, formatBytes } from "@atoll/core";
import { parseArguments } from "../arguments.ts";
import { type Machine, thisMachine } from "../doctor/machine.ts";
import { findPrograms, PROGRAMS, type Probe, PURPOSES, type Purpose } from "../doctor/programs.ts";
import { type Row, table } from "../help.ts";
import type { Command } from "../terminal.ts";
import { VERSION } from "../version.ts";

export const doctorCommand: Command = {
  help: () => Promise.resolve(HELP),
  async run(argv, terminal) {
    const { values, positionals } = parseArguments(argv, { json: { type: "boolean" } });
    if (positionals.length > 0)
      throw new ConfigError(
        `Expected no arguments but --json, got "${positionals[0]}". Write npx atoll doctor alone.`,
      );
    const probe: Probe = (program, arguments_, options) => capture(exec, program, arguments_, options);
    const [machine, programs] = await Promise.all([thisMachine(), findPrograms(probe, terminal.environment)]);
    const uses = usesOf(machine, programs);
    terminal.output(
      values.json === true
        ? `${JSON.stringify({ atoll: VERSION, machine, programs, uses })}\n`
        : textOf(machine, programs, uses),
    );
    return 0;
  },
};

/** Something that people use Atoll for. */
export interface Use {
  readonly name: "simulated" | Purpose;
  readonly summary: string;
  readonly ready: boolean;
  /** Programs that serve it here. */
  readonly with: readonly string[];
  /** What to do about it; any one of these is enough. */
  readonly remedies: readonly string[];
}

/** What works here and what does not, most useful first. */
export function usesOf({ onnxRuntime }: Machine, programs: readonly Finding[]): readonly Use[] {
  const simulated: Use = {
    name: "simulated",
    summary: "simulated runs: npx atoll train and all that reads its runs",
    ready: onnxRuntime,
    with: ["ONNX Runtime"].filter(() => onnxRuntime),
    remedies: onnxRuntime
      ? []
      : [
          "ONNX Runtime (its native code does not load): run npm ci on this system, which Node's package onnxruntime-node has to support",
        ],
  };
  const others = (Object.keys(PURPOSES) as Purpose[]).map((purpose): Use => {
    const serving = programs.filter(
      ({ program }) => PROGRAMS.find(({ name }) => name === program)?.purpose === purpose,
    );
    const ready = serving.filter(({ status }) => status === "ready");
    return {
      name: purpose,
      summary: PURPOSES[purpose],
      ready: ready.length > 0,
      with: ready.map(({ program }) => program),
      remedies: ready.length > 0 ? [] : remediesOf(serving),
    };
  });
  return [simulated, ...others];
}

function textOf(machine: Machine, programs: readonly Finding[], uses: readonly Use[]): string {
  const found = programs.map(
    (finding): Row => [finding.program, finding.status === "ready" ? finding.version : finding.problem],
  );
  return `This machine:
${table([
  ["system", machine.system],
  ["cores", `${machine.cores} (${machine.cpu})`],
  ["memory", `${formatBytes(machine.memoryBytes)}, ${formatBytes(machine.freeMemoryBytes)} of it free`],
  ["Node", machine.node],
  ["ONNX Runtime", machine.onnxRuntime ? "its native code loads" : "its native code does not load"],
])}

Programs:
${table(found)}

What it is ready for:
${table(uses.map((use): Row => [use.ready ? "yes" : "no", use.ready ? `${use.summary} (${servedBy(use)})` : use.summary]))}
${missingText(uses)}`;
}

/** Of two engines the first is used, unless a sandbox is made with the other one. */
function servedBy({ name, with: [first, ...others] }: Use): string {
  if (name !== "containers" || others.length === 0) return [first, ...others].join(", ");
  return `${first}; ${others.map((other) => `${other} with --engine ${other}`).join("; ")}`;
}

function missingText(uses: readonly Use[]): string {
  const missing = uses.filter(({ ready }) => !ready);
  if (missing.length === 0) return "";
  const rows = missing.flatMap(({ summary, remedies }): Row[] => [
    ["for", summary],
    ...remedies.map((remedy): Row => ["", remedy]),
  ]);
  return `\nWhat is missing, and how to get it:\n${table(rows)}\n`;
}

const HELP = `Says what this machine has, what is missing for which kind of run, and how to get it.

Usage: npx atoll doctor [--json]

Looked at: cores, memory, Node, ONNX Runtime, and the programs
${PROGRAMS.map(({ name }) => name).join(", ")}, each of which is asked for its version.
Nothing is changed, and no network is used.

Flags:
${table([["--json", "print one JSON object instead of the tables: { atoll, machine, programs, uses }"]])}

Exit codes: 0 whatever is found, 2 the command line is wrong.
`;
