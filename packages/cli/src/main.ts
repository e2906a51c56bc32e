// The command line's frame: finds the command, and turns what it throws into one sentence and an exit code.

import { unknownName } from "@atoll/core";
import { complain } from "./complaint.ts";
import { topHelp } from "./help.ts";
import type { Command, CommandEntry, Terminal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** A command's code, and all that it needs, is loaded when it is asked for. */
const commands: readonly CommandEntry[] = [
  {
    name: "train",
    summary: "train an experiment on N simulated machines, or on N processes",
    load: async (): Promise<Command> => (await import("./commands/train.ts")).trainCommand,
  },
  {
    name: "node",
    summary: "run one rank of a training whose nodes are processes, on any machine",
    load: async (): Promise<Command> => (await import("./commands/node.ts")).nodeCommand,
  },
  {
    name: "sample",
    summary: "write text with the model of a run",
    load: async (): Promise<Command> => (await import("./commands/sample.ts")).sampleCommand,
  },
  {
    name: "validate",
    summary: "run an experiment as processes and simulated; hold predicted times against measured ones",
    load: async (): Promise<Command> => (await import("./commands/validate.ts")).validateCommand,
  },
  {
    name: "plan",
    summary: "tell time, bytes and the bandwidth that a run needs, without training",
    load: async (): Promise<Command> => (await import("./commands/plan.ts")).planCommand,
  },
  {
    name: "doctor",
    summary: "say what this machine has, what is missing for which kind of run, and how to get it",
    load: async (): Promise<Command> => (await import("./commands/doctor.ts")).doctorCommand,
  },
  {
    name: "compare",
    summary: "run a matrix of options; which wins where, and why",
    load: async (): Promise<Command> => (await import("./commands/compare.ts")).compareCommand,
  },
  {
    name: "reprice",
    summary: "time a recorded run on other networks, without training again",
    load: async (): Promise<Command> => (await import("./commands/reprice.ts")).repriceCommand,
  },
  {
    name: "report",
    summary: "make one page of one or more runs, with figures and tables to save",
    load: async (): Promise<Command> => (await import("./commands/report.ts")).reportCommand,
  },
  {
    name: "launch",
    summary: "run a command on every node: of a sandbox, of this machine, or by ssh",
    load: async (): Promise<Command> => (await import("./commands/launch.ts")).launchCommand,
  },
  {
    name: "sandbox",
    summary: "a cluster of containers on this machine: setup, status, shell, logs, restart, stop",
    load: async (): Promise<Command> => (await import("./commands/sandbox.ts")).sandboxCommand,
  },
];

/** Runs `atoll <argv>`; returns the exit code: 0 done, 1 failed, 2 wrong command line or config, 130 interrupted. */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal);
  } catch (error) {
    return complain(error, terminal);
  }
}

async function dispatch([name, ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    const [topic, ...more] = name === "help" ? rest : [];
    terminal.output(topic === undefined ? topHelp(commands) : await (await load(topic)).help(more, terminal));
    return 0;
  }
  if (name === "--version" || name === "-v") {
    terminal.output(`${VERSION}\n`);
    return 0;
  }
  const command = await load(name);
  // After "--" stands another program's command line.
  const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (own.includes("--help") || own.includes("-h")) {
    terminal.output(await command.help(rest, terminal));
    return 0;
  }
  if (command.whenInterrupted !== undefined) terminal.sayWhenInterrupted(command.whenInterrupted);
  return command.run(rest, terminal);
}

function load(name: string): Promise<Command> {
  const entry = commands.find((candidate) => candidate.name === name);
  if (!entry) throw unknownName("command", name, [...commands.map((candidate) => candidate.name), "help"]);
  return entry.load();
}
