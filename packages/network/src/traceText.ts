// Bandwidth traces as text: CSV of two columns, "time, bytes/s". Times are seconds, ascending from 0; the last row's time is
// the trace's end and its value is not used. The first row may name the columns; empty lines and those that begin with #
// are left out. Anything else is refused with its line: half a trace would be another network, not a part of this one.

import { ConfigError } from "@atoll/core";
import { problemOf, type TracePoint } from "./trace.ts";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Lines in messages are cut here. */
const SHOWN = 80;

/** @param name of the file, for messages @throws ConfigError that names file, line and what stands there */
export function parseTrace(text: string, name: string): readonly TracePoint[] {
  const points: TracePoint[] = [];
  let isFirst = true;
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    const cells = content.split(",").map((cell) => cell.trim());
    const isHeader = isFirst && cells.length === 2 && cells.every((cell) => /^[a-z"]/i.test(cell));
    isFirst = false;
    if (isHeader) continue;
    const point = cells.map((cell) => (NUMBER.test(cell) ? Number(cell) : Number.NaN));
    const problem = problemOf(point as unknown as TracePoint, points.at(-1)?.[0]);
    if (problem !== undefined) {
      const shown = content.length > SHOWN ? `${content.slice(0, SHOWN)}…` : content;
      throw new ConfigError(
        `Bandwidth trace "${name}", line ${i + 1}: expected ${columns(problem)}, got ${JSON.stringify(shown)}. Mend the line or take it out.`,
      );
    }
    points.push([point[0]!, point[1]!]);
  }
  if (points.length < 2)
    throw new ConfigError(
      `Bandwidth trace "${name}": expected two or more rows "seconds,bytes per second", the last of which is the end, got ${points.length}.`,
    );
  return points;
}

/** A row of text has no brackets. */
const columns = (problem: string): string => problem.replace(/^\[(.*)\], two numbers$/, "two numbers, $1");
