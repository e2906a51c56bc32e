// The overview of the commands, and the layout of all help: plain text of two columns, at most 100 characters wide.

import type { CommandEntry } from "./terminal.ts";

const WIDTH = 100;
/** A longer left column pushes its text to the next line. */
export const LEFT = 34;

/** What is written on the left, what it means on the right. */
export type Row = readonly [left: string, right: string];

export function topHelp(commands: readonly CommandEntry[]): string {
  const rows: readonly Row[] = [
    ...commands.map(({ name, summary }): Row => [name, summary]),
    ["help", "show this text, or a command's: npx atoll help train"],
  ];
  return `Atoll: a wind tunnel for distributed training.

Usage: npx atoll <command> [arguments]

Commands:
${table(rows)}

Flags:
${table([
  ["--help, -h", "show this text, or a command's: npx atoll train --help"],
  ["--version, -v", "print the version"],
])}

Example:
  npx atoll train digits nodes=3 network.profile=wan network.topology=ring
`;
}

/** Rows of two columns, indented by two; the right one wraps. */
export function table(rows: readonly Row[]): string {
  const width = Math.min(LEFT, Math.max(...rows.map(([left]) => left.length)));
  return rows.flatMap((row) => layRow(row, width)).join("\n");
}

function layRow([left, right]: Row, width: number): readonly string[] {
  const margin = " ".repeat(width + 4);
  const [first = "", ...others] = wrap(right, WIDTH - margin.length);
  const head = `  ${left.padEnd(width)}`;
  const lines = left.length > width ? [head, `${margin}${first}`] : [`${head}  ${first}`];
  return [...lines, ...others.map((line) => `${margin}${line}`)].map((line) => line.trimEnd());
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
