// The compute model of a run in words, for readers of its config: what steps' times come from, and how nodes differ.

import type { ConfigValue } from "@atoll/core";
import { max, min, rollup } from "d3-array";
import { describeChoice, isList, treeOf } from "./run.ts";

/** "laptop", "2 × h100, a100, speeds 0.5 to 1" or "measured"; null where the config does not say. */
export function describeCompute(value: ConfigValue | undefined): string | null {
  const { kind, device } = treeOf(value);
  const usual = kind === "device" ? device : kind;
  const differences = describeDifferences(value);
  const base = treeOf(value).devices === undefined ? describeChoice(usual) : null;
  return [base, differences].filter((part) => part !== null).join(", ") || null;
}

/** What the nodes differ in: "2 × h100, a100, speeds 0.5 to 1"; null if they are alike. */
export function describeDifferences(value: ConfigValue | undefined): string | null {
  const { devices, speeds } = treeOf(value);
  const parts: string[] = [];
  if (devices !== undefined && isList(devices))
    for (const [name, count] of rollup(
      devices.map(String),
      (same) => same.length,
      (name) => name,
    ))
      parts.push(count === 1 ? name : `${count} × ${name}`);
  const numbers = speeds !== undefined && isList(speeds) ? speeds.map(Number) : [];
  if (numbers.length > 0) parts.push(`speeds ${formatSpeed(min(numbers))} to ${formatSpeed(max(numbers))}`);
  return parts.join(", ") || null;
}

const formatSpeed = (speed: number | undefined): string => String(Number(speed?.toPrecision(3)));
