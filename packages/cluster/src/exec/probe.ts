// A program of other people that Atoll can work with: how it is asked for its version, what its answer says, and what to
// do if it does not serve. doctor and the commands that need the program say it with the same words.

import type { Captured } from "./capture.ts";

export interface Program {
  readonly name: string;
  /** Asks for the version without doing anything. */
  readonly argv: readonly string[];
  readonly howToGet: string;
  /** What to do when it is installed and does not answer; may depend on what it says. */
  readonly howToRepair: string | ((output: string) => string);
}

/** What a program answered. `version`: its first line. `problem`: why it does not serve, as a phrase. */
export type Finding =
  | { readonly program: string; readonly status: "ready"; readonly version: string }
  | {
      readonly program: string;
      readonly status: "missing" | "broken";
      readonly problem: string;
      readonly remedy: string;
    };

export function findingOf(
  { name, howToGet, howToRepair }: Program,
  { outcome, stdout, stderr }: Captured,
): Finding {
  // OpenSSH tells its version on standard error.
  const output = stdout.trim() || stderr.trim();
  const broken = (problem: string): Finding => ({
    program: name,
    status: "broken",
    problem,
    remedy: typeof howToRepair === "string" ? howToRepair : howToRepair(`${stdout}\n${stderr}`),
  });
  switch (outcome.kind) {
    case "missing":
      return { program: name, status: "missing", problem: "not installed", remedy: howToGet };
    case "exited":
      if (outcome.code === 0 && output !== "")
        return { program: name, status: "ready", version: firstLine(output) };
      return broken(
        `ended with code ${outcome.code}: ${lastLine(stderr) || lastLine(stdout) || "it says nothing"}`,
      );
    case "killed":
      return broken(`was ended by ${outcome.signal}`);
    case "timedOut":
      return broken(`gave no answer within ${outcome.afterMs / 1000} s`);
    case "failed":
      return broken(`cannot be started: ${outcome.message}`);
    case "cancelled":
    case "lost":
      return broken("was not asked to the end");
    default:
      return outcome satisfies never;
  }
}

/** What to do when none of these programs serves and any one would be enough: "docker (not installed): …". */
export function remediesOf(findings: readonly Finding[]): readonly string[] {
  const problems = findings.filter((finding) => finding.status !== "ready");
  const broken = problems.filter(({ status }) => status === "broken");
  // Who has one that does not answer wants that one repaired, not another one.
  return (broken.length > 0 ? broken : problems.slice(0, 1)).map(
    ({ program, problem, remedy }) => `${program} (${problem}): ${remedy}`,
  );
}

const linesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

const firstLine = (text: string): string => linesOf(text)[0] ?? "";

/** Programs that fail say why at the end. */
export const lastLine = (text: string): string => linesOf(text).at(-1) ?? "";
