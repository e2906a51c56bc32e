// What a command throws, as one sentence and an exit code.

import { AtollError, messageOf } from "@atoll/core";
import { placeOf } from "./placeOf.ts";
import type { Terminal } from "./terminal.ts";

/** Says what went wrong; returns the exit code. */
export function complain(error: unknown, terminal: Terminal): number {
  if (error instanceof AtollError) {
    terminal.error(`atoll: ${error.message}\n`);
    return error.exitCode;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
  const place = placeOf(error, terminal.workingDirectory);
  const whose = place === undefined ? "unexpected error; please report it." : `${place} has failed.`;
  terminal.error(`atoll: ${whose}\n${detail}\n`);
  return 1;
}
