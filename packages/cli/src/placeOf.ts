// Where in a program of the user's own something went wrong: an experiment's file, a model or a strategy beside it. What goes
// wrong in Atoll or a library is none of the user's mistakes, even if the user's program has called it.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "@atoll/core";

/** Where Atoll's packages are. */
const ATOLL = fileURLToPath(new URL("../..", import.meta.url));

/** The line before all others of what cannot be read as a program. */
const UNREADABLE = /^(?<file>(?:file:\/\/)?\/.+):(?<place>\d+)\n/;
/** A frame in a file: the platform's own functions are in none. */
const FRAME = /^ {4}at (?:async )?(?:[^(\n]*\()?(?<file>(?:file:\/\/)?\/[^\n]+?):(?<place>\d+:\d+)\)?$/m;

/** "exp.ts:6:13", from the directory where the command was called; undefined if it was not in the user's own code. */
export function placeOf(error: unknown, workingDirectory: string): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== "string") return undefined;
  const unreadable = error instanceof SyntaxError ? UNREADABLE.exec(error.stack) : null;
  const { file = "", place } = (unreadable ?? FRAME.exec(error.stack))?.groups ?? {};
  const path = pathOf(file);
  if (path === undefined || path.startsWith(ATOLL) || path.includes("/node_modules/")) return undefined;
  return `${relative(workingDirectory, path)}:${place}`;
}

/** Of a file that is named by its path or as a URL, if that is the URL of a path. */
function pathOf(file: string): string | undefined {
  if (!file.startsWith("file:")) return file === "" ? undefined : file;
  try {
    return fileURLToPath(file);
  } catch {
    return undefined;
  }
}

/** What was thrown, in words, and where if that was in the user's own code. */
export function wordsAndPlace(error: unknown, workingDirectory: string): string {
  const place = placeOf(error, workingDirectory);
  return place === undefined ? messageOf(error) : `${messageOf(error)} (${place})`;
}
