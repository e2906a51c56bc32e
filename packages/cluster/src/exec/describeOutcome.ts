// How a program ended, as the end of a sentence about it.

import { describeExit } from "../exitReason.ts";
import type { ExecOutcome } from "./exec.ts";

export function describeOutcome(outcome: ExecOutcome): string {
  switch (outcome.kind) {
    case "missing":
      return "is not installed";
    case "failed":
      return `cannot be started: ${outcome.message}`;
    default:
      return describeExit(outcome);
  }
}
